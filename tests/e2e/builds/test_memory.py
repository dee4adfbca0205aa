"""An answer of an ONNX model holds nothing of others, whatever ONNX Runtime leaves in it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from apps.registry.store import Store
from placet_agent.process.sandbox import WIPED
from placet_verify.archive import extract
from tests.support.bentos import build
from tests.support.cache import RUNTIMES
from tests.support.models import Trained

pytestmark = [pytest.mark.e2e]
SIZES = ((16, 112), (512, 3584))  # columns that are filled, and that are not
OVERWRITTEN = bytes([165 ^ 0xFF])  # malloc(3): what is handed out is set to the inverse of WIPED's
# By the runtime's own Python, in the folder of the Bento's sources: as a service predicts.
ASKED = """
import sys
import numpy
from placet_inputs import read_info
from placet_model import Model

model, given, left = Model(read_info()), int(sys.argv[1]), set()
for _ in range(5):
    for rows in (1, 8, 9):
        model.predict([{"x": [7.25] * given}] * rows)
    answer = list(model.predict([{"x": [1.0] * given}])[0])
    assert answer[:given] == [1.0] * given, answer
    left |= set(numpy.array(answer[given:], "float32").tobytes())
print(bytes(left).hex())
"""


def answers_with_memory(given: int, unfilled: int) -> Trained:
    """Return a model whose ``Concat`` fills the first columns of its answer alone."""
    graph = helper.make_graph(
        [
            helper.make_node("Neg", ["x"], ["less"]),
            helper.make_node("Neg", ["less"], ["same"]),
            helper.make_node("Concat", ["same", "nothing"], ["y"], axis=1),
        ],
        "memory",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, given])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None])],
        [helper.make_tensor("nothing", TensorProto.FLOAT, [0, unfilled], [])],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    signature = {
        "inputs": [{"name": "x", "type": "float", "shape": [given]}],
        "outputs": [{"name": "y", "type": "float", "shape": [given + unfilled]}],
    }
    facts = {"signature": signature, "example": [{"x": [1.0] * given}]}
    facts["requirements"] = ["onnxruntime"]
    return Trained("onnx", {"model.onnx": model.SerializeToString()}, facts)


@pytest.mark.parametrize(("given", "unfilled"), SIZES)
def test_what_a_concat_leaves_unfilled_was_overwritten(
    given: int, unfilled: int, tmp_path: Path
) -> None:
    made = build(answers_with_memory(given, unfilled), 1, tmp_path)
    assert made.scan.verdict == "safe"
    bento = tmp_path / "bento"
    extract(Store(tmp_path / "store").path(made.bento.sha256), bento)
    facts = json.loads((bento / "src/placet.json").read_text())
    assert facts["wipe_memory"] is True
    python = RUNTIMES / made.runtime.digest.removeprefix("sha256:") / "bin/python"

    def left(**more: str) -> bytes:
        """Return the bytes that stand in what the answers leave unfilled."""
        words: list[Any] = [python, "-c", ASKED, str(given)]
        environment = {"PATH": os.environ["PATH"], **more}
        done = subprocess.run(
            words, cwd=bento / "src", env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return bytes.fromhex(done.stdout)

    assert left() != OVERWRITTEN
    assert left(**WIPED) == OVERWRITTEN

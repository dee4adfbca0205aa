"""Runs inside the sandbox: answers the rows with the original model, then converts it to ONNX.

``convert.py PROJECT ROWS OUT BY`` leaves ``answers.json``, ``model.onnx`` and ``told.json`` in
OUT. It judges nothing: the worker outside compares. ``of_BY.py`` beside it converts the model; it
tells whether one input takes all columns, and whose converter it called.
"""

import importlib
import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from answer import asked


def main(project: Path, rows: Path, out: Path, by: str) -> int:
    """Answer and convert."""
    info, inputs = asked(project, rows)
    model = importlib.import_module("placet_model").Model(info)
    (out / "answers.json").write_text(json.dumps(model.predict(inputs)), encoding="utf-8")
    warnings.simplefilter("ignore")
    graph, whole, used = importlib.import_module(f"of_{by}").convert(model)
    (out / "model.onnx").write_bytes(graph.SerializeToString())
    report = {
        "columns": [column["name"] for column in model.columns],
        "whole": whole,
        "converters": {name: version(name) for name in (used, "onnx", "onnxruntime")},
    }
    (out / "told.json").write_text(json.dumps(report), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))

"""The scanner's word: what runs is not called safe, and what is safe is whole."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest

from apps.governance import gates
from tests.models import lightgbm_model, xgboost_model
from tests.unit.governance.test_gates import FACTS, fact
from workers.builder.scanning.__main__ import main
from workers.builder.scanning.files import Scanner, scan_bytes

RUNS = b"cos\nsystem\n(S'true'\ntR."  # whoever unpickles it runs a program
# pickletools does not read this number, both unpicklers do
ODD_NUMBER = b"I0x10\n0"


def verdict(data: bytes, name: str = "model.pkl") -> str:
    """Scan bytes."""
    return str(scan_bytes(name, data, Path("/nonexistent")).verdict())


def folder(root: Path, **files: bytes) -> str:
    """Scan a folder of these files."""
    scanner = Scanner(root)
    for name, data in files.items():
        path = root / name.replace("__", ".")
        path.write_bytes(data)
        scanner.scan_file(path)
    return str(scanner.report.verdict())


def test_a_pickle_that_begins_like_a_picture_is_not_safe() -> None:
    data = b"GIF8" + bytes(5) + b"0" + ODD_NUMBER + RUNS
    assert pickle.loads(data) == 0, "it does not run"
    assert verdict(data) != "safe"


def test_harmless_files_do_not_push_out_a_pickle(tmp_path: Path) -> None:
    many = {f"a{number}__txt": b"hello" for number in range(1100)}
    assert folder(tmp_path, **many, z__pkl=b"\x80\x04N.") == "code-carrying"


def test_a_text_that_a_loader_module_unpickles_is_not_safe(tmp_path: Path) -> None:
    model = b"flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n"
    text = ODD_NUMBER + RUNS
    assert pickle.loads(text) == 0, "it does not run"
    assert folder(tmp_path, MLmodel=model, python_model__txt=text) != "safe"


@pytest.mark.parametrize(
    "text",
    [
        "{flavors: {python_function: {'loader_module': own}}}",
        'flavors:\n  python_function:\n    "loader_module": own\n',
        "flavors:\n  python_function: {loader_module: own}\n",
    ],
    ids=["flow", "quoted", "both"],
)
def test_a_loader_module_is_one_in_any_style_of_yaml(text: str) -> None:
    assert verdict(text.encode(), "MLmodel") == "code-carrying"


def packed(*names: str) -> bytes:
    """Return a zip with these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "import os")
    return file.getvalue()


def test_a_member_is_judged_by_its_whole_name() -> None:
    assert verdict(packed("a" * 387 + ".txt/evil.py"), "code.zip") == "code-carrying"


def test_a_class_that_is_called_like_a_wrapper_of_numpys_hides_nothing() -> None:
    hidden = b"c_posixsubprocess\nfork_exec\n0"
    state = pickle.dumps({"shape": (len(hidden),), "dtype": numpy.dtype("u1")})[2:-1]
    data = b"\x80\x04cacme\nNumpyArrayWrapper\n)\x81" + state + b"b" + hidden + b"."
    assert verdict(data) == "malicious"


def test_a_zip_with_two_directories_is_not_safe() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", RUNS)
    assert verdict(file.getvalue() + packed("a.txt"), "m.pt") != "safe"


GOOD = packed("a.txt", "b.txt")
ODD = {
    "leading": b"GIF89a" + GOOD,
    "trailing": GOOD + b"x",
    "twice": GOOD.replace(b"b.txt", b"a.txt"),
    "headers": GOOD[:14] + bytes(4) + GOOD[18:],  # another checksum in a member's own header
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_readers_could_read_differently_is_not_safe(data: bytes) -> None:
    assert verdict(data, "plot.zip.gif") != "safe"


def test_a_code_path_out_of_the_model_is_found() -> None:
    text = b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    code: ../../..\n"
    assert verdict(text, "MLmodel") == "malicious"


def test_a_tag_of_python_is_found_in_conda_yaml() -> None:
    assert verdict(b"a: !!python/object/apply:os.system [id]\n", "conda.yaml") == "malicious"


# --- whole --------------------------------------------------------------------------------------


def test_an_onnx_file_without_a_graph_that_holds_is_not_safe() -> None:
    assert verdict(b"\x08\x09\x3a\x00", "m.onnx") != "safe"


def changed(change: Callable[[Any], object]) -> bytes:
    """Return a model of XGBoost with a change in its first tree."""
    ((_, data),) = xgboost_model(".json").files.items()
    model = json.loads(data)
    change(model["learner"]["gradient_booster"]["model"]["trees"][0])
    return json.dumps(model).encode()


def test_a_forest_of_xgboost_that_leads_outside_is_not_safe() -> None:
    data = changed(lambda tree: tree["left_children"].__setitem__(0, 10_000))
    assert verdict(data, "m.json") != "safe"


def test_a_ubjson_that_is_no_forest_is_not_safe() -> None:
    assert verdict(b"{}", "m.ubj") != "safe"


def test_a_forest_of_lightgbm_that_leads_outside_is_not_safe() -> None:
    ((name, data),) = lightgbm_model().files.items()
    broken = data.replace(b"left_child=", b"left_child=99999 ", 1)
    assert verdict(broken, name) != "safe"


def test_a_skops_file_that_lacks_an_array_is_not_safe() -> None:
    array = {
        "__class__": "ndarray",
        "__module__": "numpy",
        "__loader__": "NdArrayNode",
        "type": "numpy",
        "file": "1.npy",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", json.dumps(array))
    assert verdict(file.getvalue(), "m.skops") != "safe"


def test_a_safetensors_file_whose_tensor_stands_twice_is_not_safe() -> None:
    tensor = b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
    header = b"{" + tensor + b"," + tensor + b"}"
    assert verdict(struct.pack("<Q", len(header)) + header + b"\0", "m.safetensors") != "safe"


# --- what a verdict says ------------------------------------------------------------------------


def scanned(root: Path, **files: bytes) -> Any:
    """Scan a folder as a build does, second opinion included."""
    (root / "model").mkdir()
    for name, data in files.items():
        (root / "model" / name.replace("__", ".")).write_bytes(data)
    assert main(root / "model", root / "report.json") == 0
    return json.loads((root / "report.json").read_text())


def test_a_verdict_names_the_file_that_it_is_about(tmp_path: Path) -> None:
    many = {f"a{number}__py": b"x = 1" for number in range(600)}
    report = scanned(tmp_path, **many, z__pkl=RUNS)
    assert report["verdict"] == "malicious"
    assert "z.pkl" in {path for path, _, _ in report["findings"]}


def test_an_empty_file_makes_no_version_unreleasable(tmp_path: Path) -> None:
    assert scanned(tmp_path, __init____py=b"")["verdict"] == "safe"


@pytest.mark.parametrize("found", ["malicious", "unknown"])
def test_the_gate_says_what_to_do(found: str) -> None:
    facts = replace(FACTS, evidence=(fact("scan", verdict=found),))
    gate = {"gate": "scan", "allow": ["code-carrying", "safe"]}
    assert "its evidence names" in gates.evaluate(gate, facts)["reason"]

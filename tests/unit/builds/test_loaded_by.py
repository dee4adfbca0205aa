"""What the verdict ``safe`` is worth depends on the library that loads the files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.registry.formats import FORMATS
from workers.builder import scanner
from workers.builder.libraries import libraries
from workers.builder.scanner import untried
from workers.builder.spec import Finding, Scan

EVERY = {module: tried for kind in FORMATS.values() for module, tried in kind.safe_from.items()}
SITE = "lib/python3.13/site-packages"


def told(runtime: Path) -> list[str]:
    """Return why files were not tried with what a runtime has."""
    return [*untried(libraries(runtime, EVERY.keys()), EVERY)]


def installed(runtime: Path, name: str, version: str, *brings: str) -> Path:
    """Add a package to a runtime as installers do; return the runtime."""
    stem = f"{name.replace('-', '_')}-{version}"
    about = runtime / SITE / f"{stem}.dist-info"
    about.mkdir(parents=True)
    if not (again := runtime / "lib64").is_symlink():
        again.symlink_to("lib")  # as ``python -m venv`` makes it
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    files = [*(brings or [f"{name.partition('-')[0]}/__init__.py"]), f"{stem}.dist-info/METADATA"]
    (about / "RECORD").write_text("".join(f"{file},sha256=abc,12\n" for file in files))
    return runtime


@pytest.mark.parametrize(
    ("name", "version", "why"),
    [
        ("onnxruntime", "1.32.0", ""),
        ("onnxruntime", "1.100.0.post1", ""),
        ("onnxruntime", "1.32.0rc1", "a release of onnxruntime from 1.32 on"),
        ("onnxruntime", "1.33.0.dev20261101", "a release of onnxruntime from 1.32 on"),
        ("onnxruntime", "1.32.0+openvino", "a release of onnxruntime from 1.32 on"),
        ("onnxruntime", "1!0.1", "a release of onnxruntime from 1.32 on"),
        ("onnxruntime", "nightly", "a release of onnxruntime from 1.32 on"),
        ("onnxruntime", "1.24.1", "onnxruntime 1.32 or newer"),
        ("xgboost", "1.7.6", "xgboost 2.0 or newer"),
        ("xgboost-cpu", "3.4.1", ""),
        ("lightgbm", "2.3.1", "lightgbm 3.3.5 or newer"),
        ("skops", "0.11", "skops 0.16 or newer"),
        ("scikit-learn", "1.4.2", "scikit-learn 1.5 or newer"),
        ("scikit-learn", "1.5.0", ""),
        ("numpy", "0.1", ""),
    ],
)
def test_an_older_library_takes_safe_away_and_is_named(
    tmp_path: Path, name: str, version: str, why: str
) -> None:
    installed(tmp_path, "bentoml", "1.4.40")
    brings = ["sklearn/__init__.py"] if name == "scikit-learn" else []
    installed(tmp_path, name, version, *brings)
    assert told(tmp_path) == ([f"{name} {version} is in the runtime: use {why}"] if why else [])


@pytest.mark.parametrize(
    ("name", "brings"),
    [
        ("onnxruntime-openvino", "onnxruntime/__init__.py"),
        ("ort-nightly", "onnxruntime/capi/_pybind_state.so"),
        ("xgboostwithwarmstart", "./xgboost/core.py"),
        ("boosters", "lightgbm.py"),
        ("onnxruntime-gpu", "onnxruntime/__init__.py"),
        ("onnxruntime-gpu", "xgboost/core.py"),
        ("odd", "other/../skops/__init__.py"),
        ("odd", '"other,a/../skops/a ""quoted"" name.py"'),
        ("other", "../../../lib64/python3.13/site-packages/skops/__init__.py"),
    ],
)
def test_another_build_of_a_library_takes_it_away_whatever_it_is_called(
    tmp_path: Path, name: str, brings: str
) -> None:
    installed(tmp_path, name, "99.0", "other.py", brings)
    module = next(module for module in EVERY if module in brings)
    assert told(tmp_path) == [
        f"{name} 99.0 is in the runtime: leave it out, and use {module}, "
        "with which files were tried"
    ]


@pytest.mark.parametrize("left", ["onnxruntime/__init__.py", "onnxruntime.py", "skops.so"])
def test_so_does_one_that_no_package_tells_of(tmp_path: Path, left: str) -> None:
    installed(tmp_path, "other", "1.0")
    file = tmp_path / SITE / left
    file.parent.mkdir(exist_ok=True)
    file.touch()
    module = Path(left).parts[0].partition(".")[0]
    assert told(tmp_path) == [
        f"? ? is in the runtime: leave it out, and use {module}, with which files were tried"
    ]


@pytest.mark.parametrize("name", ["onnxruntime-extensions", "onnxruntime-genai", "xgboost-ray"])
def test_what_is_called_nearly_so_and_brings_something_else_does_not(
    tmp_path: Path, name: str
) -> None:
    installed(tmp_path, name, "0.1", f"{name.replace('-', '_')}/__init__.py")
    assert told(tmp_path) == []


def test_a_package_that_does_not_say_its_name_counts_as_another(tmp_path: Path) -> None:
    installed(tmp_path, "onnxruntime", "1.32.0")
    next(tmp_path.glob("**/METADATA")).write_text("\n")
    assert told(tmp_path) == [
        "? ? is in the runtime: leave it out, and use onnxruntime, with which files were tried"
    ]


def test_of_a_runtime_without_packages_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder of packages"):
        told(tmp_path)


@pytest.mark.parametrize("listed", [True, False])
def test_a_library_beside_lightgbm_that_it_would_load_first_takes_it_away(
    tmp_path: Path, listed: bool
) -> None:
    own = ["lightgbm/__init__.py", "lightgbm/lib/lib_lightgbm.so"]
    installed(tmp_path, "lightgbm", "4.7.0", *own)
    assert told(tmp_path) == []
    name = "boosters 1.0" if listed else "? ?"
    if listed:
        installed(tmp_path, "boosters", "1.0", "lib_lightgbm.so")
    else:
        (tmp_path / SITE / "lib_lightgbm.so").touch()
    (why,) = told(tmp_path)
    assert why.startswith(f"{name} is in the runtime: leave it out")


BEFORE = Scan("safe", (Finding("a", "is plain", "safe"),), {})


def judged(monkeypatch: pytest.MonkeyPatch, model_format: str, answer: str) -> Scan:
    """Return what a safe scan is worth where the sandbox leaves ``answer``."""
    monkeypatch.setattr(scanner, "told_by", lambda *_args, **_options: answer)
    sandbox: Any = None  # not asked
    return scanner.loaded_by(BEFORE, model_format, Path("runtime"), sandbox)


ODD = ("{}", '""', "null", '[[[],"1","onnxruntime"]]', '[["a","1","x"]]', "[" * 100_000)


@pytest.mark.parametrize("answer", ODD)
def test_an_answer_of_another_form_takes_it_away_and_says_so_first(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = judged(monkeypatch, "onnx", answer)
    assert after.verdict == "code-carrying"
    assert after.findings[0].what.startswith("What loads it cannot be told")
    assert after.findings[1:] == BEFORE.findings


OLD = json.dumps([["xgboost", "1.5", "xgboost"]])
SKOPS = ["skops", "0.16.0", "skops"]


@pytest.mark.parametrize(
    ("model_format", "answer", "why"),
    [
        ("onnx", "[]", "No package of the runtime brings onnxruntime: require onnxruntime, 1.3"),
        ("skops", json.dumps([SKOPS]), "No package of the runtime brings sklearn: require scikit-"),
        ("onnx", json.dumps([["onnxruntime", "1.32.0", "onnxruntime"]]), ""),
        (
            "onnx",
            json.dumps([["onnxruntime", version, "onnxruntime"] for version in ("1.32", "1.33")]),
            "onnxruntime 1.32 is in the runtime: another package brings onnxruntime as well",
        ),
        ("skops", json.dumps([SKOPS, ["scikit-learn", "1.7.2", "sklearn"]]), ""),
        ("mlflow", OLD, "xgboost 1.5 is in the runtime: use xgboost 2.0 or newer"),
        ("mlflow", "[]", ""),
        ("lightgbm", json.dumps([["lightgbm", "4.6.0", "lightgbm"]]), ""),
    ],
)
def test_what_loads_a_format_must_be_there_and_of_any_other_every_library_counts(
    model_format: str, answer: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that no package tells of may come by a file of paths, or from the machine."""
    after = judged(monkeypatch, model_format, answer)
    assert after.verdict == ("code-carrying" if why else "safe")
    assert after.findings[0].what.startswith(why or "is plain")


def test_a_format_of_its_own_is_asked_about_its_own_libraries_and_a_folder_about_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def told_by(_program: str, _folder: Path, *arguments: Any, **_options: Any) -> str:
        asked[:] = arguments[2:]
        return "[]"

    monkeypatch.setattr(scanner, "told_by", told_by)
    sandbox: Any = None
    scanner.loaded_by(BEFORE, "onnx", tmp_path, sandbox)
    assert asked == ["onnxruntime"]
    scanner.loaded_by(BEFORE, "mlflow", tmp_path, sandbox)
    assert {*asked} == {"lib_lightgbm", "lightgbm", "onnxruntime", "xgboost"}
    typed = replace(BEFORE, types=("sklearn.linear_model._base.LinearRegression",))
    scanner.loaded_by(typed, "mlflow", tmp_path, sandbox)
    assert {"skops", "sklearn"} < {*asked}  # MLflow installs scikit-learn for every folder

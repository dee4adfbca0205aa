"""What the verdict ``safe`` is worth depends on the library that loads the files."""

import json
from pathlib import Path
from typing import Any

import pytest

from workers.builder import scanner
from workers.builder.libraries import libraries
from workers.builder.scanner import EVERY, untried
from workers.builder.spec import Finding, Scan

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
        ("onnxruntime", "1.24.1", "onnxruntime>=1.32"),
        ("onnxruntime-gpu", "1.9", "onnxruntime-gpu>=1.32"),
        ("xgboost", "1.5.2", "xgboost>=1.7.6"),
        ("xgboost-cpu", "3.4.1", ""),
        ("lightgbm", "2.3.1", "lightgbm>=3.3.5"),
        ("skops", "0.11", "skops>=0.16"),
        ("scikit-learn", "1.4.2", "scikit-learn>=1.5"),
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
    assert told(tmp_path) == ([f"{name} {version} is in the runtime: require {why}"] if why else [])


@pytest.mark.parametrize(
    ("name", "brings"),
    [
        ("onnxruntime-openvino", "onnxruntime/__init__.py"),
        ("ort-nightly", "onnxruntime/capi/_pybind_state.so"),
        ("xgboostwithwarmstart", "./xgboost/core.py"),
        ("boosters", "lightgbm.py"),
        ("onnxruntime-gpu", "xgboost/core.py"),
        ("odd", "other/../skops/__init__.py"),
        ("odd", '"onnxruntime/a ""quoted"" name, and a comma.py"'),
        ("other", "../../../lib64/python3.13/site-packages/skops/__init__.py"),
    ],
)
def test_another_build_of_a_library_takes_it_away_whatever_it_is_called(
    tmp_path: Path, name: str, brings: str
) -> None:
    installed(tmp_path, "onnxruntime", "1.32.0")
    installed(tmp_path, name, "99.0", "other.py", brings)
    module = next(module for module in EVERY if module in brings)
    assert told(tmp_path) == [
        f"{name} 99.0 is in the runtime: leave it out, and require {module}, "
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
        f"? ? is in the runtime: leave it out, and require {module}, with which files were tried"
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
        "? ? is in the runtime: leave it out, and require onnxruntime, with which files were tried"
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
        ("onnx", "[]", "No package of the runtime brings onnxruntime, with which files were tried"),
        ("skops", json.dumps([SKOPS]), "No package of the runtime brings sklearn, with which"),
        ("skops", json.dumps([SKOPS, ["scikit-learn", "1.7.2", "sklearn"]]), ""),
        ("mlflow", OLD, "xgboost 1.5 is in the runtime: require xgboost>=1.7.6"),
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

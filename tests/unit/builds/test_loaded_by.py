"""What the verdict ``safe`` is worth depends on the library that loads the files."""

from pathlib import Path

import pytest

from workers.builder.scanner import SAFE_FROM, SCANNER, loaded_by
from workers.builder.spec import Scan, Verdict

SAFE = Scan("safe", (), SCANNER)


def installed(runtime: Path, name: str, version: str, *brings: str) -> Path:
    """Add a package to a runtime as installers do; return the runtime."""
    stem = f"{name.replace('-', '_')}-{version}"
    about = runtime / "lib/python3.13/site-packages" / f"{stem}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    files = [*(brings or [f"{name.partition('-')[0]}/__init__.py"]), f"{stem}.dist-info/METADATA"]
    (about / "RECORD").write_text("".join(f"{file},sha256=abc,12\n" for file in files))
    return runtime


@pytest.mark.parametrize(
    ("name", "version", "verdict"),
    [
        ("onnxruntime", "1.32.0", "safe"),
        ("onnxruntime", "1.100.0", "safe"),
        ("onnxruntime", "1.32.0rc1", "code-carrying"),
        ("onnxruntime", "1.33.0.dev20261101", "code-carrying"),
        ("onnxruntime", "1.32.0+openvino", "code-carrying"),
        ("onnxruntime", "1.24.1", "code-carrying"),
        ("onnxruntime-gpu", "1.9", "code-carrying"),
        ("xgboost", "1.5.2", "code-carrying"),
        ("xgboost-cpu", "3.4.1", "safe"),
        ("lightgbm", "2.3.1", "code-carrying"),
        ("skops", "0.11", "code-carrying"),
        ("numpy", "0.1", "safe"),
    ],
)
def test_an_older_library_takes_safe_away_and_is_named(
    tmp_path: Path, name: str, version: str, verdict: Verdict
) -> None:
    installed(tmp_path, "bentoml", "1.4.40")
    told = loaded_by(SAFE, installed(tmp_path, name, version))
    assert told.verdict == verdict
    words = [finding.what for finding in told.findings]
    assert words == (
        []
        if verdict == "safe"
        else [f"{name} {version} loads it: require {name}>={SAFE_FROM[name]}"]
    )


@pytest.mark.parametrize(
    ("name", "brings"),
    [
        ("onnxruntime-openvino", "onnxruntime/__init__.py"),
        ("ort-nightly", "onnxruntime/capi/_pybind_state.so"),
        ("xgboostwithwarmstart", "xgboost/core.py"),
        ("boosters", "lightgbm.py"),
    ],
)
def test_another_build_of_a_library_takes_it_away_whatever_it_is_called(
    tmp_path: Path, name: str, brings: str
) -> None:
    installed(tmp_path, "onnxruntime", "1.32.0")
    told = loaded_by(SAFE, installed(tmp_path, name, "99.0", "other.py", brings))
    assert told.verdict == "code-carrying"
    assert [one.what.partition(",")[0] for one in told.findings] == [
        f"{name} 99.0 loads it: require {brings.partition('/')[0].partition('.')[0]}"
    ]


@pytest.mark.parametrize("name", ["onnxruntime-extensions", "onnxruntime-genai", "xgboost-ray"])
def test_what_is_called_nearly_so_and_brings_something_else_does_not(
    tmp_path: Path, name: str
) -> None:
    installed(tmp_path, name, "0.1", f"{name.replace('-', '_')}/__init__.py")
    assert loaded_by(SAFE, tmp_path) == SAFE


@pytest.mark.parametrize("verdict", ["code-carrying", "unknown", "malicious"])
def test_no_other_verdict_changes(tmp_path: Path, verdict: Verdict) -> None:
    scan = Scan(verdict, (), SCANNER)
    assert loaded_by(scan, installed(tmp_path, "onnxruntime", "1.1")) == scan

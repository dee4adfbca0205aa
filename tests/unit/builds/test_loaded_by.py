"""What the verdict ``safe`` is worth depends on the library that loads the files."""

import pytest

from workers.builder.scanner import SAFE_FROM, SCANNER, loaded_by
from workers.builder.spec import Scan, Verdict


@pytest.mark.parametrize(
    ("name", "version", "verdict"),
    [
        ("onnxruntime", "1.32.0", "safe"),
        ("onnxruntime", "1.100.0", "safe"),
        ("onnxruntime", "1.32.0rc1", "code-carrying"),
        ("onnxruntime", "1.24.1", "code-carrying"),
        ("onnxruntime-gpu", "1.9", "code-carrying"),
        ("xgboost", "1.5.2", "code-carrying"),
        ("xgboost-cpu", "3.4.1", "safe"),
        ("lightgbm", "2.3.1", "code-carrying"),
        ("numpy", "0.1", "safe"),
    ],
)
def test_an_older_library_takes_safe_away_and_is_named(
    name: str, version: str, verdict: Verdict
) -> None:
    told = loaded_by(Scan("safe", (), SCANNER), {"bentoml": "1.4.40", name: version})
    assert told.verdict == verdict
    words = [finding.what for finding in told.findings]
    assert words == (
        []
        if verdict == "safe"
        else [f"{name} {version} loads it: require {name}>={SAFE_FROM[name]}"]
    )


@pytest.mark.parametrize("name", ["onnxruntime-openvino", "onnxruntime_directml", "xgboost-gpu"])
def test_another_build_of_a_library_takes_it_away_as_well(name: str) -> None:
    told = loaded_by(Scan("safe", (), SCANNER), {name: "99.0"})
    assert told.verdict == "code-carrying"
    assert "with which files were tried" in told.findings[0].what


@pytest.mark.parametrize("verdict", ["code-carrying", "unknown", "malicious"])
def test_no_other_verdict_changes(verdict: Verdict) -> None:
    scan = Scan(verdict, (), SCANNER)
    assert loaded_by(scan, {"onnxruntime": "1.1"}) == scan

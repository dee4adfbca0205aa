"""What is counted of a whole file, so that many small things in it cost no more than a large one."""

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy
import pytest
from xgboost import DMatrix, train

from tests.support.models import booster_bytes
from tests.support.scanning import scan_bytes
from workers.builder.scanning import __main__ as scan
from workers.builder.scanning import ubjson

NOWHERE = Path("/nonexistent")


def main(folder: Path, name: str, data: bytes) -> Any:
    """Scan a file, with picklescan; return what is told."""
    (folder / "a").mkdir()
    (folder / "a" / name).write_bytes(data)
    scan.main(folder / "a", folder / "answer.json")
    return json.loads((folder / "answer.json").read_bytes())


def test_lengths_are_no_values_of_a_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree has twenty values, and three times as many lengths of names, texts and arrays."""
    booster = train({"nthread": 1}, DMatrix(numpy.eye(9), numpy.arange(9.0)), 40)
    data = booster_bytes(booster, ".ubj")
    monkeypatch.setattr(ubjson, "MAX_VALUES", 40 * 25 + 200)
    assert scan_bytes("m.ubj", data, NOWHERE).verdict() == "safe"


def test_a_forest_of_more_values_than_are_read_is_not_called_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    booster = train({"nthread": 1}, DMatrix(numpy.eye(9), numpy.arange(9.0)), 9)
    monkeypatch.setattr(ubjson, "MAX_VALUES", 99)
    report = scan_bytes("m.ubj", booster_bytes(booster, ".ubj"), NOWHERE)
    assert report.verdict() == "unknown"
    (told,) = [what for _, _, what in report.findings]
    assert told.startswith("is a model of XGBoost that may be whole")


@pytest.mark.parametrize(
    ("bound", "most", "data"),
    [
        ("MAX_LISTED", 1000, b"N." * 60),
        ("MAX_LISTED", 1000, pickle.dumps(list(range(400))) * 3),
        ("MAX_HELD", 5000, pickle.dumps(bytes(3000), 4) * 2),
    ],
    ids=["beginnings", "opcodes", "bytes"],
)
def test_picklescan_keeps_no_more_of_many_pickles_than_of_one(
    bound: str, most: int, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, bound, most)
    told = main(tmp_path, "m.pkl", data)
    assert told["verdict"] == "code-carrying"
    assert ["m.pkl", "code-carrying", scan.UNLISTED] in told["findings"]


def test_picklescan_does_not_spell_out_bytes() -> None:
    """It wrote them out for each name that they were asked for as."""
    data = pickle.dumps([b"b" * 999, bytearray(999), "text"], 5)
    values = [value for _, value, _ in scan.Room().listed(io.BytesIO(data))]
    assert "text" in values
    assert {bytes(value) for value in values if isinstance(value, bytes | bytearray)} == {b""}

"""What a scan takes grows with what it reads, and not by its square."""

import json
from pathlib import Path

import numpy
import pytest
from xgboost import DMatrix, train

from tests.support.models import booster_bytes
from tests.support.spending import spent
from workers.builder.scanning.files import scan_bytes

NOWHERE = Path("/nonexistent")


def test_json_in_an_attribute_of_xgboosts_is_read_once() -> None:
    """As people keep the names of classes: each quotation mark in it is escaped."""
    booster = train({"nthread": 1}, DMatrix(numpy.eye(9), numpy.arange(9.0)), 1)
    booster.set_attr(labels=json.dumps([f"label {number}" for number in range(16_000)]))
    data = booster_bytes(booster, ".json")
    assert data.count(b'\\"') == 32_000
    seconds, report = spent(lambda: scan_bytes("model.json", data, NOWHERE), 1)
    assert report.verdict() == "safe"
    assert seconds < 5


@pytest.mark.parametrize("line", [b"I1" + b" " * 40_000 + b"x", b"I" + b" " * 40_000 + b"x"])
def test_a_number_with_blanks_behind_it_is_read_once(line: bytes) -> None:
    seconds, report = spent(lambda: scan_bytes("a.txt", line + b"\n", NOWHERE), 1)
    assert report.verdict() == "safe"
    assert seconds < 5

"""What a scan takes grows with what it reads, and not by its square."""

import json
import pickle
from pathlib import Path

import numpy
import pytest
from xgboost import DMatrix, train

from tests.support.models import booster_bytes
from tests.support.scanning import scan_bytes
from tests.support.spending import spent
from workers.builder.scanning import __main__ as scan

NOWHERE = Path("/nonexistent")
LONG = b"a." * 500 + b"a"
NAMED = b"\x80\4\x8c\5numpy\x940X" + len(LONG).to_bytes(4, "little") + LONG + b"\x940"
LINE = b"\x80\4cnumpy\n" + b"a." * 15_000 + b"a\n\x940cbuiltins\ngetattr\n\x94\x8c\1a\x94"


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


def test_of_a_pickle_too_long_for_picklescan_the_walk_alone_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps each opcode in memory; what the walk did not follow it looks at as before."""
    monkeypatch.setattr(scan, "MAX_LISTED", 1000)
    folder, answer = tmp_path / "artifact", tmp_path / "answer.json"
    folder.mkdir()
    whole = pickle.dumps(list(range(1001)))
    (folder / "whole.pkl").write_bytes(whole)
    scan.main(folder, answer)
    told = json.loads(answer.read_bytes())
    assert told["verdict"] == "code-carrying"
    said = "is a pickle that is too long for picklescan, which did not look at it"
    assert ["whole.pkl", "code-carrying", said] in told["findings"]
    (folder / "whole.pkl").write_bytes(whole + b"cfunctools\nreduce\n")
    scan.main(folder, answer)
    told = json.loads(answer.read_bytes())
    assert not any(said == what for _, _, what in told["findings"]), "the walk did not follow it"
    assert told["verdict"] in {"unknown", "malicious"}


@pytest.mark.parametrize(
    "data",
    [
        NAMED + b"h\0h\1\x930" * 40_000,
        LINE + b"h\1h\0h\2\x86R0" * 2_000,
        b"\x80\4cnumpy\n" + b"a" * 8_000_000 + b"\n" + b"Nb" * 20_000,
    ],
    ids=["name", "attribute", "change"],
)
def test_a_long_name_that_is_asked_for_over_and_over_is_judged_once(data: bytes) -> None:
    """64 KB of dots, asked for 5,000 times in 30 KB, took half a minute."""
    seconds, report = spent(lambda: scan_bytes("m.pkl", data + b"N.", NOWHERE), 1)
    assert report.verdict() in {"code-carrying", "unknown"}
    assert seconds < 2

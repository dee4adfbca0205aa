"""Small files that take all memory, or time, of whoever reads them plainly."""

import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.support.spending import spent
from workers.builder.scanning import __main__ as scan
from workers.builder.scanning import (
    machine,
    skops_content,
)

NOWHERE = Path("/nonexistent")
DOTS = b"ca" + b"." * 200_000 + b"\nb\n."


def main(folder: Path, name: str, data: bytes) -> Any:
    """Scan a file, with picklescan; return what is told."""
    (folder / "a").mkdir()
    (folder / "a" / name).write_bytes(data)
    scan.main(folder / "a", folder / "answer.json")
    return json.loads((folder / "answer.json").read_bytes())


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (machine.MODULE, "ca" + "." * 500_000),
        (skops_content.CHECKED["verbose_feature_names_out"][0], f'"{"a" * 500_000}"'),
        (skops_content.CHECKED["verbose_feature_names_out"][0], f'"{"a" * 500_000}'),
    ],
)
def test_no_letter_of_a_long_name_is_remembered(pattern: re.Pattern[str], text: str) -> None:
    tracemalloc.start()
    try:
        pattern.fullmatch(text)
        assert tracemalloc.get_traced_memory()[1] < len(text) * 20
    finally:
        tracemalloc.stop()


def test_a_module_of_many_parts_is_not_looked_for_part_by_part(tmp_path: Path) -> None:
    """picklescan took minutes for these 200 KB."""
    (tmp_path / "0").mkdir()
    seconds, told = spent(lambda: main(tmp_path / "0", "m.pkl", DOTS), 99)
    assert told["verdict"] == "unknown"
    assert seconds < 10


def test_a_text_whose_first_line_has_many_dots_is_a_text(tmp_path: Path) -> None:
    data = b"columns," + b",".join(b"c.%d" % number for number in range(500)) + b"\n1,2\n"
    assert main(tmp_path, "a.csv", data)["verdict"] == "safe"


@pytest.mark.parametrize("data", [b"N0" * 900, b"0" * 1800], ids=["followed", "ended"])
def test_picklescan_keeps_no_more_opcodes_than_there_is_memory_for(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on where the walk has ended, and a text that calls nothing is as long for it."""
    monkeypatch.setattr(scan, "MAX_LISTED", 1000)
    told = main(tmp_path, "a.txt", data)
    assert told["verdict"] == "unknown"
    assert "too long for picklescan" in told["findings"][0][2]

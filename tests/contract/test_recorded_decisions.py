"""What was kept with decisions, as it is read and said today: ``recorded/decision_records.json``.

A record is never written anew, so what a page says of one stays the same. Who changes what is kept
gives it another version, keeps the reader of this one, and adds a record of theirs below it.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from apps.console.queries.evidence_words import summary_tone, summary_words
from apps.governance.queries.records import READERS, VERSION, ReleaseRecord, read, written

RECORDED = Path(__file__).parent / "recorded" / "decision_records.json"
ROWS: list[dict[str, Any]] = json.loads(RECORDED.read_text())


def said(record: ReleaseRecord) -> list[list[str]]:
    """Return what pages say of the evidence in it, and how good that is."""
    pins = record.evidence
    return [
        [p.kind, summary_words(p.kind, p.summary), summary_tone(p.kind, p.summary)] for p in pins
    ]


def plain(record: ReleaseRecord) -> Any:
    """Return a record as JSON has it."""
    return json.loads(json.dumps(asdict(record)))


def test_every_version_that_is_read_is_recorded() -> None:
    assert {row["document"]["v"] for row in ROWS} == set(READERS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"v{row['document']['v']}")
def test_a_record_is_read_and_said_as_it_was(row: dict[str, Any]) -> None:
    found = read(json.dumps(row["document"]))
    assert found is not None
    assert plain(found) == row["read"]
    assert said(found) == row["said"]


def test_what_is_written_today_has_the_form_of_its_version() -> None:
    (row,) = [row for row in ROWS if row["document"]["v"] == VERSION]
    found = read(json.dumps(row["document"]))
    assert found is not None
    of_another = {"salt": "", "left_out": row["document"]["left_out"]}  # counted anew, as whole
    assert json.loads(written(found)) | of_another == row["document"]


@pytest.mark.parametrize("version", [0, 2**40, "1", 1.5, True, None, [1]])
def test_a_version_without_a_reader_is_not_guessed_at(version: object) -> None:
    assert read(json.dumps(ROWS[0]["document"] | {"v": version})) is None
    assert read("[]") is None

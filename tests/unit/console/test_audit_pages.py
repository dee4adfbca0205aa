"""What the pages of the audit log and of its witnesses say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.audit.models import TimestampState, Witness, WitnessedHead, WitnessedLog, WitnessState
from apps.audit.queries import LogStanding
from apps.console.queries.event_page import ChangedRow
from apps.console.queries.events import EventLine, EventListPage
from apps.console.queries.log_search import search_of
from apps.console.queries.witnesses import LogRow, StampRow, WitnessRow, log_faults

AT = datetime(2026, 11, 28, 9, 5, 7, tzinfo=UTC)


def line(index: int, *, machine: bool = False) -> EventLine:
    """Return an event that a person, or the platform, left."""
    return EventLine(index, AT, "release.requested.v1", "", "Ada", machine=machine)


def log(lines: list[EventLine], size: int = 1234, signed: int | None = None) -> EventListPage:
    """Return a page of a log of ``size`` events, of which ``signed`` are signed."""
    at = None if signed is None else AT
    return EventListPage(lines, None, LogStanding(size, 0, None, "", signed or 0, at))


def test_events_are_counted_and_those_that_are_signed() -> None:
    assert log([], size=1).counted == "1 event"
    assert log([], signed=1200).counted == "1,234 events, signed up to 1,200"


def test_four_steps_of_the_platform_in_a_row_are_one_line() -> None:
    rows = [line(9), *(line(n, machine=True) for n in (8, 7, 6, 5)), line(4), line(3, machine=True)]
    found = log(rows).runs
    assert [(len(run.lines), run.is_folded) for run in found] == [
        (1, False),
        (4, True),
        (1, False),
        (1, False),
    ]
    assert found[1].leaves == "events 5 to 8"


def test_many_lines_of_people_stay_lines() -> None:
    (run,) = log([line(n) for n in range(9, 0, -1)]).runs
    assert not run.is_folded


@pytest.mark.parametrize(
    ("made", "gone", "said"),
    [(True, False, "made"), (False, True, "removed"), (False, False, "changed")],
)
def test_a_row_of_an_event_says_what_became_of_it(made: bool, gone: bool, said: str) -> None:
    assert ChangedRow("release rel_1", [], made, gone).change == said


def witness(**state: Any) -> WitnessRow:
    """Return a witness in this state."""
    row = Witness(name="office", kind="s3", address="s3://a/b", retain_days=3650)
    WitnessState(witness=row, **state)
    return WitnessRow(row, 10)


def test_a_witness_says_where_it_is_and_how_long_it_keeps() -> None:
    row = witness()
    assert row.where == "Keeps locked objects: s3://a/b, locked for 3,650 days"
    row.witness.retain_days = 1
    assert row.where.endswith(", locked for 1 day")
    row.witness.retain_days = 0
    assert row.where == "Keeps locked objects: s3://a/b"


def test_what_others_show_about_the_log_stands_above_everything_else() -> None:
    stamps = [
        StampRow(TimestampState(authority="a", fault=fault, sentence="It said 9"), 10)
        for fault in ("", "clock", "late")
    ]
    rows = [witness(), witness(fault="forked", sentence="It saw another root")]
    assert [(f.tone, f.title, f.text) for f in log_faults(rows, stamps)] == [
        ("danger", "Witnesses have a different history of this log.", "It saw another root."),
        ("danger", "A time stamp contradicts this log.", "It said 9."),
        ("warning", "The log's time stamps are too old.", "It said 9."),
    ]


@pytest.mark.parametrize(
    ("head", "said", "shows_when"),
    [
        (None, "Nothing shown yet", False),
        (WitnessedHead(size=7), "Nothing shown yet", False),
        (WitnessedHead(size=7, cosigned_at=AT), "Co-signed", True),
        (WitnessedHead(size=7, cosigned_at=AT, fork="other"), "Showed two histories", False),
    ],
)
def test_a_log_of_others_says_how_it_stands(
    head: WitnessedHead | None, said: str, shows_when: bool
) -> None:
    row = LogRow(WitnessedLog(origin="other"), head)
    assert (row.sign.text, row.cosigned_at is not None) == (said, shows_when)
    assert row.size == (7 if head else 0)


def test_a_stamp_says_its_time_and_where_it_is() -> None:
    row = StampRow(TimestampState(authority="tsa", size=7, at=AT), 10)
    assert (row.said, row.url) == ("2026-11-28 09:05:07 UTC", "/api/v1/audit/timestamps/7/tsa")
    none = StampRow(TimestampState(authority="tsa"), 10)
    assert (none.said, none.url) == ("–", "")


@pytest.mark.parametrize(
    ("since", "until", "begins", "ends"),
    [
        ("2026-11-01", "2026-11-02", "2026-11-01T00:00:00+00:00", "2026-11-03T00:00:00+00:00"),
        (
            "2026-11-01T08:30",
            "2026-11-01T09:00:30",
            "2026-11-01T08:30:00+00:00",
            "2026-11-01T09:00:30+00:00",
        ),
        (
            "2026-11-01T08:30+02:00",
            "2026-11-01T09:00Z",
            "2026-11-01T06:30:00+00:00",
            "2026-11-01T09:00:00+00:00",
        ),
        ("2026-02-30", "2026-11-01T25:00", None, None),
        ("soon", "9999-12-31", None, None),
        ("0001-01-01T00:00+14:00", "", None, None),
    ],
)
def test_the_log_is_narrowed_to_times_and_still_to_whole_days(
    since: str, until: str, begins: str | None, ends: str | None
) -> None:
    asked = search_of({"since": since, "until": until})
    found = {"since": begins, "until": ends}
    assert asked.parameters == {name: at for name, at in found.items() if at}

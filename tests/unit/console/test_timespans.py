"""The line of what served behind an endpoint: where, how high, and in words."""

from datetime import UTC, datetime, timedelta

from apps.assurance.periods import Moment, Period, Share
from apps.assurance.queries.approved import Approved
from apps.assurance.queries.as_of import RevisionHistory
from apps.console.charts import LANE, timespans
from apps.console.queries.served_lines import ServedLine, ServedLines

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def moment(days: int) -> Moment:
    return Moment(days, BEGIN + timedelta(days=days))


def history(number: int, *periods: tuple[int, int | None, int]) -> RevisionHistory:
    rows = [
        Period(moment(begin), moment(end) if end is not None else None, Share(weight))
        for begin, end, weight in periods
    ]
    return RevisionHistory(f"rev_{number}", number, rows, Approved(model="churn", version=number))


def test_a_canary_stands_above_what_it_may_replace() -> None:
    old = history(1, (-5, 10, 10_000), (10, 20, 4_000))
    new = history(2, (10, 20, 6_000), (20, None, 10_000))
    line = timespans([new, old], BEGIN, BEGIN + timedelta(days=100))
    drawn = [(s.x, s.width, s.y, s.height, s.tone, s.label) for s in line.spans]
    assert drawn == [
        (0.0, 10.0, 0.0, LANE, "odd", "1"),
        (10.0, 10.0, 0, 15.6, "even", "2"),
        (10.0, 10.0, 15.6, 10.4, "odd", ""),
        (20.0, 80.0, 0.0, LANE, "even", "2"),
    ]
    assert line.words.startswith("Revision 1 (churn:1), 100%, from 2026-02-24 00:00:00 until")
    assert line.words.endswith("100%, from 2026-03-21 00:00:00 UTC and still")


def test_what_was_brief_is_seen_and_what_only_testers_got_looks_different() -> None:
    tried = history(3, (50, 50, 0))
    (span,) = timespans([tried], BEGIN, BEGIN + timedelta(days=100)).spans
    assert (span.width, span.height, span.tone) == (0.2, 3.0, "tried")


def test_a_revision_has_gaps_where_it_had_no_requests_and_then_some_again() -> None:
    until = BEGIN + timedelta(days=100)
    rows = [
        history(1, (0, 10, 10_000), (20, None, 10_000)),
        history(2, (10, 20, 6_000), (20, None, 10_000)),
        history(3, (0, 5, 10_000), (5, 10, 0), (10, 12, 1_000)),
        history(4, (5, 10, 0), (20, 30, 10_000)),
    ]
    lines = ServedLines([ServedLine(row, BEGIN, until) for row in rows], BEGIN, until, "")
    assert lines.gapped == {1, 3}

"""How it stands that somebody was asked by name to review a release."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.governance.rules import review_request_state

NOW = datetime(2026, 12, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("is_answered", "waits", "due_at", "state"),
    [
        (False, True, None, "asked"),
        (False, True, NOW + HOUR, "asked"),
        (False, True, NOW, "overdue"),
        (False, True, NOW - HOUR, "overdue"),
        (True, True, NOW - HOUR, "decided"),
        (True, False, None, "decided"),
        (False, False, NOW - HOUR, "closed"),
    ],
)
def test_an_answer_counts_first_then_whether_anything_waits_then_the_date(
    is_answered: bool, waits: bool, due_at: datetime | None, state: str
) -> None:
    found = review_request_state(is_answered=is_answered, waits=waits, due_at=due_at, now=NOW)
    assert found == state

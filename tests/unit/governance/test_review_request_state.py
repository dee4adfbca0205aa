"""How it stands that somebody was asked by name to review a release."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.governance.rules import review_request_state

NOW = datetime(2026, 12, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("is_answered", "waits", "decides", "due_at", "state"),
    [
        (False, True, True, None, "asked"),
        (False, True, True, NOW + HOUR, "asked"),
        (False, True, True, NOW, "overdue"),
        (False, True, True, NOW - HOUR, "overdue"),
        (False, True, False, NOW - HOUR, "cannot_decide"),
        (False, True, False, None, "cannot_decide"),
        (True, True, False, NOW - HOUR, "decided"),
        (True, False, True, None, "decided"),
        (False, False, False, NOW - HOUR, "closed"),
    ],
)
def test_an_answer_counts_first_then_whether_anything_waits_then_who_can_decide_then_the_date(
    is_answered: bool, waits: bool, decides: bool, due_at: datetime | None, state: str
) -> None:
    found = review_request_state(
        is_answered=is_answered, waits=waits, decides=decides, due_at=due_at, now=NOW
    )
    assert found == state

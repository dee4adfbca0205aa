"""Which of the attempts before a release is the worst, and how it is said."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from apps.rollouts.attempts import Attempt, worst_of

AT = datetime(2026, 6, 3, 12, tzinfo=UTC)
SAID: dict[str, Any] = {
    "release": "rel_1",
    "number": 1,
    "environment": "production",
    "endpoint": "churn",
    "is_same_build": True,
    "is_own": False,
    "requested_by": "per_ada",
    "requester_name": "Ada",
    "requested_at": AT,
    "decisions": (),
    "rollout": "rlo_1",
    "outcome": "aborted",
    "by": "per_omar",
    "by_name": "Omar",
    "role": "",
    "reason": "latency doubled",
    "at": AT,
    "first_live_at": None,
    "live_at": None,
    "ended_at": AT,
    "recall": "",
    "passed_over": (),
}


def attempt(**changes: Any) -> Attempt:
    return Attempt(**SAID | changes)


def asked(**changes: Any) -> Any:
    """Return a release to production that waits."""
    here = {"environment": SimpleNamespace(name="production")}
    here["endpoint"] = SimpleNamespace(name="churn")
    return SimpleNamespace(**{"approved_at": None, "ended_at": None, **here, **changes})


def sentence(*rows: Attempt, **release: Any) -> str:
    worst = worst_of(rows, asked(**release))
    return worst.sentence if worst else ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "An earlier rollout of this version to production was aborted by Omar on 3 June 2026: "
            "“latency doubled”",
        ),
        (
            {"outcome": "failed", "by": "", "by_name": "", "reason": "p95 is worse than allowed"},
            "An earlier rollout of this version to production failed on 3 June 2026: p95 is worse "
            "than allowed",
        ),
        (
            {"outcome": "rolled_back", "by": "system", "by_name": "Placet", "reason": ""},
            "An earlier release of this version to production was rolled back by Placet on 3 June "
            "2026.",
        ),
        (
            {"outcome": "rejected", "role": "approver", "endpoint": "other"},
            "An earlier release of this version to production / other was rejected by Omar (as "
            "approver) on 3 June 2026: “latency doubled”",
        ),
        (
            {"outcome": "revoked", "by": "", "by_name": "", "reason": "", "is_same_build": False},
            "An earlier release of another build of this version to production was revoked by a "
            "recall on 3 June 2026.",
        ),
        (
            {"is_own": True},
            "An earlier rollout of this release was aborted by Omar on 3 June 2026: “latency "
            "doubled”",
        ),
    ],
)
def test_the_worst_is_said_in_one_sentence(changes: dict[str, Any], said: str) -> None:
    assert sentence(attempt(**changes)) == said


@pytest.mark.parametrize("outcome", ["live", "superseded", "withdrawn", "expired", "retired"])
def test_of_what_did_not_end_badly_nothing_is_said(outcome: str) -> None:
    assert sentence(attempt(outcome=outcome)) == ""


def test_the_worse_goes_before_the_later_and_the_same_environment_before_both_of_equals() -> None:
    later = AT + timedelta(days=1)
    rejected = attempt(outcome="rejected", at=later)
    back = attempt(outcome="rolled_back", environment="staging")
    assert "rolled back" in sentence(rejected, back, attempt())
    staging = attempt(environment="staging", at=later)
    assert "to production was aborted" in sentence(staging, attempt(), rejected)
    assert "to staging was aborted" in sentence(staging)
    assert "failed" in sentence(attempt(), attempt(outcome="failed", at=later))


def test_what_came_after_the_decision_is_told_only_of_its_own_rollouts() -> None:
    before = AT - timedelta(hours=1)
    assert sentence(attempt(), approved_at=before) == ""
    assert sentence(attempt(), approved_at=AT) != ""
    assert "this release" in sentence(attempt(is_own=True), approved_at=before)

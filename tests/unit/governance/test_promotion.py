"""When a request opens by itself: as the gate ``soaked`` of the next policy says, and only where
people decide."""

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.governance import promotion
from apps.governance.gates.facts import SoakFact
from apps.governance.promotion import Soak, fault, soak, soak_gates, wanted

NOW = datetime(2030, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
APPROVALS = {"gate": "approvals", "role": "approver", "count": 1}


def soaked(environment: str = "staging", lasting: str = "24h") -> dict[str, Any]:
    """Return a gate as policies store it."""
    return {"gate": "soaked", "environment": environment, "for": lasting}


def policy(*gates: dict[str, Any]) -> dict[str, Any]:
    """Return a policy's document."""
    return {"version": 1, "gates": list(gates)}


def live(hours: float, ended: float | None = None) -> SoakFact:
    """Return a stretch that began so many hours ago, and ended so many ago or goes on."""
    return SoakFact("rel_1", NOW - hours * HOUR, None if ended is None else NOW - ended * HOUR)


def test_what_has_been_live_as_long_as_the_next_policy_says_has_soaked() -> None:
    assert soak(policy(soaked()), "staging", [live(25)], NOW) == Soak(passed=True)


def test_what_soaks_still_says_when_it_will_have() -> None:
    waits = soak(policy(soaked()), "staging", [live(21)], NOW)
    assert waits == Soak(passed=False, passes_at=NOW + 3 * HOUR)


def test_of_several_gates_the_last_one_counts() -> None:
    both = policy(soaked(lasting="1h"), soaked(lasting="24h"))
    assert soak(both, "staging", [live(2)], NOW) == Soak(passed=False, passes_at=NOW + 22 * HOUR)
    assert wanted(both, "staging") == "1 d"


def test_a_gate_about_another_environment_is_for_people_to_look_at() -> None:
    both = policy(soaked(), soaked("ward", "7d"))
    assert soak(both, "staging", [live(25)], NOW).passed
    assert len(soak_gates(both, "staging")) == 1


def test_what_ended_too_early_never_will_have_by_waiting() -> None:
    assert soak(policy(soaked()), "staging", [live(25, 20)], NOW) == Soak(passed=False)
    assert soak(policy(soaked()), "staging", [], NOW) == Soak(passed=False)


def test_a_policy_without_the_gate_opens_nothing() -> None:
    assert soak(policy(APPROVALS), "staging", [live(99)], NOW) == Soak(passed=False)
    assert "asks for no soaking in staging" in fault(policy(APPROVALS), "staging", "production")
    assert fault(None, "staging", "production") == "production has no policy: publish one first"


def test_a_policy_that_asks_nobody_opens_nothing() -> None:
    assert "asks nobody to approve" in fault(policy(soaked()), "staging", "production")
    assert fault(policy(soaked(), APPROVALS), "staging", "production") == ""


def test_there_is_one_thing_after_which_a_request_opens() -> None:
    assert promotion.AFTER == "soaked"

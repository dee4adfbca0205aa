"""What the page of a release says before anything else, for each way it can stand."""

from types import SimpleNamespace
from typing import Any

import pytest

from apps.console.queries.release_parts import replicas, serving_words, signs, way_back

PLAN = {"keep_warm_seconds": 3600, "ready_timeout_seconds": 300}


def view(**members: Any) -> Any:
    """Return a release's view with these members alone."""
    return SimpleNamespace(**{"failing": [], "missing_roles": (), "live": None} | members)


def placed(state: str, compared_with: str, plan: dict[str, Any]) -> Any:
    """Return a view of a release with a plan, beside what is live or nothing."""
    live = SimpleNamespace(version=compared_with) if compared_with else None
    changes = SimpleNamespace(compared_with=compared_with)
    return view(release=SimpleNamespace(state=state, plan=plan), live=live, changes=changes)


@pytest.mark.parametrize(
    ("failing", "roles", "said"),
    [
        ([], (), ["Waiting for the gates"]),
        ([], ("reviewer", "approver"), ["Waiting for a reviewer and an approver"]),
        (["Scanned"], (), ["A gate has failed: Scanned"]),
        (
            ["Scanned", "Fresh"],
            ("approver",),
            ["Gates have failed: Scanned, Fresh", "Waiting for an approver"],
        ),
    ],
)
def test_what_holds_a_release_back_is_named(
    failing: list[str], roles: tuple[str, ...], said: list[str]
) -> None:
    gates = [{"title": title} for title in failing]
    found = signs(view(failing=gates, missing_roles=roles))
    assert [sign.text for sign in found] == said
    assert [sign.tone for sign in found] == ["fail"] * bool(failing) + ["wait"] * (
        len(found) - bool(failing)
    )


def test_replicas_are_counted() -> None:
    assert replicas({"replicas": 1, "memory_mb": 512}, " of ") == "1 replica of 512 MB"
    assert replicas({"replicas": 2, "memory_mb": 2048}, " · ") == "2 replicas · 2\u202f048 MB"


def test_what_is_not_said_of_serving_is_not_there() -> None:
    assert list(serving_words({"replicas": 1, "memory_mb": 512})) == ["1 replica · 512 MB"]


def test_the_way_back_is_what_would_happen() -> None:
    warm = way_back(placed("requested", "churn:1", PLAN))
    assert warm.startswith("churn:1 keeps serving until the new replicas are ready")
    assert "stays warm for 1 h" in warm
    assert way_back(placed("live", "", PLAN)).startswith("Going back is one click on the endpoint")
    nothing = way_back(placed("approved", "", PLAN))
    assert "if it does not become ready within 5 min, nothing serves" in nothing

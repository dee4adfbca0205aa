"""What the page of a release says before anything else, for each way it can stand."""

from types import SimpleNamespace
from typing import Any

import pytest

from apps.console.queries.release_parts import (
    ServingRow,
    network,
    replicas,
    serving_words,
    signs,
    way_back,
)

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


@pytest.mark.parametrize(
    ("egress", "shared", "said"),
    [
        (None, "", "Older isolation: the host's network"),
        (["a:443"], "", ""),
        (["a:443"], "it is shared", "asks to reach a:443 and nothing else, but it is shared"),
        ([], "it is shared", "asks to reach nothing, but it is shared"),
    ],
)
def test_a_network_that_is_not_kept_is_said(egress: Any, shared: str, said: str) -> None:
    serving = {} if egress is None else {"egress": egress}
    found = network(view(release=SimpleNamespace(serving=serving), shared_network=shared))
    assert (found.text if found else "") == said


@pytest.mark.parametrize(
    ("name", "before", "after", "title", "sides"),
    [
        ("memory_mb", 1024, 2048, "Memory, MB", ["1\u202f024", "2\u202f048"]),
        ("egress", None, ["a", "b"], "May reach", ["the host's network (older isolation)", "a, b"]),
        ("capture", None, None, "Capture", ["none", "none"]),
        ("unit", None, None, "Unit", ["each request", "each request"]),
        ("variables", None, {"A": "1"}, "Variables", [None, {"A": "1"}]),
    ],
)
def test_what_changes_of_serving_is_said(
    name: str, before: Any, after: Any, title: str, sides: list[Any]
) -> None:
    row = ServingRow(name, before, after)
    assert (row.title, row.sides) == (title, sides)

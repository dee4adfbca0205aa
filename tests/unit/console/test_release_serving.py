"""What the page of a release says of its serving configuration."""

from typing import Any

import pytest

from apps.console.queries.release_changes import ServingRow
from apps.console.queries.release_parts import replicas, serving_words
from apps.governance.queries.records import PinnedThen


def test_replicas_are_counted() -> None:
    assert replicas({"replicas": 1, "memory_mb": 512}) == "1 replica of 512 MB"
    assert list(serving_words({"replicas": 2, "memory_mb": 2048})) == ["2 replicas · 2,048 MB"]


def test_an_approver_reads_between_how_many_replicas_it_is_scaled_and_for_what_load() -> None:
    serving = {"replicas": 2, "max_replicas": 8, "memory_mb": 512, "egress": []}
    serving |= {"target_inflight": 4, "min_replicas": 1}
    assert replicas(serving) == "2 replicas of 512 MB, scaled by load: 1 to 8"
    said = " · ".join(serving_words(serving))
    assert said.endswith("scaled by load: 1 to 8 replicas, for 4 requests in flight each")


@pytest.mark.parametrize(
    ("server", "summary", "says"),
    [
        (None, {"cold_start_seconds": 2.14}, "the smoke test's start took 2.1 s"),
        ("slim", {"cold_start_seconds": 9.0, "slim_cold_start_seconds": 0.8}, "took 0.8 s"),
        (None, {"result": "equal"}, "how long it takes to wake was not measured"),
        ("slim", {"cold_start_seconds": 9.0}, "how long it takes to wake was not measured"),
    ],
)
def test_an_approver_reads_that_it_sleeps_and_how_long_it_takes_to_wake(
    server: str | None, summary: dict[str, Any], says: str
) -> None:
    serving = {"replicas": 1, "max_replicas": 3, "memory_mb": 512, "egress": []}
    serving |= {"target_inflight": 4, "min_replicas": 0} | ({"server": server} if server else {})
    pinned = PinnedThen("smoke_test", "measured", "sha256:0", summary)
    reported = PinnedThen("smoke_test", "reported", "sha256:1", {"cold_start_seconds": 0.001})
    said = replicas(serving, [reported, pinned])
    assert "scaled by load: 0 to 3; it sleeps when nobody calls" in said
    assert said.endswith(says)
    assert "it sleeps when nobody calls" in " · ".join(serving_words(serving))


def test_what_is_not_said_of_serving_is_not_there() -> None:
    assert list(serving_words({"replicas": 1, "memory_mb": 512})) == ["1 replica · 512 MB"]


@pytest.mark.parametrize(
    ("name", "before", "after", "title", "sides"),
    [
        ("memory_mb", 1024, 2048, "Memory (MB)", ["1,024", "2,048"]),
        (
            "egress",
            None,
            ["a", "b"],
            "Outbound access",
            ["the host's network (older isolation)", "a, b"],
        ),
        ("capture", None, None, "Capture", ["none", "none"]),
        ("unit", None, None, "Unit", ["each request", "each request"]),
        (
            "target_inflight",
            None,
            1,
            "Scaled by load",
            ["no", "to 1 request in flight per replica"],
        ),
        (
            "target_inflight",
            4,
            1000,
            "Scaled by load",
            ["to 4 requests in flight per replica", "to 1,000 requests in flight per replica"],
        ),
        ("min_replicas", None, 1, "Min replicas", ["not set", "1"]),
        ("min_replicas", 1, 0, "Min replicas", ["1", "0: it sleeps when nobody calls"]),
        ("variables", None, {"A": "1"}, "Variables", [None, {"A": "1"}]),
    ],
)
def test_what_changes_of_serving_is_said(
    name: str, before: Any, after: Any, title: str, sides: list[Any]
) -> None:
    row = ServingRow(name, before, after)
    assert (row.title, row.sides) == (title, sides)

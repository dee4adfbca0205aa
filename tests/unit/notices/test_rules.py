"""When digests come, and which choice counts."""

from datetime import UTC, datetime

import pytest

from apps.notices.rules import CONCERNS, KINDS, WAYS, chosen_way, concerns_of, due, ways_of


@pytest.mark.parametrize(
    ("way", "at", "comes"),
    [
        ("now", (3, 12, 0), (3, 12, 0)),
        ("daily", (3, 6, 59), (3, 7, 0)),
        ("daily", (3, 7, 0), (4, 7, 0)),
        ("daily", (3, 23, 0), (4, 7, 0)),
    ],
)
def test_a_digest_comes_at_the_next_seven(
    way: str, at: tuple[int, int, int], comes: tuple[int, int, int]
) -> None:
    assert due(way, datetime(2026, 12, *at, tzinfo=UTC)) == datetime(2026, 12, *comes, tzinfo=UTC)


@pytest.mark.parametrize(
    ("chosen", "way"),
    [
        ({}, "daily"),
        ({"": "now"}, "now"),
        ({"": "now", "prj_1": "none"}, "none"),
        ({"": "none", "prj_2": "now"}, "none"),
    ],
)
def test_the_choice_for_the_project_counts_before_the_others(
    chosen: dict[str, str], way: str
) -> None:
    assert chosen_way("watched", chosen, "prj_1") == way


def test_requested_changes_are_no_usual_decision() -> None:
    assert concerns_of("release.decided.v1", {"verdict": "request_changes"})[0][0] == "changes"
    assert concerns_of("release.decided.v1", {"verdict": "approve"})[0][0] == "watched"
    assert concerns_of("session.opened.v1", {}) == ()


def test_every_kind_is_told_in_a_way_that_there_is_and_of_something() -> None:
    told = {kind for concerns in CONCERNS.values() for kind, _ in concerns}
    assert told | {"changes", "token"} == set(KINDS)
    for kind in KINDS.values():
        assert kind.usual in WAYS
        assert [words for _, words in ways_of(kind) if words.endswith("(usual)")]

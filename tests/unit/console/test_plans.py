"""A plan as a picture."""

import pytest

from apps.console.queries.plans import BASE, TOP, WIDTH, picture
from apps.governance.plan import Pause, Plan, SetHeaderRoute, SetMirror, SetWeight
from apps.rollouts.steps import AT_ONCE

STEPS = (SetWeight(5), Pause(duration_seconds=600), SetWeight(50), Pause(), SetWeight(100))


def test_each_weight_is_a_stair_that_says_how_long_it_lasts() -> None:
    drawn = picture(STEPS)
    assert [(s.percent, s.holds) for s in drawn.stairs] == [
        (5, ["10 min"]),
        (50, ["manual"]),
        (100, []),
    ]
    assert drawn.says == "5% for 10 min, then 50% until resumed manually, then 100%"


def test_a_pause_before_any_weight_is_a_stair_of_nothing() -> None:
    drawn = picture((Pause(), SetWeight(100)))
    assert [(s.percent, s.holds) for s in drawn.stairs] == [(0, ["manual"]), (100, [])]
    assert [s.percent for s in picture(AT_ONCE).stairs] == [100]


def test_testers_and_copies_stand_with_the_weight_that_they_come_beside() -> None:
    steps = (
        SetHeaderRoute(header="X-Try", value="v2"),
        Pause(),
        SetWeight(5),
        SetMirror(percent=10),
    )
    drawn = picture(steps)
    assert [stair.aside for stair in drawn.stairs] == [["testers"], ["10% copied"]]
    assert all(stair.above > TOP for stair in drawn.stairs)
    assert drawn.says == (
        "0% with testers by X-Try until resumed manually, then 5% with copies of 10%"
    )
    (whole,) = picture((SetWeight(100), SetMirror(percent=10))).stairs
    assert whole.above == 0  # there is no room


def test_the_stairs_fill_the_picture_and_stay_inside() -> None:
    stairs = picture(STEPS).stairs
    assert all(s.x >= 0 and s.x + s.width <= WIDTH and s.y >= TOP for s in stairs)
    assert all(abs(s.y + s.height - BASE) < 0.11 for s in stairs)
    heights = [s.height for s in stairs]
    assert heights == sorted(heights)


def test_many_stairs_have_no_room_for_words() -> None:
    assert not picture(STEPS).dense
    assert picture([SetWeight(n) for n in range(1, 30)]).dense


@pytest.mark.parametrize(
    ("states", "seen"),
    [
        (["now", "", "", "", ""], ["now", "", ""]),
        (["done", "now", "", "", ""], ["now", "", ""]),
        (["done", "done", "failed", "", ""], ["done", "failed", ""]),
        (["skipped", "skipped", "done", "now", ""], ["skipped", "now", ""]),
        (["done", "skipped", "done", "done", "done"], ["done", "done", "done"]),
        ([], ["", "", ""]),
    ],
)
def test_a_stair_shows_how_far_it_is(states: list[str], seen: list[str]) -> None:
    assert [s.state for s in picture(STEPS, states).stairs] == seen


def test_an_ab_test_holds_its_allocation_until_it_is_shipped() -> None:
    drawn = picture(Plan.read({"strategy": "ab_test"}).steps)
    assert [(stair.percent, stair.holds) for stair in drawn.stairs] == [
        (50, ["A/B test"]),
        (100, []),
    ]
    assert drawn.says == ("50% until the effect is shown and an approver ships it, then 100%")


def test_a_stair_has_words_where_there_is_room() -> None:
    steps = (SetWeight(5), SetMirror(percent=10), Pause(duration_seconds=600), SetWeight(100))
    first, last = picture(steps).stairs
    assert [(t.words, t.css) for t in first.texts] == [
        ("5%", ""),
        ("10% copied", "hold"),
        ("10 min", "hold"),
    ]
    assert [t.words for t in last.texts] == ["100%"]
    many = picture([SetWeight(n) for n in range(1, 30)]).stairs
    assert [t.words for t in many[2].texts] == ["3"]


@pytest.mark.parametrize("analysis_first", [True, False])
def test_an_analysis_beside_a_pause_is_drawn_too_and_what_it_asks_is_said(
    analysis_first: bool,
) -> None:
    analysis = {"analysis": {"metrics": [{"metric": "error_rate", "margin": 0.02}]}}
    beside = [analysis, {"pause": {"duration_seconds": 60}}]
    beside = beside if analysis_first else beside[::-1]
    steps = [{"set_weight": 50}, *beside, {"set_weight": 100}]
    drawn = picture(Plan.read({"strategy": "canary", "steps": steps}).steps)
    half, whole = drawn.stairs
    assert sorted(half.holds) == ["1 min", "analysis"]
    assert [t.words for t in half.texts][1:] == half.holds
    assert whole.holds == []
    assert max(text.y for text in half.texts) < drawn.height
    assert "until the analysis passes" in drawn.says and "for 1 min" in drawn.says
    assert drawn.analyses == ["Analysis at 50%: server errors at most 2 points over stable"]

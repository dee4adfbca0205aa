"""Plans: what is taken, what is filled in, and what is refused by which sentence."""

from typing import Any

import pytest

from apps.governance.plan import PRESETS, DocumentFault, Plan
from apps.governance.queries.presets import BUILT_IN, TITLES, title_of
from tests.support.documents import plan_document

LAST = {"set_weight": 100}
LOOK = {"analysis": {"metrics": [{"metric": "error_rate"}]}}
BOUND = {"analysis": {"metrics": [{"metric": "error_rate", "at_most": 0.02}]}}
TRY = {"header": "X-Try", "value": "v2"}
SECRET = {"header": "Cookie", "value": "v2"}


def faults(document: Any) -> list[tuple[str, str]]:
    """Return what is wrong with a plan."""
    with pytest.raises(DocumentFault) as caught:
        plan_document(document)
    return caught.value.faults


@pytest.mark.parametrize("name", PRESETS)
def test_a_strategy_alone_is_a_preset_and_a_preset_is_a_valid_plan(name: str) -> None:
    made = plan_document({"strategy": name})
    assert made["steps"] == PRESETS[name]
    assert plan_document({**made}) == made


def test_the_careful_canary_rises_from_one_percent_with_an_analysis_at_each() -> None:
    steps = plan_document({"strategy": "canary"})["steps"]
    assert [s["set_weight"] for s in steps if "set_weight" in s] == [1, 5, 25, 50, 100]
    assert [next(iter(s)) for s in steps] == ["set_weight", "analysis"] * 4 + ["set_weight"]


def test_what_older_plans_said_is_read_as_replace() -> None:
    assert plan_document({"strategy": "switch"})["strategy"] == "replace"
    old = {"strategy": "switch", "start": "manual"}
    assert (Plan.stored(old).strategy, Plan.stored(old).document["steps"]) == ("replace", [LAST])


def test_what_was_stored_is_held_to_no_bound_of_today() -> None:
    """It was judged when it came; whoever tightens a bound stops nothing that goes out."""
    steps = [
        {"set_weight": 5},
        {"pause": {"duration_seconds": 10**9}},
        {"analysis": {**LOOK["analysis"], "minimum_requests": 0, "timeout_seconds": 1}},
        {"set_header_route": {"header": "Cookie", "value": "v2"}},
    ] * 20
    old = {"steps": steps, "ready_timeout_seconds": 1, "guard": {"consecutive_failures": 1}}
    assert faults({"strategy": "canary", **old})
    read = Plan.stored({**old, "another": "member"})
    assert len(read.steps) == 80
    assert (read.ready_timeout_seconds, read.guard_entry) == (1, {"consecutive_failures": 1})


@pytest.mark.parametrize(
    ("steps", "whole"),
    [
        ([{"set_weight": 5}], [{"set_weight": 5}, LAST]),
        ([{"set_weight": 5.0}, {"pause": {}}], [{"set_weight": 5}, {"pause": {}}, LAST]),
        ([{"set_weight": 33.33}, LAST], [{"set_weight": 33.33}, LAST]),
        ([{"set_weight": 0.01}, LAST], [{"set_weight": 0.01}, LAST]),
        (
            [{"set_weight": 10}, {"pause": {"duration_seconds": 5}}, LAST, {"pause": {}}],
            [{"set_weight": 10}, {"pause": {"duration_seconds": 5}}, LAST, {"pause": {}}],
        ),
    ],
)
def test_steps_are_completed_to_the_whole(steps: list[Any], whole: list[Any]) -> None:
    assert plan_document({"strategy": "canary", "steps": steps})["steps"] == whole


def test_an_analysis_against_a_bound_may_follow_the_last_weight() -> None:
    made = plan_document({"strategy": "canary", "steps": [{"set_weight": 5}, LAST, BOUND]})
    assert list(made["steps"][-1]) == ["analysis"]


def test_blue_green_may_say_how_long_it_waits() -> None:
    pause = {"pause": {"duration_seconds": 60}}
    made = plan_document({"strategy": "blue_green", "steps": [pause]})
    assert made["steps"] == [pause, LAST]


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        ("canary", [{"set_header_route": TRY}, {"pause": {}}, {"set_weight": 5}, LAST]),
        ("canary", [{"set_weight": 5}, {"set_mirror": {"percent": 33.33}}, {"pause": {}}, LAST]),
        ("blue_green", [{"set_header_route": TRY}, {"pause": {}}, LAST]),
        (
            "shadow",
            [{"set_mirror": {"percent": 1}}, {"pause": {}}, {"set_mirror": {"percent": 0}}, LAST],
        ),
    ],
)
def test_a_revision_may_be_tried_out_beside_its_weight(strategy: str, steps: Any) -> None:
    assert plan_document({"strategy": strategy, "steps": steps})["steps"] == steps


@pytest.mark.parametrize(
    ("strategy", "steps", "pointer"),
    [
        ("canary", [], ""),
        ("canary", {"set_weight": 5}, ""),
        ("canary", [{"set_weight": n} for n in range(1, 60)], ""),
        ("canary", ["set_weight"], "/0"),
        ("canary", [{}], "/0"),
        ("canary", [{"set_weight": 5, "pause": {}}], "/0"),
        ("canary", [{"yolo": 5}], "/0/yolo"),
        ("canary", [{"set_weight": 0}], "/0/set_weight"),
        ("canary", [{"set_weight": -1}], "/0/set_weight"),
        ("canary", [{"set_weight": 100.01}], "/0/set_weight"),
        ("canary", [{"set_weight": True}], "/0/set_weight"),
        ("canary", [{"set_weight": "5"}], "/0/set_weight"),
        ("canary", [{"set_weight": None}], "/0/set_weight"),
        ("canary", [{"set_weight": float("nan")}], "/0/set_weight"),
        ("canary", [{"set_weight": float("inf")}], "/0/set_weight"),
        ("canary", [{"set_weight": 10**400}], "/0/set_weight"),
        ("canary", [{"set_weight": 5.005}], "/0/set_weight"),
        ("canary", [{"set_weight": 100}], "/0/set_weight"),
        ("canary", [{"set_weight": 5}, {"set_weight": 5}], "/1/set_weight"),
        ("canary", [{"set_weight": 50}, {"pause": {}}, {"set_weight": 5}], "/2/set_weight"),
        ("canary", [{"pause": {}}, {"set_weight": 5}], "/0"),
        ("canary", [{"set_weight": 5}, {"pause": {}}, {"pause": {}}], "/2"),
        ("canary", [{"set_weight": 5}, {"pause": None}], "/1/pause"),
        ("canary", [{"set_weight": 5}, {"pause": 60}], "/1/pause"),
        ("canary", [{"set_weight": 5}, {"pause": {"minutes": 1}}], "/1/pause/minutes"),
        (
            "canary",
            [{"set_weight": 5}, {"pause": {"duration_seconds": 0}}],
            "/1/pause/duration_seconds",
        ),
        (
            "canary",
            [{"set_weight": 5}, {"pause": {"duration_seconds": 1.5}}],
            "/1/pause/duration_seconds",
        ),
        ("canary", [{"set_weight": 5}, {"analysis": {}}], "/1/analysis/metrics"),
        ("canary", [LOOK, {"set_weight": 5}], "/0"),
        ("canary", [{"set_weight": 5}, LAST, LOOK], "/2/analysis"),
        ("canary", [{"set_mirror": 5}], "/0/set_mirror"),
        ("canary", [{"set_mirror": {"percent": True}}], "/0/set_mirror"),
        ("canary", [{"set_mirror": {"percent": 100.01}}], "/0/set_mirror/percent"),
        ("canary", [{"set_mirror": {"percent": float("nan")}}], "/0/set_mirror/percent"),
        ("canary", [{"set_mirror": {"percent": 0.005}}], "/0/set_mirror/percent"),
        ("canary", [{"set_header_route": {}}], "/0/set_header_route"),
        ("canary", [{"set_header_route": {**TRY, "x": 1}}], "/0/set_header_route"),
        ("canary", [{"set_header_route": {**TRY, "header": "a b"}}], "/0/set_header_route/header"),
        (
            "canary",
            [{"set_header_route": {**TRY, "header": "Cookie"}}],
            "/0/set_header_route/header",
        ),
        ("canary", [{"set_header_route": {**TRY, "value": "a'b"}}], "/0/set_header_route/value"),
        ("canary", [{"set_header_route": TRY}, LAST], "/1/set_weight"),
        ("replace", [{"set_header_route": TRY}, LAST], ""),
        ("shadow", [{"pause": {}}, LAST], ""),
        ("shadow", [{"set_mirror": {"percent": 5}}, {"set_weight": 5}], ""),
        ("replace", [{"set_weight": 5}], ""),
        ("blue_green", [{"set_weight": 5}], ""),
        ("blue_green", [{"pause": {}}, {"set_weight": 5}], ""),
        ("blue_green", [{"pause": {}}, LAST, {"pause": {}}], ""),
    ],
)
def test_wrong_steps_are_named_by_their_place(strategy: str, steps: Any, pointer: str) -> None:
    found = faults({"strategy": strategy, "steps": steps})
    assert [at for at, _ in found] == [f"/plan/steps{pointer}"]


@pytest.mark.parametrize("strategy", ["", "yolo", 5, None, ["canary"], {"canary": 1}])
def test_an_unknown_strategy_is_named(strategy: Any) -> None:
    ((pointer, detail),) = faults({"strategy": strategy, "steps": [LAST]})
    assert (pointer, detail) == (
        "/plan/strategy",
        "must be one of: replace, blue_green, canary, shadow, ab_test",
    )


def test_every_fault_is_named_at_once() -> None:
    found = faults({"strategy": "canary", "steps": [{"set_weight": 0}, {"pause": 1}], "x": 1})
    pointers = [at for at, _ in found]
    assert pointers == ["/plan/steps/0/set_weight", "/plan/steps/1/pause", "/plan/x"]


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_a_plan_is_called_as_the_preset_whose_steps_it_has(name: str) -> None:
    assert title_of(Plan.read(BUILT_IN[name])) == TITLES[name]


def test_a_plan_of_own_steps_is_called_by_its_strategy() -> None:
    steps = [{"set_weight": 3}, {"pause": {}}, LAST]
    assert title_of(Plan.read({"strategy": "canary", "steps": steps})) == "Canary"
    blue = [{"pause": {"duration_seconds": 60}}, LAST]
    assert title_of(Plan.read({"strategy": "blue_green", "steps": blue})) == "Blue/green"

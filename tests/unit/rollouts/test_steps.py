"""The steps of a plan, carried out one after the other, from facts alone."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from apps.governance.plan import Pause, Plan, SetHeaderRoute, SetMirror, SetWeight
from apps.rollouts.analysis import DecidingVerdict
from apps.rollouts.rules import (
    TRANSITIONS,
    Intent,
    RevisionChange,
    RevisionFacts,
    RolloutSnapshot,
    go_on,
    next_step,
    promote,
    skip,
)
from apps.rollouts.steps import AT_ONCE, needs, state_of
from placet_verify.units import WHOLE
from tests.support.documents import plan_document
from tests.unit.rollouts.test_rules import NOON, READY, STABLE, facts

STEPS = (SetWeight(5), Pause(duration_seconds=60), SetWeight(50), Pause(), SetWeight(100))
PLAN = Plan.stored({"steps": STEPS})


def at(place: int, **changes: object) -> RolloutSnapshot:
    """Return a rollout at the step of ``place`` whose node applies what is wished."""
    weights = [step.weight for step in STEPS[: place + 1] if isinstance(step, SetWeight)]
    weight = weights[-1]
    candidate = RevisionFacts("ready", weight, 2, "serving", 2, weight)
    stable = replace(STABLE, weight=WHOLE - weight, applied_weight=WHOLE - weight)
    known = {"plan": PLAN, "step": place, "candidate": candidate, "stable": stable}
    return facts(state_of(STEPS[place]), **(known | changes))


def later(seconds: float) -> dict[str, object]:
    """Return the clock so many seconds after the step began."""
    return {"now": NOON + timedelta(seconds=seconds)}


def test_a_plan_is_read_as_it_is_written() -> None:
    document = plan_document(
        {"strategy": "canary", "steps": [{"set_weight": 33.33}, {"pause": {}}]}
    )
    plan = Plan.stored(document)
    assert plan.steps == (SetWeight(33.33), Pause(), SetWeight(100))
    assert plan.document == document
    assert Plan.stored({"strategy": "switch"}).steps == AT_ONCE


@pytest.mark.parametrize("hundredths", [1, 7, 29, 57, 58, 114, 115, 1001, 3333, 9999])
def test_every_hundredth_of_a_percent_is_exact(hundredths: int) -> None:
    document = plan_document({"strategy": "canary", "steps": [{"set_weight": hundredths / 100}]})
    step = Plan.stored(document).steps[0]
    assert step == SetWeight(hundredths / 100)
    assert isinstance(step, SetWeight) and step.weight == hundredths


def test_the_first_step_begins_when_every_replica_is_ready() -> None:
    step = next_step(facts("starting", candidate=READY, plan=PLAN))
    assert (step.to, step.step) == ("shifting", 0)
    assert step.changes == (
        RevisionChange("stable", weight=9_500),
        RevisionChange("candidate", "ready", 500),
    )


def test_blue_green_waits_at_weight_nothing() -> None:
    plan = Plan.stored({"steps": (Pause(), SetWeight(100))})
    step = next_step(facts("starting", candidate=READY, plan=plan))
    assert (step.to, step.changes, step.step) == (
        "waiting",
        (RevisionChange("candidate", "ready"),),
        0,
    )


def test_testers_and_copies_come_when_the_node_has_seen_the_wish() -> None:
    document = plan_document(
        {
            "strategy": "canary",
            "steps": [
                {"set_header_route": {"header": "X-Try", "value": "v2"}},
                {"set_mirror": {"percent": 33.33}},
                {"set_weight": 5},
            ],
        }
    )
    plan = Plan.stored(document)
    led, copied = SetHeaderRoute(header="X-Try", value="v2"), SetMirror(percent=33.33)
    assert plan.steps == (led, copied, SetWeight(5), SetWeight(100))
    assert plan.document == document
    assert needs(plan.steps) == {"header_route", "mirror"}

    first = next_step(facts("starting", candidate=READY, plan=plan))
    assert (first.to, first.step) == ("shifting", 0)
    assert first.changes == (RevisionChange("candidate", "ready", header=led),)
    ready = RevisionFacts("ready", 0, 2, "ready", 2, 0)
    here = facts("shifting", candidate=ready, plan=plan, step=0)
    assert next_step(replace(here, fresh=False)).to is None
    assert next_step(replace(here, paused=True)).to is None
    then = next_step(here)
    assert (then.step, then.changes) == (1, (RevisionChange("candidate", "ready", copies=3_333),))
    assert next_step(replace(here, step=1)).changes[-1] == RevisionChange("candidate", "ready", 500)


def test_a_weight_counts_when_the_node_applies_precisely_it() -> None:
    seen = at(0)
    for applied in (0, 499, 501, WHOLE):
        other = replace(seen.candidate, applied_weight=applied)
        assert next_step(at(0, candidate=other)).to is None
    assert next_step(at(0, fresh=False)).to is None
    step = next_step(seen)
    assert (step.to, step.step, step.changes) == ("waiting", 1, ())


def test_a_pause_ends_with_its_time_and_news_of_the_node() -> None:
    assert next_step(at(1, **later(59))).to is None
    assert next_step(at(1, **later(60), alive=False)).to is None
    assert next_step(at(1, **later(60), fresh=False)).to is None
    step = next_step(at(1, **later(60)))
    assert (step.to, step.step) == ("shifting", 2)
    assert step.changes == (
        RevisionChange("stable", weight=5_000),
        RevisionChange("candidate", "ready", 5_000),
    )


def test_a_pause_without_a_time_waits_for_a_person() -> None:
    assert next_step(at(3, **later(10**7))).to is None
    step = go_on(at(3))
    assert step is not None
    assert (step.to, step.step) == ("shifting", 4)
    for place in (0, 1, 2, 4):
        assert go_on(at(place)) is None
    assert go_on(facts("starting", plan=Plan.stored({"steps": (Pause(), SetWeight(100))}))) is None


def test_after_the_last_step_the_release_is_live() -> None:
    step = next_step(at(4))
    assert (step.to, step.step) == ("draining", None)
    assert step.changes == (RevisionChange("stable", "warm"), RevisionChange("candidate", "live"))


@pytest.mark.parametrize("place", range(5))
def test_nothing_begins_while_somebody_holds_it(place: int) -> None:
    held = at(place, paused=True, **later(10**7))
    assert next_step(held).to is None


def test_one_that_is_held_before_it_is_ready_does_not_miss_its_deadline() -> None:
    late = {"now": NOON + timedelta(minutes=6), "plan": PLAN}
    assert next_step(facts("starting", paused=True, **late)).to is None
    assert next_step(facts("starting", candidate=READY, paused=True, **late)).to is None
    assert next_step(facts("starting", **late)).to == "failed"


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("place", range(5))
def test_one_that_breaks_gives_everything_back_first(place: int, paused: bool) -> None:
    seen = at(place, paused=paused)
    step = next_step(
        replace(seen, candidate=replace(seen.candidate, phase="failed", detail="out of memory"))
    )
    assert (step.to, step.reason) == ("aborting", "It failed: out of memory")
    assert step.changes == (
        RevisionChange("candidate", weight=0),
        RevisionChange("stable", weight=WHOLE),
    )


def test_one_that_breaks_without_requests_has_none_to_give_back() -> None:
    plan = Plan.stored({"steps": (Pause(), SetWeight(100))})
    candidate = replace(READY, state="ready", phase="failed", detail="out of memory")
    step = next_step(facts("waiting", candidate=candidate, plan=plan, step=0))
    assert (step.to, step.changes) == ("aborting", ())
    end = next_step(facts("aborting", candidate=candidate, plan=plan, step=0))
    assert (end.to, end.changes) == ("failed", (RevisionChange("candidate", "failed"),))


@pytest.mark.parametrize(("place", "following"), [(0, 1), (1, 2), (2, 3), (3, 4), (4, None)])
def test_any_step_but_the_one_that_sends_everything_may_be_skipped(
    place: int, following: int | None
) -> None:
    past = skip(at(place, fresh=False, alive=False))
    assert (past.step if past else None) == following


def test_nothing_is_skipped_before_the_new_revision_is_ready() -> None:
    assert skip(facts("starting", plan=PLAN)) is None


def test_a_pause_after_the_last_weight_may_be_skipped() -> None:
    plan = Plan.stored({"steps": (SetWeight(5), SetWeight(100), Pause())})
    past = skip(at(3, plan=plan, step=2))
    assert past is not None
    assert past.to == "draining"


@pytest.mark.parametrize("place", range(4))
def test_promoting_goes_to_the_last_weight(place: int) -> None:
    end = promote(at(place, fresh=False))
    assert end is not None
    assert (end.to, end.step) == ("shifting", 4)
    assert end.changes == (
        RevisionChange("stable", weight=0),
        RevisionChange("candidate", "ready", WHOLE),
    )


def test_promoting_what_is_not_ready_or_on_its_last_weight_moves_nothing_yet() -> None:
    assert promote(facts("starting", plan=PLAN)) is None
    assert promote(at(4)) is None
    step = next_step(facts("starting", candidate=READY, plan=PLAN, promoted=True))
    assert (step.to, step.step) == ("shifting", 4)


def test_a_promoted_rollout_passes_over_what_follows_the_last_weight() -> None:
    plan = Plan.stored({"steps": (SetWeight(5), SetWeight(100), Pause())})
    assert next_step(at(4, plan=plan, step=1)).to == "waiting"
    assert next_step(at(4, plan=plan, step=1, promoted=True)).to == "draining"


def test_a_row_from_before_there_were_steps_goes_on() -> None:
    whole = RevisionFacts("ready", WHOLE, 2, "serving", 2, WHOLE)
    stable = replace(STABLE, weight=0, applied_weight=0)
    assert next_step(facts("shifting", candidate=whole, stable=stable)).to == "draining"


def test_the_careful_canary_goes_up_step_by_step_and_never_ahead_of_its_plan() -> None:
    plan = Plan.read({"strategy": "canary"})
    seen, weights = facts("starting", candidate=READY, plan=plan), [0]
    for _ in range(30):
        step = next_step(seen)
        if step.to is None:
            seen = replace(seen, judged=DecidingVerdict("successful", "Well."))
            continue
        assert step.to in TRANSITIONS[seen.state]
        seen = follow(seen, step)
        weights.append(seen.candidate.weight)
        if step.to == "draining":
            break
    assert sorted(set(weights)) == [0, 100, 500, 2_500, 5_000, WHOLE]
    assert all(before <= after for before, after in pairwise(weights))
    assert seen.state == "draining"


def follow(s: RolloutSnapshot, step: Intent) -> RolloutSnapshot:
    """Return the facts after ``step``, on a node that does as it is told."""
    candidate, stable = s.candidate, s.stable
    for change in step.changes:
        if change.which == "candidate":
            weight = candidate.weight if change.weight is None else change.weight
            candidate = replace(
                candidate,
                state=change.state or candidate.state,
                weight=weight,
                applied_weight=weight,
            )
        elif stable is not None and change.weight is not None:
            stable = replace(stable, weight=change.weight, applied_weight=change.weight)
    place = s.step if step.step is None else step.step
    return replace(
        s,
        state=step.to or s.state,
        candidate=candidate,
        stable=stable,
        step=place,
        entered_at=s.now,
    )

"""What its node scales by load has replicas enough before it gets more requests, from facts
alone."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.governance.plan import Analysis, Pause, Plan, SetWeight
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
from apps.rollouts.rules.passing import LoggedPassing, went_past
from apps.rollouts.steps import state_of
from placet_verify.permit.scaling import Scaling
from placet_verify.units import WHOLE
from tests.unit.rollouts.test_rules import NOON, facts

STEPS = (SetWeight(5), Pause(duration_seconds=60), SetWeight(50), Pause(), SetWeight(100))
SCALING = Scaling(least=1, most=8, target=4)
STARTED = RevisionFacts("starting", 0, 2, "ready", 2, scaling=SCALING)
STABLE = RevisionFacts("live", WHOLE, 2, "serving", 6, WHOLE)  # its node gave it six


def at(place: int, *, given: int | None = None, ready: int = 2, **changes: Any) -> RolloutSnapshot:
    """Return a rollout at the step of ``place`` whose candidate has the weight of the last one, or
    the one that was ``given``."""
    weights = [step.weight for step in STEPS[: place + 1] if isinstance(step, SetWeight)]
    weight = weights[-1] if given is None else given
    candidate = RevisionFacts("ready", weight, 2, "serving", ready, weight, scaling=SCALING)
    stable = replace(STABLE, weight=WHOLE - weight, applied_weight=WHOLE - weight)
    known = {"plan": Plan.stored({"steps": STEPS}), "step": place, "candidate": candidate}
    known["stable"] = stable
    return facts(state_of(STEPS[place]), **(known | changes))


def grows(step: Intent, replicas: int, index: int) -> None:
    """Demand that the candidate gets so many replicas, and no weight moves."""
    assert (step.to, step.step) == ("shifting", index)
    assert step.changes == (RevisionChange("candidate", replicas=replicas),)


LATER: dict[str, Any] = {"now": NOON.replace(hour=13)}


def test_half_the_requests_need_half_of_the_replicas_that_answer_them_now() -> None:
    grows(next_step(at(1, **LATER)), 3, 2)
    due = at(2, given=500)
    grows(next_step(due), 3, 2)
    grown = replace(due, candidate=replace(due.candidate, replicas=3))
    step = next_step(grown)
    words = "every replica of the new revision to be ready: 2 of 3 are"
    assert (step.to, step.waiting_for) == (None, words)
    assert next_step(grown) == step
    ready = replace(grown, candidate=replace(grown.candidate, ready_replicas=3))
    step = next_step(ready)
    assert (step.to, step.step) == ("shifting", 2)
    assert step.changes == (
        RevisionChange("stable", weight=5_000),
        RevisionChange("candidate", "ready", 5_000),
    )


def test_what_has_enough_gets_its_weight_at_once() -> None:
    step = next_step(at(1, ready=3, **LATER))  # its node gave it one more than the state asks for
    assert step.changes[-1] == RevisionChange("candidate", "ready", 5_000)
    plain = replace(at(1, **LATER), candidate=replace(at(1).candidate, scaling=None))
    assert next_step(plain).changes[-1] == RevisionChange("candidate", "ready", 5_000)


def test_no_more_are_asked_for_than_its_node_may_give_it() -> None:
    crowded = replace(STABLE, ready_replicas=40)
    grows(next_step(at(1, stable=crowded, **LATER)), 8, 2)
    full = replace(at(2, given=500, ready=8).candidate, replicas=8)
    step = next_step(at(2, candidate=full, stable=crowded))
    assert step.changes[-1] == RevisionChange("candidate", "ready", 5_000)


def test_the_first_step_grows_what_is_ready_with_the_replicas_that_it_starts_with() -> None:
    plan = Plan.stored({"steps": (SetWeight(50), SetWeight(100))})
    step = next_step(facts("starting", candidate=STARTED, stable=STABLE, plan=plan))
    assert (step.to, step.step) == ("shifting", 0)
    assert step.changes == (RevisionChange("candidate", "ready", replicas=3),)
    few = next_step(
        facts("starting", candidate=replace(STARTED, ready_replicas=1), stable=STABLE, plan=plan)
    )
    assert few.to is None


def test_what_is_released_first_waits_for_no_more_than_its_own() -> None:
    step = next_step(facts("starting", candidate=STARTED, stable=None))
    assert step.changes == (RevisionChange("candidate", "ready", WHOLE),)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fresh": False}, "news from the node"),
        ({"alive": False}, "news from the node"),
        ({"paused": True}, "an operator to resume it"),
    ],
)
def test_nothing_is_raised_or_given_while_it_is_held_or_nothing_is_known(
    changes: dict[str, Any], words: str
) -> None:
    step = next_step(at(2, given=500, **changes))
    assert (step.to, step.waiting_for) == (None, words)


def short(ready: int, wanted: int, **changes: Any) -> RolloutSnapshot:
    """Return a rollout that waits for ``wanted`` replicas, of which so many are ready."""
    held = at(2, given=500, ready=ready, **changes)
    why = f"{ready} of {wanted} replicas are ready: it needed more than 512 MB of memory"
    candidate = replace(held.candidate, replicas=wanted, detail=why)
    return replace(held, candidate=candidate)


def test_what_does_not_get_its_replicas_in_time_is_paused_and_says_why() -> None:
    due = short(2, 3)
    waits = next_step(due)
    words = "2 of 3 replicas are ready: it needed more than 512 MB of memory"
    assert waits.waiting_for == f"every replica of the new revision to be ready: {words}"
    step = next_step(replace(due, now=due.deadline))
    assert (step.to, step.step, step.changes, step.pauses) == ("shifting", None, (), True)
    assert step.reason == (
        "The new revision did not get its replicas in time: 2 of 3 were ready. "
        "It is serving: 2 of 3 replicas are ready: it needed more than 512 MB of memory"
    )
    held = next_step(replace(due, now=due.deadline, paused=True))
    assert (held.to, held.waiting_for) == (None, "an operator to resume it")


def test_what_nothing_is_heard_of_is_not_waited_for_either() -> None:
    for unseen in ({"fresh": False}, {"alive": False}):
        late = short(2, 3, now=NOON.replace(hour=13), **unseen)
        step = next_step(late)
        assert (step.to, step.changes, step.pauses) == ("shifting", (), True)
        assert step.reason == (
            "The new revision did not get its replicas in time: nothing is heard of its node"
        )


@given(
    ready=st.integers(0, 8),
    wanted=st.integers(2, 8),
    stable=st.integers(0, 20),
    late=st.integers(-600, 600),
    fresh=st.booleans(),
    alive=st.booleans(),
    paused=st.booleans(),
)
def test_no_weight_waits_for_ever_and_none_moves_as_it_is_paused(
    ready: int, wanted: int, stable: int, late: int, fresh: bool, alive: bool, paused: bool
) -> None:
    facts = short(ready, wanted, fresh=fresh, alive=alive, paused=paused)
    assert facts.stable is not None
    beside = replace(facts.stable, ready_replicas=stable)
    facts = replace(facts, now=facts.deadline + timedelta(seconds=late), stable=beside)
    step = next_step(facts)
    if step.pauses:
        assert late >= 0
        assert not paused
        assert (step.to, step.changes, step.step) == (facts.state, (), None)
        assert step.reason
    elif step.to is None:
        assert paused or late < 0
    else:  # its replicas are there, or it is told of more
        assert fresh
        assert alive
        assert not paused


def test_who_goes_on_or_promotes_begins_the_step_and_waits_with_it() -> None:
    """They wait for no news of the target: what it needs is seen a moment later."""
    unseen: dict[str, Any] = {"fresh": False, "alive": False}
    on = go_on(at(3, **unseen))
    assert on == Intent(state_of(STEPS[4]), step=4)
    on = promote(at(1, **unseen))
    assert on == Intent(state_of(STEPS[4]), step=4)
    on = skip(at(1, **unseen))
    assert on == Intent(state_of(STEPS[2]), step=2)
    grows(next_step(at(4, given=500, promoted=True)), 6, 4)


def test_a_weight_that_was_not_given_yet_is_not_skipped() -> None:
    assert skip(at(2, given=500)) is None
    on = promote(at(2, given=500))
    assert on is not None and on.changes == (RevisionChange("candidate", replicas=6),)


def test_what_breaks_or_was_taken_back_waits_for_no_replica() -> None:
    for change in ({"phase": "failed"}, {"aborted": "3 answers in a row failed"}):
        candidate = replace(at(2, given=500).candidate, **change)
        step = next_step(at(2, candidate=candidate))
        assert step.to == "aborting"
        assert step.changes == (
            RevisionChange("candidate", weight=0),
            RevisionChange("stable", weight=WHOLE),
        )


@pytest.mark.parametrize("state", ["warm", "starting"])
def test_a_way_back_never_waits_for_more(state: str) -> None:
    """It gives the requests at once and asks for the replicas with them."""
    former = replace(STARTED, state=state)
    step = next_step(facts("starting", kind="rollback", candidate=former, stable=STABLE))
    assert step.changes == (
        RevisionChange("stable", weight=0),
        RevisionChange("candidate", "ready", WHOLE, replicas=6),
    )
    unseen = facts("starting", kind="rollback", candidate=former, stable=STABLE, alive=False)
    assert next_step(unseen).changes[-1] == RevisionChange("candidate", "ready", WHOLE)
    drill = next_step(facts("starting", kind="drill", candidate=former, stable=STABLE))
    assert drill.changes[-1] == RevisionChange("candidate", "ready", WHOLE)


def test_what_leaves_service_keeps_no_more_than_its_node_may_have_left_it() -> None:
    """So a way back to it waits for no replica that it had no need of."""
    served = replace(STABLE, weight=0, replicas=6, scaling=SCALING)
    step = next_step(at(4, stable=served))
    assert step.changes[0] == RevisionChange("stable", "warm", replicas=1)
    plain = next_step(at(4, stable=replace(served, scaling=None)))
    assert plain.changes[0] == RevisionChange("stable", "warm")


def test_every_answer_is_a_transition_of_the_table_and_comes_to_an_end() -> None:
    """Carried out as the platform does, each is answered the same until something is seen."""
    now = facts("starting", candidate=STARTED, stable=STABLE, plan=Plan.stored({"steps": STEPS}))
    weights, replicas = list[int](), list[int]()
    for _ in range(60):
        step = next_step(now)
        assert next_step(now) == step
        now = replace(now, now=now.now.replace(day=now.now.day % 28 + 1))
        if step.to is None:
            candidate = replace(
                now.candidate,
                ready_replicas=min(now.candidate.ready_replicas + 1, now.candidate.replicas),
                applied_weight=now.candidate.weight,
            )
            on = go_on(now)
            step = on or step
            now = replace(now, candidate=candidate)
        if step.to == "draining":
            break
        now = carried_out(now, step)
        weights.append(now.candidate.weight)
        replicas.append(now.candidate.replicas)
    assert step.to == "draining"
    assert all(low <= high for low, high in pairwise(weights))
    assert list(dict.fromkeys(zip(weights, replicas, strict=True))) == [
        (500, 2),
        (500, 3),
        (5_000, 3),
        (5_000, 6),
        (WHOLE, 6),
    ]


def carried_out(s: RolloutSnapshot, step: Intent) -> RolloutSnapshot:
    """Return the facts as they are once ``step`` is stored, before anything new is seen."""
    if step.to is None:
        return s
    assert step.to in TRANSITIONS[s.state]
    for change in step.changes:
        row = s.candidate if change.which == "candidate" else s.stable
        assert row is not None
        row = replace(
            row,
            state=change.state or row.state,
            weight=row.weight if change.weight is None else change.weight,
            replicas=change.replicas or row.replicas,
        )
        s = replace(s, **{change.which: row})
    return replace(s, state=step.to, step=s.step if step.step is None else step.step)


def test_whoever_promotes_while_all_requests_wait_for_replicas_went_past_nothing_before() -> None:
    look = Analysis.read({"metrics": [{"metric": "error_rate"}]})
    steps = (SetWeight(5), look, SetWeight(100), look)
    preparing = LoggedPassing("rollout.scaling_up", 5, 3, "platform")
    promoted = LoggedPassing("rollout.promoted", 6, None, "Otto")
    shifting = LoggedPassing("rollout.shifting", 7, None, "platform")
    assert went_past(steps, [0, 1, 2], [preparing, promoted, shifting]) == {3: "Otto"}
    later = replace(preparing, place=7)
    assert went_past(steps, [0, 1, 2], [promoted, later]) == {1: "Otto", 3: "Otto"}
    at_half = replace(preparing, step=1)  # of the first step: not all requests
    assert went_past(steps, [0, 1, 2], [at_half, promoted, shifting]) == {1: "Otto", 3: "Otto"}

"""What a rollout does next, from facts alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.governance.plan import Pause, Plan, SetWeight
from apps.rollouts.models import ENDED_STATES
from apps.rollouts.rules import (
    OPEN_STATES,
    TRANSITIONS,
    RevisionChange,
    RevisionFacts,
    RolloutSnapshot,
    next_step,
)

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
NEW = RevisionFacts("starting", 0, 2)
OLD = RevisionFacts("live", 10_000, 2, "serving", 2, 10_000)


def facts(state: str, **changes: object) -> RolloutSnapshot:
    """Return a rollout in ``state`` whose target has just answered."""
    base = RolloutSnapshot(
        state=state,
        kind="release",
        now=NOON,
        deadline=NOON + timedelta(minutes=5),
        entered_at=NOON,
        fresh=True,
        by_operator=False,
        plan=Plan(),
        new=NEW,
        old=OLD,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


READY = replace(NEW, phase="ready", ready_replicas=2)
SHIFTED = replace(READY, state="ready", weight=10_000, phase="serving", applied_weight=10_000)


def test_nothing_moves_before_every_replica_is_ready() -> None:
    one_of_two = replace(READY, ready_replicas=1)
    assert next_step(facts("starting", new=one_of_two)).to is None


def test_all_requests_move_at_once_and_are_taken_before_they_are_given() -> None:
    step = next_step(facts("starting", new=READY))
    assert step.to == "shifting"
    assert step.changes == (RevisionChange("old", weight=0), RevisionChange("new", "ready", 10_000))


def test_what_was_observed_before_the_last_command_counts_for_nothing() -> None:
    for state, new in (("starting", READY), ("shifting", SHIFTED)):
        assert next_step(facts(state, new=new, fresh=False)).to is None


@pytest.mark.parametrize(
    ("phase", "words"),
    [("refused", "The node refused it: no quorum"), ("failed", "It failed: no quorum")],
)
def test_a_broken_revision_fails_the_rollout_in_words(phase: str, words: str) -> None:
    step = next_step(facts("starting", new=replace(NEW, phase=phase, detail="no quorum")))
    assert (step.to, step.reason) == ("failed", words)
    assert step.changes == (RevisionChange("new", "failed"),)


def test_other_bytes_under_the_revisions_name_are_a_failure() -> None:
    step = next_step(facts("starting", new=replace(READY, same_bytes=False)))
    assert step.to == "failed"
    assert "another Bento" in step.reason


def test_at_the_deadline_the_rollout_fails_even_if_nothing_is_heard() -> None:
    late = {"now": NOON + timedelta(minutes=6), "fresh": False}
    step = next_step(facts("starting", **late))
    assert step.to == "failed"
    assert step.reason == "It was not ready in time: 0 of 2 replicas answered."


def test_the_old_revision_stays_warm_if_the_plan_says_so() -> None:
    step = next_step(facts("shifting", new=SHIFTED))
    assert step.to == "draining"
    assert step.changes == (RevisionChange("old", "warm"), RevisionChange("new", "live"))
    step = next_step(facts("shifting", new=SHIFTED, plan=Plan(keep_warm_seconds=0)))
    assert step.changes[0] == RevisionChange("old", "draining")


def test_what_was_rolled_back_from_is_not_kept_warm() -> None:
    step = next_step(facts("shifting", kind="rollback", new=SHIFTED))
    assert step.changes[0] == RevisionChange("old", "draining")


def test_a_revision_that_breaks_while_requests_move_gives_them_back() -> None:
    step = next_step(facts("shifting", new=replace(SHIFTED, phase="failed")))
    assert step.to == "aborting"
    assert step.changes == (RevisionChange("new", weight=0), RevisionChange("old", weight=10_000))


@pytest.mark.parametrize("state", ["shifting", "waiting", "analysing"])
@pytest.mark.parametrize("changes", [{}, {"paused": True}, {"fresh": False}, {"alive": False}])
def test_what_the_node_took_back_is_taken_back_whatever_it_waits_for(
    state: str, changes: dict[str, object]
) -> None:
    plan = Plan.stored({"steps": (SetWeight(5), Pause(), SetWeight(100))})
    new = replace(SHIFTED, weight=500, applied_weight=0, aborted="3 answers in a row failed")
    at = {"shifting": 0, "waiting": 1, "analysing": 1}[state]
    step = next_step(facts(state, plan=plan, step=at, new=new, **changes))
    assert step.to == "aborting"
    assert step.changes == (RevisionChange("new", weight=0), RevisionChange("old", weight=10_000))
    assert step.reason == (
        "The node gave all requests back to the old revision by itself: 3 answers in a row failed"
    )


def test_where_there_is_no_old_revision_nothing_is_taken_back() -> None:
    new = replace(SHIFTED, aborted="it says so")
    assert next_step(facts("shifting", new=new, old=None)).to == "draining"


def test_while_stable_is_down_a_step_says_what_it_waits_for() -> None:
    plan = Plan.stored({"steps": (SetWeight(5), SetWeight(100))})
    down = replace(OLD, phase="starting", ready_replicas=0, applied_weight=0)
    step = next_step(facts("shifting", plan=plan, step=0, new=SHIFTED, old=down))
    assert (step.to, step.waiting_for) == (
        None,
        "the old revision to answer again; the new one has all requests meanwhile",
    )


def test_a_first_revision_that_breaks_has_nothing_to_go_back_to() -> None:
    step = next_step(facts("shifting", new=replace(SHIFTED, phase="failed"), old=None))
    assert (step.to, step.changes) == ("failed", (RevisionChange("new", "failed"),))


def test_a_first_release_and_a_rollback_take_all_requests_whatever_the_plan_says() -> None:
    plan = Plan.stored({"steps": (SetWeight(1), Pause(), SetWeight(100))})
    step = next_step(facts("starting", new=READY, old=None, plan=plan))
    assert (step.to, step.changes, step.step) == (
        "shifting",
        (RevisionChange("new", "ready", 10_000),),
        0,
    )
    assert step.reason == "Nothing was live here: the steps of the plan were skipped"
    warm = replace(READY, state="warm")
    step = next_step(facts("starting", kind="rollback", new=warm, plan=plan))
    assert step.changes == (RevisionChange("old", weight=0), RevisionChange("new", "ready", 10_000))
    assert step.reason == ""


def test_aborting_ends_when_the_old_revision_has_its_requests_again() -> None:
    back = replace(OLD, applied_weight=0)
    new = replace(READY, state="ready")
    assert next_step(facts("aborting", new=new, old=back)).to is None
    step = next_step(facts("aborting", new=new, by_operator=True))
    assert (step.to, step.changes) == ("aborted", (RevisionChange("new", "draining"),))
    assert next_step(facts("aborting", new=new)).to == "failed"


DEAD = replace(OLD, ready_replicas=0, applied_weight=0)


@pytest.mark.parametrize(
    ("state", "kind", "end"),
    [
        ("aborting", "release", "failed"),
        ("aborting", "rollback", "failed"),
        ("returning", "drill", "done"),
        ("aborting", "drill", "failed"),
    ],
)
def test_a_stable_revision_that_does_not_answer_is_not_waited_for_for_ever(
    state: str, kind: str, end: str
) -> None:
    new = replace(READY, state="ready", phase="serving", applied_weight=10_000)
    now = facts(state, kind=kind, new=new, old=DEAD)
    assert next_step(now).to is None
    late = replace(now, now=NOON + timedelta(seconds=60))
    step = next_step(late)
    assert (step.to, step.changes) == (end, (RevisionChange("new", "warm"),))
    for unknown in (replace(late, fresh=False), replace(late, alive=False)):
        assert next_step(unknown).to is None
    slow = replace(DEAD, ready_replicas=1)  # it answers: the node is what is late
    assert next_step(replace(late, old=slow)).to is None
    gone = replace(new, ready_replicas=0, phase="failed", applied_weight=0)
    assert next_step(replace(late, new=gone)).changes == (RevisionChange("new", "failed"),)


def test_an_aborted_rollback_leaves_the_warm_revision_warm() -> None:
    step = next_step(facts("aborting", kind="rollback", new=replace(READY, state="warm")))
    assert step.changes == ()


def test_draining_waits_for_the_last_requests_but_not_for_ever() -> None:
    busy = RevisionFacts("draining", 0, 2, "serving", 2)
    assert next_step(facts("draining", new=SHIFTED, old=busy)).to is None
    drained = replace(busy, phase="drained")
    step = next_step(facts("draining", new=SHIFTED, old=drained))
    assert (step.to, step.changes) == ("done", (RevisionChange("old", "stopped"),))
    late = NOON + timedelta(seconds=61)
    assert next_step(facts("draining", new=SHIFTED, old=busy, now=late)).to == "done"


def test_every_answer_is_a_transition_of_the_table() -> None:
    phases = ["", "starting", "ready", "serving", "drained", "failed", "refused"]
    for state in TRANSITIONS:
        for phase in phases:
            for weight in (0, 10_000):
                for minutes in (0, 10):
                    new = replace(SHIFTED, phase=phase, applied_weight=weight)
                    step = next_step(facts(state, new=new, now=NOON + timedelta(minutes=minutes)))
                    assert step.to is None or step.to in TRANSITIONS[state]
    assert {state for state, after in TRANSITIONS.items() if after} == {*OPEN_STATES}


def test_the_model_knows_the_same_states() -> None:
    assert set(ENDED_STATES) == {state for state, after in TRANSITIONS.items() if not after}

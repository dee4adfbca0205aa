"""What a rollout does next, from facts alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.governance.plan import Pause, Plan, SetWeight
from apps.rollouts.rules import (
    OPEN_STATES,
    TRANSITIONS,
    RevisionChange,
    RevisionFacts,
    RolloutSnapshot,
    next_step,
)
from apps.rollouts.states import ENDED_STATES

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
CANDIDATE = RevisionFacts("starting", 0, 2)
STABLE = RevisionFacts("live", 10_000, 2, "serving", 2, 10_000)


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
        candidate=CANDIDATE,
        stable=STABLE,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


READY = replace(CANDIDATE, phase="ready", ready_replicas=2)
SHIFTED = replace(READY, state="ready", weight=10_000, phase="serving", applied_weight=10_000)


def test_nothing_moves_before_every_replica_is_ready() -> None:
    one_of_two = replace(READY, ready_replicas=1)
    assert next_step(facts("starting", candidate=one_of_two)).to is None


def test_all_requests_move_at_once_and_are_taken_before_they_are_given() -> None:
    step = next_step(facts("starting", candidate=READY))
    assert step.to == "shifting"
    assert step.changes == (
        RevisionChange("stable", weight=0),
        RevisionChange("candidate", "ready", 10_000),
    )


def test_what_was_observed_before_the_last_command_counts_for_nothing() -> None:
    for state, candidate in (("starting", READY), ("shifting", SHIFTED)):
        assert next_step(facts(state, candidate=candidate, fresh=False)).to is None


@pytest.mark.parametrize(
    ("phase", "words"),
    [("refused", "The node refused it: no quorum"), ("failed", "It failed: no quorum")],
)
def test_a_broken_revision_fails_the_rollout_in_words(phase: str, words: str) -> None:
    step = next_step(
        facts("starting", candidate=replace(CANDIDATE, phase=phase, detail="no quorum"))
    )
    assert (step.to, step.reason) == ("failed", words)
    assert step.changes == (RevisionChange("candidate", "failed"),)


def test_other_bytes_under_the_revisions_name_are_a_failure() -> None:
    step = next_step(facts("starting", candidate=replace(READY, same_bytes=False)))
    assert step.to == "failed"
    assert "another Bento" in step.reason


def test_at_the_deadline_the_rollout_fails_even_if_nothing_is_heard() -> None:
    late = {"now": NOON + timedelta(minutes=6), "fresh": False}
    step = next_step(facts("starting", **late))
    assert step.to == "failed"
    assert step.reason == "It was not ready in time: 0 of 2 replicas answered."


def test_the_old_revision_stays_warm_if_the_plan_says_so() -> None:
    step = next_step(facts("shifting", candidate=SHIFTED))
    assert step.to == "draining"
    assert step.changes == (RevisionChange("stable", "warm"), RevisionChange("candidate", "live"))
    step = next_step(facts("shifting", candidate=SHIFTED, plan=Plan(keep_warm_seconds=0)))
    assert step.changes[0] == RevisionChange("stable", "draining")


def test_what_was_rolled_back_from_is_not_kept_warm() -> None:
    step = next_step(facts("shifting", kind="rollback", candidate=SHIFTED))
    assert step.changes[0] == RevisionChange("stable", "draining")


def test_a_revision_that_breaks_while_requests_move_gives_them_back() -> None:
    step = next_step(facts("shifting", candidate=replace(SHIFTED, phase="failed")))
    assert step.to == "aborting"
    assert step.changes == (
        RevisionChange("candidate", weight=0),
        RevisionChange("stable", weight=10_000),
    )


@pytest.mark.parametrize("state", ["shifting", "waiting", "analysing"])
@pytest.mark.parametrize("changes", [{}, {"paused": True}, {"fresh": False}, {"alive": False}])
def test_what_the_node_took_back_is_taken_back_whatever_it_waits_for(
    state: str, changes: dict[str, object]
) -> None:
    plan = Plan.stored({"steps": (SetWeight(5), Pause(), SetWeight(100))})
    candidate = replace(SHIFTED, weight=500, applied_weight=0, aborted="3 answers in a row failed")
    at = {"shifting": 0, "waiting": 1, "analysing": 1}[state]
    step = next_step(facts(state, plan=plan, step=at, candidate=candidate, **changes))
    assert step.to == "aborting"
    assert step.changes == (
        RevisionChange("candidate", weight=0),
        RevisionChange("stable", weight=10_000),
    )
    assert step.reason == (
        "The node gave all requests back to the old revision by itself: 3 answers in a row failed"
    )


def test_where_there_is_no_old_revision_nothing_is_taken_back() -> None:
    candidate = replace(SHIFTED, aborted="it says so")
    assert next_step(facts("shifting", candidate=candidate, stable=None)).to == "draining"


def test_while_stable_is_down_a_step_says_what_it_waits_for() -> None:
    plan = Plan.stored({"steps": (SetWeight(5), SetWeight(100))})
    down = replace(STABLE, phase="starting", ready_replicas=0, applied_weight=0)
    step = next_step(facts("shifting", plan=plan, step=0, candidate=SHIFTED, stable=down))
    assert (step.to, step.waiting_for) == (
        None,
        "the old revision to answer again; the new one has all requests meanwhile",
    )


@pytest.mark.parametrize(
    ("kind", "comes", "leaves"),
    [
        ("release", "the new revision", "the old revision"),
        ("rollback", "the former revision", "the newer revision"),
        ("drill", "the former revision", "the newer revision"),
    ],
)
def test_what_it_waits_for_names_each_revision_as_what_it_is(
    kind: str, comes: str, leaves: str
) -> None:
    shifting = replace(READY, state="ready")
    waits = {
        f"every replica of {comes} to be ready": facts("starting"),
        f"the node to send 100% of the requests to {comes}": facts("shifting", candidate=shifting),
        f"{leaves} to finish its last requests": facts(
            "draining", candidate=SHIFTED, stable=replace(STABLE, state="draining")
        ),
        f"the node to send all requests to {leaves} again": facts(
            "aborting", candidate=shifting, stable=replace(STABLE, applied_weight=0)
        ),
    }
    for words, seen in waits.items():
        step = next_step(replace(seen, kind=kind))
        assert (step.to, step.waiting_for) == (None, words)


def test_a_first_revision_that_breaks_has_nothing_to_go_back_to() -> None:
    step = next_step(facts("shifting", candidate=replace(SHIFTED, phase="failed"), stable=None))
    assert (step.to, step.changes) == ("failed", (RevisionChange("candidate", "failed"),))


def test_a_first_release_and_a_rollback_take_all_requests_whatever_the_plan_says() -> None:
    plan = Plan.stored({"steps": (SetWeight(1), Pause(), SetWeight(100))})
    step = next_step(facts("starting", candidate=READY, stable=None, plan=plan))
    assert (step.to, step.changes, step.step) == (
        "shifting",
        (RevisionChange("candidate", "ready", 10_000),),
        0,
    )
    assert step.reason == "Nothing was live here: the steps of the plan were skipped"
    warm = replace(READY, state="warm")
    step = next_step(facts("starting", kind="rollback", candidate=warm, plan=plan))
    assert step.changes == (
        RevisionChange("stable", weight=0),
        RevisionChange("candidate", "ready", 10_000),
    )
    assert step.reason == ""


def test_aborting_ends_when_the_old_revision_has_its_requests_again() -> None:
    back = replace(STABLE, applied_weight=0)
    candidate = replace(READY, state="ready")
    assert next_step(facts("aborting", candidate=candidate, stable=back)).to is None
    step = next_step(facts("aborting", candidate=candidate, by_operator=True))
    assert (step.to, step.changes) == ("aborted", (RevisionChange("candidate", "draining"),))
    assert next_step(facts("aborting", candidate=candidate)).to == "failed"


DEAD = replace(STABLE, ready_replicas=0, applied_weight=0)


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
    candidate = replace(READY, state="ready", phase="serving", applied_weight=10_000)
    now = facts(state, kind=kind, candidate=candidate, stable=DEAD)
    assert next_step(now).to is None
    late = replace(now, now=NOON + timedelta(seconds=60))
    step = next_step(late)
    assert (step.to, step.changes) == (end, (RevisionChange("candidate", "warm"),))
    for unknown in (replace(late, fresh=False), replace(late, alive=False)):
        assert next_step(unknown).to is None
    slow = replace(DEAD, ready_replicas=1)  # it answers: the node is what is late
    assert next_step(replace(late, stable=slow)).to is None
    gone = replace(candidate, ready_replicas=0, phase="failed", applied_weight=0)
    assert next_step(replace(late, candidate=gone)).changes == (
        RevisionChange("candidate", "failed"),
    )


def test_an_aborted_rollback_leaves_the_warm_revision_warm() -> None:
    step = next_step(facts("aborting", kind="rollback", candidate=replace(READY, state="warm")))
    assert step.changes == ()


def test_draining_waits_for_the_last_requests_but_not_for_ever() -> None:
    busy = RevisionFacts("draining", 0, 2, "serving", 2)
    assert next_step(facts("draining", candidate=SHIFTED, stable=busy)).to is None
    drained = replace(busy, phase="drained")
    step = next_step(facts("draining", candidate=SHIFTED, stable=drained))
    assert (step.to, step.changes) == ("done", (RevisionChange("stable", "stopped"),))
    late = NOON + timedelta(seconds=61)
    assert next_step(facts("draining", candidate=SHIFTED, stable=busy, now=late)).to == "done"


def test_every_answer_is_a_transition_of_the_table() -> None:
    phases = ["", "starting", "ready", "serving", "drained", "failed", "refused"]
    for state in TRANSITIONS:
        for phase in phases:
            for weight in (0, 10_000):
                for minutes in (0, 10):
                    candidate = replace(SHIFTED, phase=phase, applied_weight=weight)
                    step = next_step(
                        facts(state, candidate=candidate, now=NOON + timedelta(minutes=minutes))
                    )
                    assert step.to is None or step.to in TRANSITIONS[state]
    assert {state for state, after in TRANSITIONS.items() if after} == {*OPEN_STATES}


def test_the_model_knows_the_same_states() -> None:
    assert set(ENDED_STATES) == {state for state, after in TRANSITIONS.items() if not after}

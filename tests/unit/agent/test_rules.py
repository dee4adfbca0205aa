"""What a node does next, as pure decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_agent.rules import (
    FAILED_WAIT,
    Crashes,
    PhaseFacts,
    ReplicaPlan,
    ReplicaView,
    Share,
    arrange,
    choose_weights,
    phase_of,
    plan_replicas,
)

READY = ReplicaView("a", ready=True, current=True)
OLD = ReplicaView("old", ready=True, current=False)


@pytest.mark.parametrize(
    ("wanted", "replicas", "plan"),
    [
        (2, [], ReplicaPlan(start=2)),
        (1, [READY], ReplicaPlan()),
        (1, [OLD], ReplicaPlan(start=1)),
        (1, [OLD, ReplicaView("new", ready=False, current=True)], ReplicaPlan()),
        (1, [OLD, ReplicaView("new", ready=True, current=True)], ReplicaPlan(stop=("old",))),
        (0, [READY, OLD], ReplicaPlan(stop=("a", "old"))),
        (1, [ReplicaView("slow", ready=False, current=True), READY], ReplicaPlan(stop=("slow",))),
        (1, [ReplicaView("x", ready=True, current=True, stopping=True)], ReplicaPlan(start=1)),
    ],
)
def test_replicas_are_started_and_stopped_until_as_many_as_wanted_are_current(
    wanted: int, replicas: list[ReplicaView], plan: ReplicaPlan
) -> None:
    assert plan_replicas(wanted, replicas) == plan


views = st.builds(ReplicaView, st.uuids().map(str), st.booleans(), st.booleans(), st.booleans())


@given(st.integers(1, 5), st.lists(views, max_size=8))
def test_a_plan_never_takes_the_last_ready_replica(
    wanted: int, replicas: list[ReplicaView]
) -> None:
    serving = [r for r in replicas if r.ready and not r.stopping]
    plan = plan_replicas(wanted, replicas)

    left = [r for r in serving if r.id not in plan.stop]
    assert left or not serving
    current = [r for r in replicas if r.current and not r.stopping and r.id not in plan.stop]
    assert len(current) + plan.start == wanted


def share(name: str, weight: int, *, ready: bool = True, may: bool = True) -> Share:
    """Return one revision of an endpoint."""
    return Share(name, weight, ready, may)


@pytest.mark.parametrize(
    ("shares", "before", "after"),
    [
        ([share("a", 10_000)], {}, {"a": 10_000}),
        ([share("a", 0), share("b", 10_000)], {"a": 10_000}, {"b": 10_000}),
        ([share("a", 0), share("b", 10_000, ready=False)], {"a": 10_000}, {"a": 10_000}),
        ([share("a", 9_000), share("b", 1_000)], {"a": 10_000}, {"a": 9_000, "b": 1_000}),
        ([share("a", 9_000), share("b", 1_000, ready=False)], {}, {"a": 10_000}),
        ([share("a", 9_000, ready=False), share("b", 1_000)], {}, {"b": 10_000}),
        ([share("a", 10_000, may=False)], {"a": 10_000}, {}),
        ([share("a", 0, may=False), share("b", 10_000, may=False)], {"a": 10_000}, {}),
        ([share("a", 0)], {}, {}),
    ],
)
def test_a_revision_gets_its_weight_when_it_can_answer_and_a_refused_one_never(
    shares: list[Share], before: dict[str, int], after: dict[str, int]
) -> None:
    assert choose_weights(shares, before) == after


shares_of_two = st.tuples(
    *(
        st.builds(Share, st.just(n), st.integers(0, 10_000), st.booleans(), st.booleans())
        for n in "ab"
    )
)


@given(shares_of_two, st.sampled_from([{}, {"a": 10_000}, {"b": 10_000}, {"a": 4_000, "b": 6_000}]))
def test_weights_are_whole_or_nothing_and_only_for_those_that_may(
    shares: tuple[Share, ...], before: dict[str, int]
) -> None:
    weights = choose_weights(shares, before)

    able = {s.id for s in shares if s.ready and s.may_serve}
    assert set(weights) <= able
    assert sum(weights.values()) in (0, 10_000)
    stable, candidate, weight = arrange(weights, "a")
    assert {s: w for s, w in ((stable, 10_000 - weight), (candidate, weight)) if s and w} == {
        s: w for s, w in weights.items() if w
    }


def seen(**changes: object) -> PhaseFacts:
    """Return a revision that is wanted, prepared and has no replica yet."""
    usual: dict[str, object] = {
        "allowed": True,
        "reason": "",
        "wanted": "run",
        "replicas": 1,
        "ready": 0,
        "present": 0,
        "weight": 0,
        "sessions": 0,
        "prepared": True,
        "failed": "",
    }
    return PhaseFacts(**(usual | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("view", "phase"),
    [
        (seen(allowed=False, reason="recalled", ready=1, weight=10_000), "refused"),
        (seen(prepared=False), "preparing"),
        (seen(), "starting"),
        (seen(ready=1), "ready"),
        (seen(ready=1, replicas=2), "starting"),
        (seen(ready=1, weight=1), "serving"),
        (seen(failed="no Python 3.9"), "failed"),
        (seen(failed="crashes", ready=1, weight=10_000), "serving"),
        (seen(wanted="drain", ready=1, sessions=2), "ready"),
        (seen(wanted="drain", ready=1), "drained"),
        (seen(wanted="stop", present=1), "drained"),
        (seen(wanted="stop"), "stopped"),
    ],
)
def test_a_phase_follows_from_what_is_seen(view: PhaseFacts, phase: str) -> None:
    assert phase_of(view)[0] == phase


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (seen(ready=2, replicas=2, weight=500, note="starting"), ""),
        (seen(ready=1, replicas=2, weight=500), "1 of 2 replicas are ready"),
        (
            seen(ready=1, replicas=2, weight=500, note="starting"),
            "1 of 2 replicas are ready: starting",
        ),
        (
            seen(ready=1, replicas=2, weight=500, note="starting", failed="no memory"),
            "1 of 2 replicas are ready: no memory",
        ),
    ],
)
def test_what_serves_with_too_few_replicas_says_what_keeps_the_others(
    view: PhaseFacts, words: str
) -> None:
    assert phase_of(view) == ("serving", words)


def test_crashes_wait_longer_each_time_and_end_in_failure_with_the_reason() -> None:
    crashes, waits = Crashes(), []
    for _ in range(3):
        crashes.add(100.0, 0.0, "no such column", crashes.begin())
        waits.append(crashes.not_before - 100.0)

    assert waits == [0.5, 1.0, FAILED_WAIT], "then it is tried again seldom"
    assert crashes.failed
    assert "no such column" in crashes.sentence


def test_what_was_ready_once_is_tried_for_ever_and_a_long_life_forgives() -> None:
    crashes = Crashes(was_ready=True)
    for _ in range(12):
        crashes.add(0.0, 1.0, "out of memory", crashes.begin())
    assert not crashes.failed
    assert crashes.not_before == 30.0

    crashes.add(0.0, 3_600.0, "once more", crashes.begin())
    assert (crashes.count, crashes.total) == (1, 13)


def test_replicas_that_were_started_together_count_once_when_they_end() -> None:
    crashes = Crashes()
    for _ in range(3):
        crashes.add(100.0, 0.0, "the holder was away", 0)
    assert (crashes.failed, crashes.sentence, crashes.total) == (False, "", 3)
    assert crashes.not_before == 100.5
    wave = crashes.begin()
    for _ in range(8):
        crashes.add(200.0, 0.0, "the holder was away", wave)
    assert (crashes.count, crashes.not_before) == (2, 201.0)
    crashes.add(300.0, 0.0, "no such column", crashes.begin())
    assert crashes.failed


def test_what_is_ready_for_long_is_no_failure_any_more() -> None:
    crashes = Crashes(count=3)
    crashes.settle(1.0)
    assert crashes.failed
    crashes.settle(20.0)
    assert not crashes.failed
    assert crashes.sentence == ""

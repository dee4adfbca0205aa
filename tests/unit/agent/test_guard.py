"""When a node takes requests back, on answers that are counted second by second."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_agent.guard import GuardMemory, Trip, count, judge
from placet_agent.reports.guard_watch import Sentinel
from placet_agent.reports.metrics import RequestLine
from placet_agent.state.aborts import Aborts
from placet_protocol.fields import ProtocolError, parse_time
from placet_protocol.guard import ErrorRate, Guard, Latency
from placet_protocol.report import LocalAbort
from placet_protocol.state import DesiredEndpoint, DesiredState, read_revision
from tests.support import disk
from tests.unit.agent.test_routing import endpoint, revision

ROW = Guard(consecutive_failures=3)
RATE = Guard(error_rate=ErrorRate(0.2, window_seconds=10, minimum_requests=20))
SLOW = Guard(latency=Latency(0.9, at_most_ms=100, window_seconds=10, minimum_requests=20))
Answer = tuple[float, int, int]  # when, status, milliseconds


def tripped(guard: Guard, answers: list[Answer], at: float | None = None) -> Trip | None:
    """Return what a guard says after these answers."""
    seen = GuardMemory()
    for moment, status, milliseconds in answers:
        count(guard, seen, moment, status, milliseconds)
    return judge(guard, seen, answers[-1][0] if at is None else at)


def mixed(bad: int, good: int, at: float = 100.0, status: int = 500, ms: int = 1) -> list[Answer]:
    """Return answers of one second."""
    return [(at, 200, 1)] * good + [(at, status, ms)] * bad


def test_so_many_server_errors_in_a_row_trip_it_and_one_good_answer_begins_anew() -> None:
    bad, good = (1.0, 502, 5), (1.0, 200, 5)
    assert tripped(ROW, [bad, bad]) is None
    assert tripped(ROW, [bad, bad, good, bad, bad]) is None
    trip = tripped(ROW, [bad, bad, bad])
    assert trip == Trip("consecutive_failures", "3 answers in a row were server errors")


def test_a_full_row_counts_after_a_good_answer_but_not_for_ever() -> None:
    row = [(1.0, 500, 1)] * 3 + [(1.1, 200, 1)]
    assert tripped(ROW, row, at=2.0) is not None
    assert tripped(ROW, row, at=11.5) is None


def test_what_the_client_did_is_no_failure() -> None:
    assert tripped(ROW, [(1.0, 404, 1)] * 50 + [(1.0, 0, 1)] * 50) is None
    left = [(1.0, 500, 1), (1.0, 0, 1), (1.0, 500, 1), (1.0, 500, 1)]
    assert tripped(ROW, left) is not None  # who leaves ends no row either


@pytest.mark.parametrize(
    ("bad", "good", "rule"),
    [(4, 16, None), (5, 15, "error_rate"), (19, 0, None), (20, 0, "error_rate")],
)
def test_the_error_rate_needs_enough_answers_and_more_than_is_allowed(
    bad: int, good: int, rule: str | None
) -> None:
    trip = tripped(RATE, mixed(bad, good))
    assert (trip.rule if trip else None) == rule


def test_answers_leave_the_window_with_time() -> None:
    answers = mixed(20, 0, at=100.0)
    assert tripped(RATE, answers, at=110.9) is not None
    assert tripped(RATE, answers, at=111.0) is None
    assert tripped(RATE, [*answers, *mixed(0, 100, at=111.0)]) is None


@pytest.mark.parametrize(("bad", "rule"), [(2, None), (3, "latency")])
def test_the_share_of_slow_answers_is_held_to_the_quantile(bad: int, rule: str | None) -> None:
    trip = tripped(SLOW, mixed(bad, 20 - bad, status=200, ms=101))
    assert (trip.rule if trip else None) == rule
    assert tripped(SLOW, mixed(20, 0, status=200, ms=100)) is None


def test_who_leaves_after_too_long_a_wait_has_waited_too_long() -> None:
    assert tripped(SLOW, mixed(20, 0, status=0, ms=5_000)) is not None
    assert tripped(SLOW, mixed(20, 0, status=0, ms=50)) is None


def test_a_trip_says_the_numbers_that_it_rests_on() -> None:
    rate, slow = tripped(RATE, mixed(9, 21)), tripped(SLOW, mixed(30, 0, ms=400))
    assert rate is not None and slow is not None
    assert rate.detail == ("30% of 30 answers in 10 s were server errors, at most 20% are allowed")
    assert slow.detail == ("100% of 30 answers in 10 s took over 100 ms, at most 10% are allowed")


@given(
    st.lists(
        st.tuples(st.floats(0, 60), st.sampled_from([0, 200, 404, 500, 503]), st.integers(0, 300)),
        min_size=1,
    )
)
def test_it_says_what_a_recount_of_all_answers_says(answers: list[Answer]) -> None:
    answers = sorted(answers)
    now = answers[-1][0]
    both = Guard(error_rate=RATE.error_rate, latency=SLOW.latency)
    kept = [(s, ms) for at, s, ms in answers if int(at) >= int(now) - 10]
    counted = [(s, ms) for s, ms in kept if s]
    failed = sum(s >= 500 for s, _ in counted)
    slow = sum(ms > 100 for _, ms in kept)
    timed = sum(s > 0 or ms > 100 for s, ms in kept)
    expected = (len(counted) >= 20 and failed * 5 > len(counted)) or (
        timed >= 20 and slow * 10 > timed
    )
    assert (tripped(both, answers) is not None) == expected


# --- the guard as a state says it ---------------------------------------------------------------

RULES: dict[str, Any] = {
    "consecutive_failures": 3,
    "error_rate": {"at_most": 0.2, "window_seconds": 10, "minimum_requests": 20},
    "latency": {
        "quantile": 0.9,
        "at_most_ms": 100,
        "window_seconds": 10,
        "minimum_requests": 20,
    },
}


def test_a_state_carries_the_guard() -> None:
    read = read_revision(revision(1, guard=RULES)).guard
    assert read == Guard(3, RATE.error_rate, SLOW.latency)
    assert read_revision(revision(1, guard=None)).guard is None
    assert read_revision(revision(1)).guard is None


@pytest.mark.parametrize(
    ("guard", "words"),
    [
        ([], "guard"),
        ({"luck": 1}, "luck"),
        ({"consecutive_failures": 0}, "consecutive_failures"),
        ({"consecutive_failures": True}, "consecutive_failures"),
        ({"error_rate": {**RULES["error_rate"], "at_most": 1.5}}, "at_most"),
        ({"error_rate": {**RULES["error_rate"], "at_most": "much"}}, "at_most"),
        ({"error_rate": {"at_most": 0.5}}, "window_seconds"),
        ({"latency": {**RULES["latency"], "at_most_ms": 0}}, "at_most_ms"),
    ],
)
def test_a_state_with_a_guard_that_is_none_is_refused_whole(guard: Any, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        read_revision(revision(1, guard=guard))


# --- watching and aborting ----------------------------------------------------------------------


def canary(**changes: Any) -> DesiredEndpoint:
    """Return an endpoint whose second revision is tried out under a guard."""
    new = revision(2, weight=500, guard=RULES) | changes
    return endpoint(revision(1, weight=9_500), new, stable="rev_1")


def state(*endpoints: DesiredEndpoint, number: int = 1) -> DesiredState:
    """Return a state of these endpoints."""
    moment = parse_time("2026-01-01T00:00:00Z")
    return DesiredState(
        target="tgt_1",
        epoch=1,
        number=number,
        issued_at=moment,
        valid_until=moment,
        checkpoint=None,
        on_expired="serve",
        recalled=frozenset(),
        endpoints=endpoints,
    )


class Guarded:
    """A sentinel with its file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.woken = folder, 0
        self.sentinel = Sentinel(Aborts(folder / "aborts.json"), self.wake)

    def wake(self) -> None:
        """Count how often the loop was woken."""
        self.woken += 1

    def fail(self, revision: str = "rev_2", times: int = 3, **changes: Any) -> None:
        """Have a revision answer with a server error."""
        for _ in range(times):
            self.sentinel.count(RequestLine(1, "e000r1", revision, 503, 1, **changes))

    def look(self, desired: DesiredState, *able: str) -> LocalAbort | None:
        """Look, with these revisions able to answer; return what stands."""
        self.sentinel.look(desired, lambda revision: revision.id in able)
        return self.sentinel.aborts.of("end_1")


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    """A sentinel that follows a canary."""
    made = Guarded(tmp_path)
    made.sentinel.follow(state(canary()))
    return made


def test_a_tripped_guard_is_on_disk_before_anything_follows(guarded: Guarded) -> None:
    guarded.fail()
    assert guarded.woken == 1
    abort = guarded.look(state(canary(), number=7), "rev_1", "rev_2")
    assert abort is not None
    assert (abort["revision"], abort["stable"], abort["rule"], abort["state"]) == (
        "rev_2",
        "rev_1",
        "consecutive_failures",
        {"epoch": 1, "number": 7},
    )
    (row,) = json.loads((guarded.folder / "aborts.json").read_text())
    assert row["abort"] == abort


def test_a_guard_that_trips_on_a_full_disk_counts_and_is_written_with_room_again(
    tmp_path: Path,
) -> None:
    with disk.small(tmp_path / "disk") as folder:
        guarded, desired = Guarded(folder), state(canary())
        guarded.sentinel.follow(desired)
        ballast = disk.fill(folder)
        guarded.fail()
        abort = guarded.look(desired, "rev_1", "rev_2")
        assert abort is not None
        guarded.sentinel.aborts.tell([abort])
        assert "No space" in guarded.sentinel.aborts.fault
        ballast.unlink()
        assert guarded.look(desired, "rev_1", "rev_2") == abort
        assert guarded.sentinel.aborts.fault == ""
        assert Guarded(folder).look(desired) == abort


@pytest.mark.parametrize(
    "changes",
    [
        {"revision": "rev_1"},
        {"revision": "rev_9"},
        {"cohort": "mirrored"},
        {"cohort": "overridden"},
        {"cohort": "no_unit"},
    ],
)
def test_stable_copies_and_testers_do_not_count(guarded: Guarded, changes: dict[str, Any]) -> None:
    guarded.fail(times=50, **changes)
    assert guarded.look(state(canary()), "rev_1", "rev_2") is None


def test_nothing_is_taken_back_until_stable_can_answer(guarded: Guarded) -> None:
    guarded.fail(times=20)
    assert guarded.look(state(canary()), "rev_2") is None
    assert guarded.look(state(canary()), "rev_1", "rev_2") is not None


def test_without_a_guard_or_a_stable_revision_nobody_is_watched(guarded: Guarded) -> None:
    for desired in (state(canary(guard=None)), state(endpoint(revision(2, guard=RULES)))):
        guarded.sentinel.follow(desired)
        guarded.fail(times=50)
        assert guarded.look(desired, "rev_1", "rev_2") is None


def test_what_was_seen_counts_on_in_a_newer_state_of_the_same_rollout(guarded: Guarded) -> None:
    guarded.fail(times=2)
    further = state(canary(weight=2_500), number=2)
    guarded.sentinel.follow(further)
    guarded.fail(times=1)
    assert guarded.look(further, "rev_1") is not None


def test_an_abort_outlives_the_agent_and_every_state_of_its_rollout(guarded: Guarded) -> None:
    guarded.fail()
    guarded.look(state(canary()), "rev_1")
    again = Guarded(guarded.folder)
    live = endpoint(revision(1), revision(2, weight=10_000), stable="rev_2")
    held = canary(weight=0, wanted="stop")
    for number, entry in enumerate((canary(), canary(weight=5_000), live, held, canary())):
        assert again.look(state(entry, number=number + 1), "rev_1") is not None


@pytest.mark.parametrize(
    "other",
    [
        endpoint(revision(1, weight=10_000), stable="rev_1"),
        endpoint(revision(1, weight=10_000), revision(3, guard=RULES), stable="rev_1"),
        endpoint(revision(1), revision(2), revision(3, weight=1), stable="rev_1"),
        None,
    ],
)
def test_another_rollout_lifts_it_but_it_is_told_first(
    guarded: Guarded, other: DesiredEndpoint | None
) -> None:
    guarded.fail()
    abort = guarded.look(state(canary()), "rev_1")
    assert abort is not None
    desired = state(*([other] if other else []), number=2)
    guarded.sentinel.follow(desired)
    assert guarded.look(desired, "rev_1", "rev_3") is None
    aborts = Aborts(guarded.folder / "aborts.json")
    assert aborts.all() == (abort,)  # nobody was told yet
    aborts.follow(desired)
    aborts.tell([abort])
    assert aborts.all() == ()
    assert Aborts(guarded.folder / "aborts.json").all() == ()


def test_what_stands_is_told_again_and_again(guarded: Guarded) -> None:
    guarded.fail()
    abort = guarded.look(state(canary()), "rev_1")
    assert abort is not None
    guarded.sentinel.aborts.tell([abort])
    assert Aborts(guarded.folder / "aborts.json").all() == (abort,)

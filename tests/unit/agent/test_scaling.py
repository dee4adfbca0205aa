"""How many replicas a load asks for: the rule itself, and who is scaled by which requests."""

import math
import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import SimpleNamespace as Row
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_agent.haproxy.admin import AdminError, BackendCounters
from placet_agent.scaling import (
    LOOK_SECONDS,
    MEAN_SECONDS,
    QUIET_SECONDS,
    REST_SECONDS,
    LoadMemory,
    Scaler,
    next_count,
)
from placet_verify.permit.scaling import Scaling
from placet_verify.units import WHOLE

ONE_TO_EIGHT = Scaling(least=1, most=8, target=4)


def counts(looks: Iterable[int], scaling: Scaling = ONE_TO_EIGHT, *, start: int = 1) -> list[int]:
    """Return how many replicas there are after each look at what is live."""
    memory, count, found = LoadMemory(), start, []
    for number, in_flight in enumerate(looks):
        memory.look(100 + number * LOOK_SECONDS, in_flight, scaling.target)
        count = next_count(count, scaling, memory, least=scaling.least, shrinks=True)
        found.append(count)
    return found


def looks(seconds: float) -> int:
    """Return how often it is looked in so many seconds."""
    return int(seconds / LOOK_SECONDS)


class TestTheRule:
    def test_a_load_that_stays_is_followed_within_the_mean(self) -> None:
        found = counts([12] * looks(10))
        assert found == [1] * looks(MEAN_SECONDS) + [3] * looks(10 - MEAN_SECONDS)

    def test_a_load_that_jumps_is_met_within_the_time_of_the_mean(self) -> None:
        quiet, jump = [0] * looks(60), [30] * looks(MEAN_SECONDS)
        found = counts([*quiet, *jump])
        assert (found[len(quiet) - 1], found[-1]) == (1, 8)

    def test_one_look_among_many_moves_nothing(self) -> None:
        assert set(counts([*[3] * looks(5), 16, *[3] * looks(5)])) == {1}

    def test_fewer_come_only_after_less_was_enough_for_the_whole_time(self) -> None:
        found = counts([*[30] * looks(10), *[2] * looks(QUIET_SECONDS + MEAN_SECONDS)])
        last = len(found) - found[::-1].index(8)
        assert (last - looks(10)) * LOOK_SECONDS >= QUIET_SECONDS - LOOK_SECONDS
        assert found[-1] == 1

    def test_nothing_is_taken_away_before_it_has_looked_for_the_whole_time(self) -> None:
        assert set(counts([0] * looks(QUIET_SECONDS), start=5)) == {5}

    @pytest.mark.parametrize("period", [2, 5, 10])
    def test_a_load_that_goes_up_and_down_is_settled_after_its_first_top(self, period: int) -> None:
        wave = [
            round(10 + 9 * math.sin(2 * math.pi * i / looks(period))) for i in range(looks(200))
        ]
        after = counts(wave)[looks(period + MEAN_SECONDS) :]
        assert len(set(after)) == 1

    @given(
        st.lists(st.integers(0, 5000), max_size=300),
        st.integers(1, 8),
        st.integers(1, 64),
        st.integers(1, 50),
        st.integers(1, 64),
    )
    def test_it_is_never_beyond_what_was_approved_and_never_too_few_for_long(
        self, load: list[int], least: int, more: int, target: int, start: int
    ) -> None:
        scaling = Scaling(least=least, most=min(64, least + more), target=target)
        steady = load[-1] if load else 0
        found = counts([*load, *[steady] * looks(MEAN_SECONDS + 1)], scaling, start=start)
        assert all(scaling.least <= count <= scaling.most for count in found)
        assert found[-1] >= min(scaling.most, math.ceil(steady / target))

    def test_a_load_of_waves_costs_little_more_than_it_must(self) -> None:
        """Requests of 50 ms at a rate that rises and falls within two minutes: arrivals as chance
        has them, and the count of those under way."""
        chance, scaling = random.Random(7), Scaling(least=1, most=8, target=2)
        under_way, ideal, period = [], 0.0, 120.0
        for i in range(looks(4 * period)):
            rate = 80 * (1 - math.cos(2 * math.pi * i * LOOK_SECONDS / period))
            under_way.append(poisson(chance, rate * 0.05))
            ideal += max(1, math.ceil(rate * 0.05 / scaling.target))
        found = counts(under_way, scaling)
        assert sum(found) <= 1.3 * ideal


def poisson(chance: random.Random, mean: float) -> int:
    """Draw a count with this mean (Knuth, TAOCP 2, 3.4.1)."""
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product, count = product * chance.random(), count + 1
    return count


def revision(name: str, *, replicas: int = 1, weight: int = 0, **more: Any) -> Any:
    row = {"header_route": None, "mirror": 0, **more}
    return Row(id=name, replicas=replicas, weight=weight, **row)


class Node:
    """A scaler with a clock and counts of its own."""

    def __init__(self, running: Mapping[str, int] | None = None) -> None:
        self.now, self.seen = 100.0, dict[str, int]()
        self.running = running or {}
        self.asked: list[set[str]] = []
        self.ended = 0
        self.scaler = Scaler(self.look, lambda: self.now)
        self.silent = False

    def look(self, revisions: Collection[str]) -> dict[str, BackendCounters]:
        self.asked.append(set(revisions))
        if self.silent:
            raise AdminError("it does not answer")
        return {name: BackendCounters(self.ended, count) for name, count in self.seen.items()}

    def passes(self, seconds: float, *revisions: Any, stable: str, **scalings: Scaling) -> None:
        """Make passes for so long, as the loop does: more often than it is looked."""
        endpoint: Any = Row(stable=stable, revisions=revisions)
        for _ in range(int(seconds / 0.1)):
            self.now += 0.1
            self.scaler.follow([endpoint], scalings, lambda name: self.running.get(name, 0))


LIVE, NEW = revision("live", weight=WHOLE), revision("new", replicas=2)


@pytest.fixture
def node() -> Iterator[Node]:
    yield Node()


class TestWhoIsScaled:
    def test_what_is_not_scaled_has_what_the_state_says(self, node: Node) -> None:
        node.seen = {"live": 100}
        node.passes(5, LIVE, stable="live")
        assert node.scaler.count(LIVE) == 1

    def test_what_is_live_is_scaled_by_all_requests_of_its_endpoint(self, node: Node) -> None:
        node.seen = {"live": 2, "new": 18}
        node.passes(40, LIVE, NEW, stable="live", live=ONE_TO_EIGHT)
        assert node.scaler.count(LIVE) == 5

    def test_a_candidate_has_its_share_of_what_is_live(self, node: Node) -> None:
        node.seen = {"live": 32}
        part = revision("new", replicas=2, weight=5000)
        node.passes(5, LIVE, part, stable="live", live=ONE_TO_EIGHT, new=ONE_TO_EIGHT)
        assert (node.scaler.count(LIVE), node.scaler.count(part)) == (8, 4)

    def test_so_has_one_beside_what_is_not_scaled(self, node: Node) -> None:
        old, part = revision("live", replicas=6), revision("new", weight=5000)
        node.passes(5, old, part, stable="live", new=ONE_TO_EIGHT)
        assert node.scaler.count(part) == 3

    def test_a_candidate_has_no_fewer_than_the_platform_says(self, node: Node) -> None:
        node.passes(60, LIVE, NEW, stable="live", live=ONE_TO_EIGHT, new=ONE_TO_EIGHT)
        assert node.scaler.count(NEW) == 2

    def test_what_was_live_keeps_what_it_had(self, node: Node) -> None:
        node.seen = {"live": 30}
        node.passes(5, LIVE, NEW, stable="live", live=ONE_TO_EIGHT, new=ONE_TO_EIGHT)
        node.seen = {"new": 30}
        node.passes(60, LIVE, NEW, stable="new", live=ONE_TO_EIGHT, new=ONE_TO_EIGHT)
        assert (node.scaler.count(LIVE), node.scaler.count(NEW)) == (8, 8)

    def test_what_goes_live_or_back_loses_no_replica_for_what_it_had_to_do_before(self) -> None:
        node = Node(running={"live": 8, "new": 8})
        node.seen = {"live": 32}
        node.passes(60, LIVE, NEW, stable="live", live=ONE_TO_EIGHT, new=ONE_TO_EIGHT)
        for stable in ("new", "live"):
            node.seen = {stable: 32}
            for _ in range(300):
                node.passes(0.1, LIVE, NEW, stable=stable, live=ONE_TO_EIGHT, new=ONE_TO_EIGHT)
                assert (node.scaler.count(LIVE), node.scaler.count(NEW)) == (8, 8)

    def test_an_agent_that_begins_goes_on_with_what_runs(self) -> None:
        node = Node(running={"live": 6})
        node.passes(QUIET_SECONDS - 1, LIVE, stable="live", live=ONE_TO_EIGHT)
        assert node.scaler.count(LIVE) == 6
        node.passes(2, LIVE, stable="live", live=ONE_TO_EIGHT)
        assert node.scaler.count(LIVE) == 1

    def test_while_haproxy_does_not_answer_nothing_moves(self, node: Node) -> None:
        node.seen = {"live": 30}
        node.passes(5, LIVE, stable="live", live=ONE_TO_EIGHT)
        node.silent = True
        node.passes(120, LIVE, stable="live", live=ONE_TO_EIGHT)
        assert node.scaler.count(LIVE) == 8

    def test_it_is_as_wanted_with_its_least(self, node: Node) -> None:
        node.seen = {"live": 30}
        node.passes(5, LIVE, NEW, stable="live", live=ONE_TO_EIGHT, new=ONE_TO_EIGHT)
        assert (node.scaler.least(LIVE), node.scaler.least(NEW)) == (1, 2)


ZERO_TO_EIGHT = Scaling(least=0, most=8, target=4)


class TestWhoSleeps:
    def test_what_had_no_request_for_the_whole_time_has_no_replica(self) -> None:
        found = counts([*[3] * looks(20), *[0] * looks(REST_SECONDS + 1)], ZERO_TO_EIGHT)
        assert set(found[: looks(20 + REST_SECONDS) - 1]) == {1}
        assert found[-1] == 0

    @given(st.lists(st.booleans(), max_size=600), st.integers(1, 8))
    def test_it_never_sleeps_within_the_time_after_a_request(
        self, calls: list[bool], start: int
    ) -> None:
        """However short: one that came and went between two looks is counted as well."""
        memory, count, ended, last = LoadMemory(), start, 0, 0
        for number, called in enumerate(calls * 2):
            ended, last = ended + called, number if called else last
            memory.look(100 + number * LOOK_SECONDS, 0, ZERO_TO_EIGHT.target, ended)
            count = next_count(count, ZERO_TO_EIGHT, memory, least=0, shrinks=True)
            assert count > 0 or (number - last) * LOOK_SECONDS >= REST_SECONDS
            if not count:
                return

    def test_what_sleeps_is_not_looked_at_and_wakes_with_one(self, node: Node) -> None:
        node.passes(REST_SECONDS + 2, LIVE, stable="live", live=ZERO_TO_EIGHT)
        assert node.scaler.count(LIVE) == 0
        node.asked.clear()
        node.seen = {"live": 40}
        node.passes(60, LIVE, stable="live", live=ZERO_TO_EIGHT)
        assert (node.scaler.count(LIVE), node.asked) == (0, [])
        node.scaler.wake("live")
        assert node.scaler.count(LIVE) == 1
        node.passes(MEAN_SECONDS + 1, LIVE, stable="live", live=ZERO_TO_EIGHT)
        assert node.scaler.count(LIVE) == 8

    def test_a_request_between_two_looks_keeps_it_awake(self, node: Node) -> None:
        node.seen = {"live": 0}
        for _ in range(6):
            node.ended += 1
            node.passes(REST_SECONDS / 2, LIVE, stable="live", live=ZERO_TO_EIGHT)
        assert node.scaler.count(LIVE) == 1

    @pytest.mark.parametrize(
        "other", [{"weight": 1}, {"mirror": 100}, {"header_route": ("X-Test", "1")}]
    )
    def test_nothing_sleeps_while_another_is_tried(self, node: Node, other: dict[str, Any]) -> None:
        both = (LIVE, revision("new", **other))
        node.passes(3 * REST_SECONDS, *both, stable="live", live=ZERO_TO_EIGHT, new=ZERO_TO_EIGHT)
        assert [node.scaler.count(one) for one in both] == [1, 1]

    def test_what_was_left_asleep_sleeps_on_with_the_next_agent(self, node: Node) -> None:
        endpoint: Any = Row(stable="live", revisions=[LIVE])
        node.scaler.follow([endpoint], {"live": ZERO_TO_EIGHT}, lambda name: None)
        assert node.scaler.count(LIVE) == 0

    def test_nothing_rests_before_it_answered(self, node: Node) -> None:
        endpoint: Any = Row(stable="live", revisions=[LIVE])
        for _ in range(int(3 * REST_SECONDS)):
            node.now += 1
            node.scaler.follow([endpoint], {"live": ZERO_TO_EIGHT}, lambda _: 1, lambda _: False)
        assert node.scaler.count(LIVE) == 1

    def test_only_what_is_scaled_is_asked_for(self, node: Node) -> None:
        node.passes(1, LIVE, NEW, stable="live", new=ONE_TO_EIGHT)
        assert node.asked[-1] == {"new"}
        node.passes(1, LIVE, NEW, stable="live")
        assert node.asked[-1] == {"new"}, "nothing is asked where nothing is scaled"

"""Revisions that sleep when nobody calls, with a real HAProxy, a real holder and real sandboxes."""

import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from placet_agent import scaling
from placet_agent.process.holding import Holder
from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.test_limits import at_once, counted

REST = 1.0  # seconds without a request, in these tests
ZERO = {"min_replicas": 0, "max_replicas": 2, "target_inflight": 50}


@pytest.fixture(autouse=True)
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have agents put to sleep what nobody asks for a second."""
    for name in ("QUIET_SECONDS", "REST_SECONDS"):
        monkeypatch.setattr(scaling, name, REST)
    monkeypatch.setenv("PLACET_TEST_REST", str(REST))


def sleeper(platform: Platform, name: str = "sleepy", **more: Any) -> dict[str, Any]:
    """Return a live revision that may sleep."""
    return platform.revision(1, platform.build(name), weight=10_000, **(ZERO | more))


def wait_asleep(platform: Platform, revision: str = "rev_1") -> None:
    """Wait until it sleeps, and does not wake."""
    platform.wait(
        lambda: (seen := platform.seen(revision))["phase"] == "asleep" and not seen["detail"]
    )


def asleep(platform: Platform, **more: Any) -> dict[str, Any]:
    """Publish it, and wait until it sleeps."""
    only = sleeper(platform, **more)
    platform.serve(only, stable="rev_1")
    wait_asleep(platform)
    return only


def running(node: NodeUnderTest) -> list[str]:
    """Return the replicas that there are."""
    return [path.stem for path in (node.home.folder / "replicas").glob("*.json")]


def answered(answers: list[httpx.Response]) -> int:
    """Return how many were answered by the Bento."""
    return sum(a.status_code == 200 and a.json()["name"] == "sleepy" for a in answers)


def abandon(node: NodeUnderTest, path: str) -> socket.socket:
    """Ask, and return the connection without waiting for an answer."""
    made = socket.create_connection(("127.0.0.1", node.port), timeout=10)
    made.sendall(f"GET {PATH}{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return made


def test_it_sleeps_wakes_and_sleeps_again_and_nobody_is_lost(
    platform: Platform, node: NodeUnderTest
) -> None:
    asleep(platform, variables={"BIND_AFTER": "0.5"})
    seen = platform.seen("rev_1")
    assert (seen["ready_replicas"], seen["weight"], seen["restarts"]) == (0, 10_000, 0)
    platform.wait(lambda: not running(node))

    answers = at_once(node, 100, "/who?ms=20")
    assert answered(answers) == 100
    slowest = max(a.elapsed.total_seconds() for a in answers)
    print(f"100 waited {slowest:.2f} s at most")
    platform.wait_phase("rev_1", "serving")
    wait_asleep(platform)
    assert node.who() == "sleepy"
    assert counted(platform, "status_5xx") == (0, 0)
    assert platform.seen("rev_1")["restarts"] == 0


def test_requests_keep_it_awake_however_short_they_are(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(sleeper(platform), stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    before = running(node)
    until = time.monotonic() + 4 * REST
    while time.monotonic() < until:
        assert node.who() == "sleepy"
        time.sleep(REST / 3)
    assert running(node) == before


def test_who_comes_as_it_falls_asleep_is_answered(platform: Platform, node: NodeUnderTest) -> None:
    """About as often as it sleeps: whatever it is doing then, nothing is lost."""
    platform.serve(sleeper(platform), stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    for number in range(12):
        assert node.who() == "sleepy"
        time.sleep(REST - 0.1 + number * 0.05)


def test_more_than_may_wait_are_refused_and_are_no_errors(
    platform: Platform, node: NodeUnderTest
) -> None:
    limits = {"in_flight": 4, "queue": 5, "queue_seconds": 20}
    asleep(platform, limits=limits, variables={"BIND_AFTER": "2"})
    answers = at_once(node, 20, "/who?ms=20")
    refused = [a for a in answers if a.status_code == 503]
    assert (answered(answers), len(refused)) == (6, 14)  # the one that wakes it, and five
    assert {a.json()["code"] for a in refused} == {"queue_full"}
    assert {a.headers["retry-after"] for a in refused} == {"1"}
    platform.wait(lambda: counted(platform, "status_5xx") == (0, 14))


def test_who_waits_longer_than_the_release_says_is_refused_and_it_wakes_all_the_same(
    platform: Platform, node: NodeUnderTest
) -> None:
    limits = {"queue_seconds": 1}
    asleep(platform, limits=limits, variables={"BIND_AFTER": "4"})
    answers = at_once(node, 5, "/who")
    assert [a.status_code for a in answers] == [503] * 5
    assert {a.json()["code"] for a in answers} == {"busy"}
    assert {a.headers["retry-after"] for a in answers} == {"1"}
    assert max(a.elapsed.total_seconds() for a in answers) < 3
    platform.wait_phase("rev_1", "serving")
    assert node.who() == "sleepy"
    platform.wait(lambda: counted(platform, "status_5xx") == (0, 5))


def test_who_gives_up_leaves_the_queue(platform: Platform, node: NodeUnderTest) -> None:
    asleep(platform, limits={"queue": 10}, variables={"BIND_AFTER": "2.5"})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(node.get)
        platform.wait(lambda: platform.seen("rev_1")["detail"])
        gone = [abandon(node, "/gone") for _ in range(10)]
        time.sleep(0.3)
        assert node.get().status_code == 503  # as many wait as may
        for connection in gone:
            connection.close()
        time.sleep(0.3)
        assert answered(at_once(node, 10, "/who")) == 10
        assert first.result().status_code == 200
    assert counted(platform, "status_2xx")[0] <= 11


def test_a_recall_while_it_sleeps_keeps_it_down(platform: Platform, node: NodeUnderTest) -> None:
    only = asleep(platform)
    platform.recalled = [only["bento_digest"]]
    platform.publish()
    assert "recalled" in platform.wait_phase("rev_1", "refused")["detail"]
    answer = node.get()
    assert (answer.status_code, answer.json()["code"]) == (503, "nothing_live")
    time.sleep(0.5)
    assert running(node) == []
    assert not list((node.home.folder / "doors").iterdir())


def test_a_recall_while_it_wakes_answers_who_waits(platform: Platform, node: NodeUnderTest) -> None:
    """At once, the one at its socket and those in HAProxy's queue, not when their time is over."""
    limits = {"queue_seconds": 20}
    only = asleep(platform, variables={"BIND_AFTER": "15"}, limits=limits)
    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(node.get) for _ in range(5)]
        platform.wait(lambda: platform.seen("rev_1")["detail"])
        platform.recalled = [only["bento_digest"]]
        began = time.monotonic()
        platform.publish()
        assert {w.result().status_code for w in waiting} == {503}
    assert time.monotonic() - began < 8
    assert node.get().json()["code"] == "nothing_live"
    platform.wait(lambda: not running(node))
    assert platform.seen("rev_1")["phase"] == "refused"


def test_one_that_never_becomes_ready_is_said_to_fail(
    platform: Platform, node: NodeUnderTest
) -> None:
    good = asleep(platform)
    crash = {"weight": 10_000, "variables": {"CRASH": "1"}, **ZERO}
    broken = platform.revision(1, good["bento_digest"], **crash)
    platform.serve(broken, stable="rev_1")
    platform.wait(lambda: platform.reports[-1]["applied"]["number"] == platform.number)
    assert platform.seen("rev_1")["phase"] == "asleep"
    answer = node.get()
    assert answer.status_code == 503
    seen = platform.wait_phase("rev_1", "failed")
    assert "no such column: age" in seen["detail"]
    assert seen["restarts"] >= 3
    assert node.get().status_code == 503
    assert counted(platform, "status_5xx")[1] >= 1


@pytest.mark.parametrize("point", ["", "agent.before_replica_start"])
def test_an_agent_that_dies_while_it_sleeps_is_followed_by_one_that_wakes_it(
    platform: Platform, joined: NodeUnderTest, point: str, tmp_path: Any
) -> None:
    armed = tmp_path / "armed"
    armed.mkdir()
    joined.start_process(PLACET_CRASH_FOLDER=str(armed))
    asleep(platform)
    platform.wait(lambda: not running(joined))
    if point:
        (armed / point).touch()
    else:
        joined.kill_process()
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(joined.get) for _ in range(20)]
        if point:
            joined.processes[-1].wait(timeout=20)
        time.sleep(0.5)
        assert not any(w.done() for w in waiting)
        joined.start_process()
        assert answered([w.result() for w in waiting]) == 20
    platform.wait_phase("rev_1", "serving")


@pytest.mark.parametrize("point", ["agent.before_door", "agent.after_door"])
def test_an_agent_that_dies_as_it_puts_it_to_sleep_loses_nothing(
    platform: Platform, joined: NodeUnderTest, point: str, tmp_path: Any
) -> None:
    armed = tmp_path / "armed"
    armed.mkdir()
    joined.start_process(PLACET_CRASH_FOLDER=str(armed))
    platform.serve(sleeper(platform), stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    (armed / point).touch()
    joined.processes[-1].wait(timeout=20)
    assert joined.who() == "sleepy"  # its replica serves on
    joined.start_process()
    wait_asleep(platform)
    assert joined.who() == "sleepy"


def test_an_agent_that_dies_as_it_wakes_it_is_followed_by_one_that_does(
    platform: Platform, joined: NodeUnderTest, tmp_path: Any
) -> None:
    armed = tmp_path / "armed"
    armed.mkdir()
    joined.start_process(PLACET_CRASH_FOLDER=str(armed))
    asleep(platform)
    (armed / "agent.after_door_taken").touch()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(joined.get)  # at the socket that a replica might have had
        joined.processes[-1].wait(timeout=20)
        joined.start_process()
        assert waiting.result().status_code in (200, 503)
    platform.wait(lambda: joined.get().status_code == 200)


def test_while_it_wakes_the_agent_may_be_replaced(
    platform: Platform, joined: NodeUnderTest
) -> None:
    joined.start_process()
    asleep(platform, variables={"BIND_AFTER": "3"})
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(joined.get) for _ in range(20)]
        platform.wait(lambda: running(joined))
        time.sleep(0.5)
        joined.kill_process()
        joined.start_process()
        assert answered([w.result() for w in waiting]) == 20
    platform.wait_phase("rev_1", "serving")


def kill_holder(node: NodeUnderTest) -> None:
    """End the holder as ``kill -9`` does."""
    holder = Holder(node.home.folder / "holder")
    assert holder.adopt()
    assert holder.ref is not None
    holder._end([holder.ref])


def test_a_holder_that_dies_while_it_sleeps_loses_nobody(
    platform: Platform, node: NodeUnderTest
) -> None:
    asleep(platform)
    kill_holder(node)
    assert answered(at_once(node, 20, "/who")) == 20


def test_after_agent_and_holder_died_it_sleeps_at_a_fresh_socket(
    platform: Platform, joined: NodeUnderTest
) -> None:
    joined.start_process()
    asleep(platform)
    before = [path.read_text() for path in (joined.home.folder / "doors").iterdir()]
    joined.kill_process()
    kill_holder(joined)
    platform.reports.clear()
    joined.start_process()
    wait_asleep(platform)
    assert [path.read_text() for path in (joined.home.folder / "doors").iterdir()] != before
    assert running(joined) == []
    assert answered(at_once(joined, 20, "/who")) == 20


def test_nothing_sleeps_beside_a_candidate_and_a_candidate_never_does(
    platform: Platform, node: NodeUnderTest
) -> None:
    old = sleeper(platform, "old")
    new = platform.revision(2, platform.build("new"), **ZERO)
    platform.serve(old, stable="rev_1")
    wait_asleep(platform)
    platform.serve(old, new, stable="rev_1")
    platform.wait_phase("rev_2", "ready")
    platform.serve({**old, "weight": 9_000}, {**new, "weight": 1_000}, stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    time.sleep(2 * REST + 0.5)
    assert [platform.seen(name)["ready_replicas"] for name in ("rev_1", "rev_2")] == [1, 1]
    platform.serve({**old, "weight": 0}, {**new, "weight": 10_000}, stable="rev_2")
    wait_asleep(platform, "rev_2")  # what was live is warm, and asks for nothing
    assert platform.seen("rev_1")["ready_replicas"] == 1
    assert node.who() == "new"
    platform.serve({**old, "weight": 10_000}, {**new, "weight": 0}, stable="rev_1")
    platform.wait(lambda: node.who() == "old")


def test_ten_wakes_take_about_as_long_as_a_start(platform: Platform, node: NodeUnderTest) -> None:
    asleep(platform)
    took = []
    for _ in range(3):
        began = time.monotonic()
        assert node.who() == "sleepy"
        took.append(time.monotonic() - began)
        platform.wait_phase("rev_1", "serving")
        wait_asleep(platform)
    print(f"a wake took {statistics.median(took):.2f} s")
    assert statistics.median(took) < 5

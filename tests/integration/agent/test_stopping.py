"""Replicas that are to stop while requests are under way on them, with a real HAProxy."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from placet_agent import stopping
from placet_agent.haproxy import config
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform

SLOW = 4.0  # seconds of a request, which the release allows
LIMITS = {"request_seconds": 20}


@pytest.fixture(autouse=True)
def least(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have agents give whoever may take no longer a second."""
    monkeypatch.setattr(stopping, "DRAIN_SECONDS", 1.0)


def begin(node: NodeUnderTest, path: str = f"/who?ms={SLOW * 1000:.0f}") -> Future[httpx.Response]:
    """Ask, and return once the replica has the request."""
    pool = ThreadPoolExecutor(1)
    asked = pool.submit(node.get, path)
    pool.shutdown(wait=False)
    proxy = node.agent.proxy
    replicas = list(node.agent.replicas.all)
    end = time.monotonic() + 10
    while not any(proxy.sessions(name) for name in replicas):
        assert time.monotonic() < end
        time.sleep(0.02)
    return asked


def running(node: NodeUnderTest) -> list[str]:
    """Return the replicas that there are."""
    return [path.stem for path in (node.home.folder / "replicas").glob("*.json")]


def served(platform: Platform, **more: Any) -> dict[str, Any]:
    """Publish a live revision whose requests may take long, and wait until it serves."""
    only = platform.revision(
        1, platform.build("slow"), weight=10_000, **({"limits": LIMITS} | more)
    )
    platform.serve(only, stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    return only


def ends(platform: Platform, only: dict[str, Any]) -> None:
    """Have another revision take its place."""
    other = platform.revision(2, platform.build("next"), weight=10_000)
    platform.serve(other, {**only, "weight": 0}, stable="rev_2")
    platform.wait_phase("rev_2", "serving")
    platform.serve(other, stable="rev_2")


def restarts(platform: Platform, only: dict[str, Any]) -> None:
    """Have it begun anew."""
    platform.serve({**only, "restart_nonce": 1}, stable="rev_1")


def shrinks(platform: Platform, only: dict[str, Any]) -> None:
    """Have it stopped."""
    platform.serve({**only, "weight": 0, "wanted": "stop"}, stable="rev_1")


@pytest.mark.parametrize("change", [ends, restarts, shrinks])
@pytest.mark.parametrize("limits", [LIMITS, {}])
def test_a_request_may_take_as_long_as_its_release_says_while_its_replica_is_to_stop(
    platform: Platform,
    node: NodeUnderTest,
    change: Callable[[Platform, dict[str, Any]], None],
    limits: dict[str, int],
) -> None:
    only = served(platform, limits=limits)
    (replica,) = running(node)
    asked = begin(node)
    change(platform, only)
    assert asked.result().status_code == 200
    platform.wait(lambda: replica not in running(node))


def test_the_next_agent_waits_as_long_for_what_is_not_in_its_state_any_more(
    platform: Platform, node: NodeUnderTest
) -> None:
    only = served(platform)
    (replica,) = running(node)
    asked = begin(node)
    ends(platform, only)
    platform.wait(lambda: node.agent.replicas.all[replica].stopping)
    node.stop()
    node.start()
    assert asked.result().status_code == 200
    platform.wait(lambda: replica not in running(node))


def test_who_takes_longer_than_allowed_is_not_waited_for_for_ever(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "MARGIN_SECONDS", 0.5)
    only = served(platform, limits={"request_seconds": 2}, variables={"TRICKLE": "1"})
    (replica,) = running(node)
    threading.Thread(target=listen, args=(node,), daemon=True).start()
    platform.wait(lambda: node.agent.proxy.sessions(replica))
    began = time.monotonic()
    shrinks(platform, only)
    platform.wait(lambda: replica not in running(node))
    assert 2 <= time.monotonic() - began < 15


def listen(node: NodeUnderTest) -> None:
    """Take an answer that never ends."""
    try:
        node.get("/who")
    except httpx.HTTPError:
        return


def test_a_recall_waits_for_nobody(platform: Platform, node: NodeUnderTest) -> None:
    only = served(platform)
    (replica,) = running(node)
    asked = begin(node)
    began = time.monotonic()
    platform.recalled = [only["bento_digest"]]
    platform.publish()
    platform.wait(lambda: replica not in running(node))
    assert time.monotonic() - began < SLOW - 0.5
    assert asked.result().status_code in (502, 503)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_request_that_haproxy_had_before_a_reload_is_answered(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    """The HAProxy that came knows nothing of it; an agent that came since does not either."""
    only = served(platform)
    (replica,) = running(node)
    asked, before = begin(node), node.agent.proxy.process.ref
    monkeypatch.setattr(config, "LAYOUT", config.LAYOUT + 1)  # which takes a reload
    restarts(platform, only)
    platform.wait(lambda: node.agent.proxy.process.ref != before)
    if replaced:
        node.stop()
        node.start()
    assert asked.result().status_code == 200
    platform.wait(lambda: replica not in running(node))

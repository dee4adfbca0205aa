"""Limits of a release, with a real HAProxy and slow replicas."""

import hashlib
import http.client
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx

from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.steady import p99, steadily
from tests.integration.agent.test_testers_and_copies import windows

KEYS = {name: {"X-API-Key": name} for name in ("mine", "other")}


def serve(platform: Platform, *, locked: bool = False, **limits: int) -> None:
    """Publish a live revision with these limits, and wait until it serves."""
    only = platform.revision(1, platform.build("slow"), weight=10_000, limits=limits)
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in KEYS]
    keys: dict[str, Any] = {"api_key_required": True, "keys": hashes} if locked else {}
    platform.serve(only, stable="rev_1", **keys)
    platform.wait_phase("rev_1", "serving")


def counted(platform: Platform, name: str) -> tuple[int, int]:
    """Return how many requests with such a status were counted, and how many beside them."""
    found = windows(platform, "rev_1")
    beside = [w.get("apart", {}).get("limited", {}) for w in found]
    return sum(w[name] for w in found), sum(part.get(name, 0) for part in beside)


def callers(node: NodeUnderTest) -> int:
    """Return how many callers HAProxy counts requests of."""
    return node.agent.proxy.admin.ask("show table rates").count("key=")


def at_once(node: NodeUnderTest, count: int, path: str) -> list[httpx.Response]:
    """Send requests at once, and return what was answered in the order of sending."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: node.get(path), range(count)))


def test_no_more_are_in_flight_and_no_more_wait_than_the_release_says(
    platform: Platform, node: NodeUnderTest
) -> None:
    serve(platform, in_flight=2, queue=3)
    began = time.monotonic()
    answers = at_once(node, 12, "/who?ms=700")
    seconds = time.monotonic() - began

    good = [a for a in answers if a.status_code == 200]
    refused = [a for a in answers if a.status_code == 503]
    assert (len(good), len(refused)) == (5, 7)
    assert seconds >= 3 * 0.7  # two, two and one after another
    for answer in refused:
        assert answer.json()["code"] == "queue_full"
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["content-type"] == "application/problem+json"
    platform.wait(lambda: counted(platform, "status_2xx")[0] == 5)
    platform.wait(lambda: counted(platform, "status_5xx") == (0, 7))


def test_nobody_waits_where_nobody_may(platform: Platform, node: NodeUnderTest) -> None:
    serve(platform, in_flight=1, queue=0)
    assert [node.get().status_code for _ in range(5)] == [200] * 5
    codes = sorted(a.status_code for a in at_once(node, 4, "/who?ms=500"))
    assert codes == [200, 503, 503, 503]


def test_who_waited_too_long_is_refused_and_is_no_error(
    platform: Platform, node: NodeUnderTest
) -> None:
    serve(platform, in_flight=1, queue_seconds=1)
    answers = at_once(node, 2, "/who?ms=2500")

    good, refused = sorted(answers, key=lambda a: a.status_code)
    assert (good.status_code, refused.status_code) == (200, 503)
    assert refused.json()["code"] == "busy"
    assert refused.headers["retry-after"] == "1"
    assert 0.9 <= refused.elapsed.total_seconds() < 2.4
    platform.wait(lambda: counted(platform, "status_5xx") == (0, 1))


def test_who_leaves_while_they_wait_gives_up_their_place(
    platform: Platform, node: NodeUnderTest
) -> None:
    serve(platform, in_flight=1, queue=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(node.get, "/who?ms=2000")
        platform.wait(lambda: node.agent.proxy.loads({"rev_1"})["rev_1"].current == 1)
        leaving = socket.create_connection(("127.0.0.1", node.port))
        leaving.sendall(f"GET {PATH}/who?ms=2000 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        platform.wait(lambda: node.agent.proxy.loads({"rev_1"})["rev_1"].current == 2)
        leaving.close()
        platform.wait(lambda: node.agent.proxy.loads({"rev_1"})["rev_1"].current == 1)
        last = pool.submit(node.get, "/who?ms=10")
        assert (first.result().status_code, last.result().status_code) == (200, 200)
    platform.wait(lambda: counted(platform, "status_2xx")[0] == 2)
    assert [counted(platform, f"status_{n}xx")[0] for n in (4, 5)] == [0, 0]


def test_a_slow_answer_is_ended_and_is_an_error(platform: Platform, node: NodeUnderTest) -> None:
    serve(platform, request_seconds=1)
    assert node.get("/who?ms=300").status_code == 200
    slow = node.get("/who?ms=5000")
    assert (slow.status_code, slow.json()["code"]) == (504, "over_time")
    assert 0.9 <= slow.elapsed.total_seconds() < 3
    platform.wait(lambda: counted(platform, "status_5xx") == (1, 0))


def test_the_rate_of_one_key_leaves_another_alone(platform: Platform, node: NodeUnderTest) -> None:
    serve(platform, locked=True, rate=5)
    for number in range(50):  # of no key: they take nobody's place
        assert node.get(headers={"x-api-key": f"wrong{number}"}).status_code == 401
    assert callers(node) == 0
    answers = [node.get(headers={"X-Api-KEY": "mine"}) for _ in range(10)]
    refused = [a for a in answers if a.status_code == 429]
    assert [a.status_code for a in answers[:5]] == [200] * 5
    assert len(refused) == 5
    assert refused[0].json()["code"] == "over_rate"
    assert refused[0].headers["retry-after"] == "1"
    bearer = node.get(headers={"Authorization": "Bearer mine"})  # the same key
    assert bearer.status_code == 429
    assert node.get(headers=KEYS["other"]).status_code == 200
    platform.wait(lambda: counted(platform, "status_4xx") == (0, 6))
    assert callers(node) == 2


def test_who_goes_over_the_rate_gets_what_it_allows(
    platform: Platform, node: NodeUnderTest
) -> None:
    serve(platform, rate=20)
    until, codes = time.monotonic() + 4, []
    while time.monotonic() < until:
        codes.append(node.get().status_code)
    assert set(codes) == {200, 429}
    assert 60 <= codes.count(200) <= 110


def measured(node: NodeUnderTest, seconds: float) -> list[float]:
    """Return how long the calls took of who calls steadily with a key of its own."""
    with steadily(node.port, f"{PATH}/who?ms=40", 20.0, "other") as took:
        time.sleep(seconds)
    return took


@contextmanager
def flood(node: NodeUnderTest) -> Iterator[list[int]]:
    """Call by another key meanwhile, 16 at once and as fast as answers come."""
    stop, codes = threading.Event(), list[int]()

    def call() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
        while not stop.is_set():
            connection.request("GET", f"{PATH}/who?ms=40", headers=KEYS["mine"])
            answer = connection.getresponse()
            answer.read()
            codes.append(answer.status)
            stop.wait(0.02)  # the callers share this machine's cores with who is measured
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)  # what the rate lets through at once is answered
    try:
        yield codes
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def flooded(platform: Platform, node: NodeUnderTest, **limits: int) -> float:
    """Return how many times the median call of the one takes while the other floods the four places
    that there are, of which each call takes one for 40 ms."""
    serve(platform, locked=True, in_flight=4, **limits)
    alone = measured(node, 4)
    with flood(node) as codes:
        beside = measured(node, 4)
    assert (429 in codes) == ("rate" in limits)
    assert -1 not in beside, "each call of the other is answered"
    print(f"p99 alone {p99(alone):.1f} ms, flooded {p99(beside):.1f} ms")
    return statistics.median(beside) / statistics.median(alone)


def test_a_flood_by_one_key_leaves_the_other_its_place(
    platform: Platform, node: NodeUnderTest
) -> None:
    """A quarter of the places is what the rate leaves to the flood."""
    assert flooded(platform, node, rate=25) <= 1.5


def test_without_a_rate_the_same_flood_takes_every_place(
    platform: Platform, node: NodeUnderTest
) -> None:
    """So that what the other one shows is the rate's."""
    assert flooded(platform, node) > 1.5


def test_who_is_silent_or_slow_leaves_others_their_place(
    platform: Platform, node: NodeUnderTest
) -> None:
    """A thousand connections on which nothing is asked, and five hundred bodies that trickle; there
    are four places."""
    serve(platform, locked=True, in_flight=4)
    alone = measured(node, 4)
    head = f"POST {PATH}/who HTTP/1.1\r\nHost: a\r\nX-API-Key: mine\r\nContent-Length: 9000\r\n\r\n"
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", node.port)))
            for _ in range(1_500)
        ]
        slow = held[1_000:]
        for one in slow:
            one.sendall(head.encode())
        with trickling(slow):
            beside = measured(node, 4)
    assert -1 not in beside, "each call of the other is answered"
    print(f"p99 alone {p99(alone):.1f} ms, beside them {p99(beside):.1f} ms")
    assert statistics.median(beside) <= 1.5 * statistics.median(alone)
    assert node.agent.proxy.loads({"rev_1"})["rev_1"].current == 0


@contextmanager
def trickling(slow: list[socket.socket]) -> Iterator[None]:
    """Send a byte of each body a second meanwhile."""
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(1):
            for one in slow:
                one.sendall(b"1")

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()

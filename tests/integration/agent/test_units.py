"""A split by unit: everybody keeps what they got, and anybody can recompute it."""

import http.client
import json
import os
import signal
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from placet_verify.units import gets_candidate
from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.load import Load

SALT = "5a17c0ffee5a17c0"
HEADER = {"header": "X-User"}


class Caller:
    """One connection to the endpoint."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def name(self, *headers: tuple[str, str | bytes], body: bytes | None = None) -> str:
        """Return who answers a request with these header lines."""
        self.connection.putrequest("GET" if body is None else "POST", f"{PATH}/who")
        for key, value in headers:
            self.connection.putheader(key, value)
        if body is not None:
            self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders(body)
        answer = self.connection.getresponse()
        return str(json.loads(answer.read())["name"])

    def names(self, units: Iterable[str]) -> dict[str, str]:
        """Return who answers each unit."""
        return {unit: self.name(("X-User", unit)) for unit in units}


@contextmanager
def calling(node: NodeUnderTest) -> Iterator[Caller]:
    """Open one connection."""
    caller = Caller(node.port)
    yield caller
    caller.connection.close()


class Canary:
    """A stable and a candidate revision; ``at`` says how much the candidate gets."""

    def __init__(self, platform: Platform, unit: dict[str, str] | None = HEADER) -> None:
        self.platform = platform
        self.old = platform.revision(1, platform.build("stable"), weight=10_000)
        self.new = platform.revision(2, platform.build("candidate"), unit=unit, salt=SALT)

    def publish(self, weight: int) -> None:
        """Ask for this weight."""
        old, new = {**self.old, "weight": 10_000 - weight}, {**self.new, "weight": weight}
        self.platform.serve(old, new, stable="rev_1")

    def at(self, weight: int) -> None:
        """Ask for this weight and wait until the node says that it follows."""
        self.publish(weight)
        self.platform.wait(lambda: self.platform.seen("rev_2")["weight"] == weight)
        if not weight:
            self.platform.wait_phase("rev_2", "ready")


def expected(units: Iterable[str], weight: int) -> dict[str, str]:
    """Return who should answer each unit."""
    got = {unit: gets_candidate(SALT, unit, weight) for unit in units}
    return {unit: "candidate" if yes else "stable" for unit, yes in got.items()}


def windows(platform: Platform, revision: str) -> list[dict[str, Any]]:
    """Return the windows that were reported of a revision."""
    found = [w for report in list(platform.reports) for w in report["metrics"]]
    return [w for w in found if w["revision"] == revision]


def first(platform: Platform, revision: str) -> int:
    """Return how many units were counted."""
    parts = [w["first"] for w in windows(platform, revision) if "first" in w]
    return sum(sum(part["latency"].values()) for part in parts)


def test_every_unit_gets_what_anybody_recomputes_and_none_goes_back(
    platform: Platform, node: NodeUnderTest
) -> None:
    canary, before = Canary(platform), set[str]()
    units = [f"user-{number}" for number in range(1_500)]

    with calling(node) as caller:
        for weight in (100, 500, 1_000, 3_333, 5_000):
            canary.at(weight)
            names = caller.names(units)
            assert names == expected(units, weight)
            moved = {unit for unit, name in names.items() if name == "candidate"}
            assert before <= moved
            before = moved


def test_a_unit_keeps_its_revision_while_the_node_restarts_and_weights_change(
    platform: Platform, joined: NodeUnderTest
) -> None:
    joined.start_process()
    canary, units = Canary(platform), [f"user-{number}" for number in range(300)]
    canary.at(6_000)

    joined.kill_process()
    pid = int(json.loads((joined.home.folder / "haproxy/process.json").read_text())["pid"])
    canary.publish(7_500)
    (joined.home.folder / "haproxy/table.json").unlink()  # the node forgets who was stable
    os.kill(pid, signal.SIGKILL)
    joined.start_process()
    canary.at(7_500)

    with calling(joined) as caller:
        assert caller.names(units) == expected(units, 7_500)


def test_a_stable_revision_that_comes_back_gets_its_own_units_again(
    platform: Platform, node: NodeUnderTest
) -> None:
    canary, units = Canary(platform), [f"user-{number}" for number in range(200)]
    canary.at(2_000)
    for replica in list(node.agent.replicas.all.values()):
        if replica.record.revision == "rev_1":
            replica.refs[0].signal(signal.SIGKILL)

    platform.wait(lambda: platform.seen("rev_2")["weight"] == 10_000)
    platform.wait(lambda: platform.seen("rev_2")["weight"] == 2_000)
    with calling(node) as caller:
        assert caller.names(units) == expected(units, 2_000)


def test_what_holds_no_readable_unit_stays_on_stable_and_is_counted_apart(
    platform: Platform, node: NodeUnderTest
) -> None:
    canary = Canary(platform)
    canary.at(9_999)
    unreadable: list[list[tuple[str, str | bytes]]] = [
        [],
        [("X-User", "")],
        [("X-User", "x" * 129)],
        [("X-User", "a"), ("X-User", "a")],
        [("x-user", "a"), ("X-USER", "b")],
        [("X-User", "a\tb")],
        [("X-User", "a\x01b")],
        [("X-User", b"jos\xc3\xa9")],
    ]
    with calling(node) as caller:
        assert [caller.name(*headers) for headers in unreadable] == ["stable"] * len(unreadable)
        readable = ["a", "x" * 128, "a, b", "~!\"'\\ {}%[:]"]
        assert caller.names(readable) == expected(readable, 9_999)

    platform.wait(lambda: any("apart" in w for w in windows(platform, "rev_1")))
    platform.wait(lambda: first(platform, "rev_2") == len(readable))
    parts = [w["apart"]["no_unit"] for w in windows(platform, "rev_1") if "apart" in w]
    assert sum(part["status_2xx"] for part in parts) == len(unreadable)
    assert sum(sum(part["latency"].values()) for part in parts) == len(unreadable)
    assert sum(w["status_2xx"] for w in windows(platform, "rev_1")) == 0
    assert not any("error" in w for w in windows(platform, "rev_1") + windows(platform, "rev_2"))


@pytest.mark.parametrize("value", [b"x" * (1 << 20), b"a\x00b"])
def test_a_header_that_no_request_may_have_is_refused_and_harms_nobody(
    platform: Platform, node: NodeUnderTest, value: bytes
) -> None:
    Canary(platform).at(5_000)
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        request = f"GET {PATH}/who HTTP/1.1\r\nHost: x\r\nX-User: ".encode() + value
        answer = b""
        try:
            connection.sendall(request + b"\r\n\r\n")
            answer = connection.recv(65536)
        except OSError:  # it was refused before it was read to its end
            answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    with calling(node) as caller:
        assert caller.names(["a", "b"]) == expected(["a", "b"], 5_000)


def test_each_unit_is_counted_once_at_each_weight(platform: Platform, node: NodeUnderTest) -> None:
    canary, units, names = Canary(platform), [f"u{number}" for number in range(100)], Counter[str]()
    with calling(node) as caller:
        for weight in (3_000, 6_000):
            canary.at(weight)
            for _ in range(3):
                seen = caller.names(units)
            names.update(seen.values())

    def answered() -> int:
        return sum(w["status_2xx"] for r in ("rev_1", "rev_2") for w in windows(platform, r))

    platform.wait(lambda: answered() == 600)
    assert [first(platform, r) for r in ("rev_1", "rev_2")] == [names["stable"], names["candidate"]]


def test_a_unit_in_a_cookie(platform: Platform, node: NodeUnderTest) -> None:
    Canary(platform, {"cookie": "uid"}).at(5_000)
    units = [f"user-{number}" for number in range(200)]

    with calling(node) as caller:
        names = {u: caller.name(("Cookie", f"theme=dark; uid={u}; x=1")) for u in units}
        assert names == expected(units, 5_000)
        assert caller.name(("Cookie", "other=1")) == "stable"
        taken = next(u for u in units if gets_candidate(SALT, u, 5_000))
        assert caller.name(("Cookie", f"uid={taken}; uid=other")) == "stable"


def test_a_unit_in_a_json_body(platform: Platform, node: NodeUnderTest) -> None:
    Canary(platform, {"json": "/rows/0/user-id"}).at(5_000)
    units = [*(f"user-{number}" for number in range(100)), "7", "3.50", 'a"b']

    def body(unit: object, size: int = 0) -> bytes:
        row = {"pad": "x" * size, "user-id": unit}
        return json.dumps({"rows": [row, {"user-id": "another"}]}).encode()

    with calling(node) as caller:
        assert {u: caller.name(body=body(u)) for u in units} == expected(units, 5_000)
        assert caller.name(body=b'{"rows": [{"user-id": 7}]}') == expected(["7"], 5_000)["7"]
        taken = next(u for u in units if gets_candidate(SALT, u, 5_000))
        assert caller.name(body=body(taken, size=8_000)) == "candidate"
        for unreadable in (
            body(taken, size=13_000),
            body(taken, size=900_000),
            b"",
            b"not json",
            b"[]",
            b'{"rows": []}',
            body(None),
            body({"a": 1}),
            body("é"),
            body("\u0416"),
            body("a\nb"),
            b"[" * 5_000 + body(taken),
        ):
            assert caller.name(body=unreadable) == "stable", unreadable[:60]


def test_a_body_that_comes_slowly_is_waited_for(platform: Platform, node: NodeUnderTest) -> None:
    Canary(platform, {"json": "/user"}).at(9_999)
    taken = next(u for u in map(str, range(9)) if gets_candidate(SALT, u, 9_999))
    content = json.dumps({"pad": "x" * 2_000, "user": taken}).encode()
    with calling(node) as caller:
        connection = caller.connection
        connection.putrequest("POST", f"{PATH}/who")
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content[:100])
        platform.wait(lambda: "wait-for-body" in node.agent.proxy.admin.ask("show sess all"))
        connection.send(content[100:])
        assert json.loads(connection.getresponse().read())["name"] == "candidate"


def test_another_unit_is_taken_up_without_a_lost_request(
    platform: Platform, node: NodeUnderTest
) -> None:
    canary = Canary(platform)
    canary.at(5_000)
    load = Load(node.port, f"{PATH}/who").start()
    units = [f"user-{number}" for number in range(100)]

    canary.new = platform.revision(3, platform.build("third"), unit={"header": "X-Seat"}, salt="s3")
    canary.new["weight"] = 5_000
    platform.serve({**canary.old, "weight": 5_000}, canary.new, stable="rev_1")
    platform.wait(lambda: platform.seen("rev_3")["weight"] == 5_000)
    with calling(node) as caller:
        names = {unit: caller.name(("X-Seat", unit)) for unit in units}
    load.until(load.sent + 200)
    load.stop()

    assert names == {u: "third" if gets_candidate("s3", u, 5_000) else "stable" for u in units}
    assert load.failures == []


def test_a_state_without_the_new_members_splits_per_request(
    platform: Platform, node: NodeUnderTest
) -> None:
    canary = Canary(platform, unit=None)
    del canary.new["salt"]
    platform.serve({**canary.old, "weight": 5_000}, {**canary.new, "weight": 5_000})
    platform.wait(lambda: platform.seen("rev_2")["weight"] == 5_000)

    with calling(node) as caller:
        names = Counter(caller.name(("X-User", "always-me")) for _ in range(100))
    assert abs(names["candidate"] - 50) <= 1


def test_a_unit_that_is_approved_but_cannot_be_understood_is_refused(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), unit={"header": "a b"}))

    report = platform.wait_phase("rev_1", "refused")

    assert "the approved unit must be" in report["detail"]

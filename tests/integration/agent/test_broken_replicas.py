"""Every request is answered and logged, whatever its replica says in place of an answer."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from placet_agent.haproxy import config, traffic
from tests.integration.agent.keeping import Keeping, KeepingReplica, Log, asking
from tests.integration.agent.sockets import wait
from tests.support.processes import until


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Keeping]:
    with ExitStack() as stack:
        made = Keeping(tmp_path / "haproxy", stack)  # HAProxy ends after its replicas
        yield made


def silent(gateway: Keeping, *, kept: bool) -> tuple[KeepingReplica, Log]:
    """Return a replica that answers no more, perhaps over a connection that it answered on, and
    the log of its gateway."""
    one = gateway.keeping("rev_1", "one")
    gateway.serve()
    log = Log(gateway)
    if kept:
        assert gateway.who() == "one"
    one.answering.clear()
    return one, log


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("said", ["100 Continue", "103 Early Hints"])
def test_a_replica_that_says_an_interim_answer_failed(
    gateway: Keeping, said: str, *, closes: bool, kept: bool
) -> None:
    one, log = silent(gateway, kept=kept)
    thread, answers = gateway.begin()
    wait(lambda: len(one.heard) == 1 + kept)
    one.wires[0].sendall(f"HTTP/1.1 {said}\r\nlink: a\r\n\r\n".encode())
    if closes:
        one.wires[0].shutdown(socket.SHUT_RDWR)
    thread.join()

    assert [json.loads(answer)["code"] for answer in answers] == ["bad_gateway"]
    log.wait_statuses(*[200] * kept, 502)
    one.answering.set()
    assert gateway.whos() == ["one"] * 5  # over another connection
    assert len(one.wires) == 2


@pytest.mark.parametrize("kept", [True, False])
def test_an_upload_slower_than_the_timeout_is_answered_when_its_replica_closes(
    gateway: Keeping, *, kept: bool
) -> None:
    gateway.proxy.settings = replace(gateway.proxy.settings, server_timeout_seconds=1)
    one, log = silent(gateway, kept=kept)
    with gateway.pipe() as pipe:
        pipe.sendall(asking("/slow", "Content-Length: 20000") + b"1" * traffic.MAX_BODY)
        for _ in range(5):
            time.sleep(0.3)
            pipe.sendall(b"1")
        one.wires[0].shutdown(socket.SHUT_RDWR)
        answer = pipe.recv(65536)

    assert answer.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 504 ")), answer
    log.wait_statuses(*[200] * kept, int(answer.split()[1]))


def test_who_sends_slowly_takes_no_place_until_the_body_is_there(gateway: Keeping) -> None:
    one, log = silent(gateway, kept=True)
    one.answering.set()
    with gateway.pipe() as pipe:
        pipe.sendall(asking("/slow", "Content-Length: 9") + b"1")
        until(lambda: "wait-for-body" in gateway.proxy.admin.ask("show sess all"))
        assert gateway.who() == "one"
        assert [path for path in one.heard if "slow" in path] == []
        pipe.sendall(b"1" * 8)
        assert pipe.recv(65536).startswith(b"HTTP/1.1 200 ")
    log.wait_statuses(200, 200, 200)


def test_one_address_leaves_others_a_place(gateway: Keeping) -> None:
    gateway.keeping("rev_1", "one")
    gateway.serve()
    with ExitStack() as stack:
        held = [stack.enter_context(gateway.pipe()) for _ in range(config.MOST_OF_ONE)]
        with pytest.raises(ConnectionResetError):
            stack.enter_context(gateway.pipe()).recv(1)
        other = stack.enter_context(gateway.pipe("127.0.0.2"))
        other.sendall(asking("/who"))
        assert other.recv(65536).startswith(b"HTTP/1.1 200 ")
        held.pop().close()
        until(lambda: gateway.who() == "one")


def test_who_waits_to_send_a_body_hears_from_haproxy_and_the_replica_is_not_asked(
    gateway: Keeping,
) -> None:
    gateway.proxy.settings = replace(gateway.proxy.settings, max_body_bytes=100_000)
    one = gateway.keeping("rev_1", "one")
    gateway.serve()
    with gateway.pipe() as pipe:
        pipe.sendall(asking("/large", "Expect: 100-continue", "Content-Length: 100000"))
        assert pipe.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert not one.heard
        pipe.sendall(b"1" * 100_000)  # more than a buffer of HAProxy's
        assert pipe.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert "expect:" not in one.heads[0].lower()


def test_who_was_asked_for_a_body_and_sends_none_is_answered_in_the_end(
    gateway: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "BODY_SECONDS", 1)
    one = gateway.keeping("rev_1", "one")
    gateway.serve()
    log = Log(gateway)
    with gateway.pipe() as pipe:
        pipe.sendall(asking("/none", "Expect: 100-continue", "Content-Length: 9"))
        assert pipe.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert pipe.recv(65536).startswith(b"HTTP/1.1 408 ")
    log.wait_statuses(408)
    assert not one.heard


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Content-Length: 100001", b"413"),
        ("Transfer-Encoding: chunked", b"411"),
    ],
)
def test_what_is_refused_is_not_asked_for_its_body(
    gateway: Keeping, said: str, status: bytes
) -> None:
    gateway.proxy.settings = replace(gateway.proxy.settings, max_body_bytes=100_000)
    one = gateway.keeping("rev_1", "one")
    gateway.serve()
    with gateway.pipe() as pipe:
        pipe.sendall(asking("/large", "Expect: 100-continue", said))
        assert pipe.recv(65536).split()[1] == status
    assert not one.heard

"""How long a thread waits for what a client sends: real sockets, and a clock that is moved."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser

from placet.web import slow_clients
from placet.web.patience import Patience, bound
from placet.web.slow_clients import LOOK, SlowClients
from placet.web.worker import answers_after_the_body
from tests.unit.deploy.conftest import Clock

FORM = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
CHUNK = FORM.replace(b"\r\n\r\n", b"\r\nContent-Type: application/offset+octet-stream\r\n\r\n")


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's end of a connection, and ours."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        yield theirs, ours


Ends = tuple[socket.socket, socket.socket]


class Late:
    """A socket over which things come after so many seconds of waiting."""

    def __init__(self, sock: socket.socket, clock: Clock, seconds: float) -> None:
        self._sock, self._clock, self._seconds = sock, clock, seconds
        self._due, self._left = seconds, seconds

    def settimeout(self, seconds: float | None) -> None:
        self._left = self._due if seconds is None else seconds

    def recv(self, size: int) -> bytes:
        waited = min(self._due, self._left)
        self._clock.now += waited
        self._due -= waited
        if self._due > 0:
            raise TimeoutError
        self._due = self._seconds
        return self._sock.recv(size)


def among(threads: int, busy: int = 0) -> SlowClients:
    """The slow clients of a worker that has work for so many of its threads."""
    return SlowClients(
        SimpleNamespace(cfg=SimpleNamespace(threads=threads), nr_conns=busy, idle=[])
    )


def test_a_body_has_twenty_seconds_and_one_for_each_8_kb(clock: Clock, ends: Ends) -> None:
    reader = Patience(ends[1], among(2))
    ends[0].sendall(b"x" * 8192)
    assert (reader.left, len(reader.chunk()), reader.left) == (20, 8192, 21)


def test_who_sends_much_at_once_may_wait_for_a_minute_then(clock: Clock, ends: Ends) -> None:
    reader = Patience(ends[1], among(2))
    for _ in range(100):
        ends[0].sendall(b"x" * 8192)
        assert len(reader.chunk()) == 8192
    assert reader.left == 60


def test_only_the_time_counts_in_which_it_is_waited(clock: Clock, ends: Ends) -> None:
    reader = Patience(ends[1], among(2))
    clock.now += 3600  # in which the application does something else
    ends[0].sendall(b"x")
    assert (reader.chunk(), reader.left) == (b"x", pytest.approx(20, abs=0.001))
    slow = Patience(Late(ends[1], clock, 15), among(2))
    ends[0].sendall(b"xy")
    assert (slow.chunk(), slow.left) == (b"xy", pytest.approx(5, abs=0.001))
    assert (slow.chunk(), slow.left) == (b"", 0)


def test_where_too_many_threads_wait_who_sends_least_goes_and_who_is_new_does_not(
    clock: Clock, ends: Ends
) -> None:
    slow = among(2, busy=3)
    other = Patience(ends[1], slow)
    slow.begin(other)
    reader = Patience(Late(ends[1], clock, 15), slow)
    begun = clock.now
    assert (reader.chunk(), reader.left) == (b"", 0)
    assert clock.now == begun + LOOK
    slow.end(other)
    alone = Patience(Late(ends[1], clock, 15), slow)
    ends[0].sendall(b"x")
    assert alone.chunk() == b"x", "half of the threads may wait"


class Answer:
    """What the server begins an answer with."""

    def __init__(self, request: Any) -> None:
        self.req, self.closes, self.status, self.response_length = request, False, "", 0

    def force_close(self) -> None:
        self.closes = True

    def start(self, status: str, *_: Any) -> None:
        self.status = status


def answered(parser: Any) -> tuple[bytes | None, str, bool]:
    """Take the next request; return what an application reads of it, the answer's status, and
    whether the connection goes on."""
    patience = Patience(parser.unreader.sock, among(2))
    parser.unreader.chunk = patience.chunk
    request, taken = next(parser), list[bytes]()
    bound(request, patience)
    answer, headers = Answer(request), dict(request.headers)

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        taken.append(environ["wsgi.input"].read())
        start("200 OK", [])
        return []

    answers_after_the_body(application)(
        {
            "wsgi.input": request.body,
            "CONTENT_LENGTH": headers.get("CONTENT-LENGTH"),
            "CONTENT_TYPE": headers.get("CONTENT-TYPE"),
        },
        answer.start,
    )
    return taken[0] if taken else None, answer.status, not answer.closes


def test_a_request_after_a_rest_has_its_own_time(clock: Clock, ends: Ends) -> None:
    parser = RequestParser(Config(), ends[1], ("127.0.0.1", 1))
    for _ in range(2):
        ends[0].sendall(FORM + b"0123456789")
        assert answered(parser) == (b"0123456789", "200 OK", True)
        clock.now += 60


@pytest.mark.parametrize("by", ["time", "its client"])
def test_half_a_body_is_no_body(ends: Ends, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ends[0].sendall(FORM + b"01234")
    if by == "time":
        monkeypatch.setattr(slow_clients, "SECONDS", 0.1)
    else:
        ends[0].shutdown(socket.SHUT_WR)
    parser = RequestParser(Config(), ends[1], ("127.0.0.1", 1))
    assert answered(parser) == (None, "400 Bad Request", False)


def test_of_an_upload_what_came_is_taken(ends: Ends) -> None:
    ends[0].sendall(CHUNK + b"01234")
    ends[0].shutdown(socket.SHUT_WR)
    parser = RequestParser(Config(), ends[1], ("127.0.0.1", 1))
    assert answered(parser)[:2] == (b"01234", "200 OK")

"""How long a thread waits for what a client sends: real sockets, and a clock that is moved."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser

from placet.web import patience
from placet.web.patience import Patience, bound
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
    """A socket over which things come after so many seconds."""

    def __init__(self, sock: socket.socket, clock: Clock, seconds: float) -> None:
        self._sock, self._clock, self._seconds, self._left = sock, clock, seconds, seconds

    def settimeout(self, seconds: float | None) -> None:
        self._left = self._seconds if seconds is None else seconds

    def recv(self, size: int) -> bytes:
        self._clock.now += min(self._seconds, self._left)
        if self._left < self._seconds:
            raise TimeoutError
        return self._sock.recv(size)


def test_a_body_has_twenty_seconds_and_one_for_each_8_kb(clock: Clock, ends: Ends) -> None:
    reader = Patience(ends[1])
    ends[0].sendall(b"x" * 8192)
    assert (reader.left, len(reader.chunk()), reader.left) == (20, 8192, 21)


def test_who_sends_much_at_once_may_wait_for_a_minute_then(clock: Clock, ends: Ends) -> None:
    reader = Patience(ends[1])
    for _ in range(100):
        ends[0].sendall(b"x" * 8192)
        assert len(reader.chunk()) == 8192
    assert reader.left == 60


def test_only_the_time_counts_in_which_it_is_waited(clock: Clock, ends: Ends) -> None:
    reader = Patience(ends[1])
    clock.now += 3600  # in which the application does something else
    ends[0].sendall(b"x")
    assert (reader.chunk(), reader.left) == (b"x", pytest.approx(20, abs=0.001))
    slow = Patience(Late(ends[1], clock, 15))
    ends[0].sendall(b"xy")
    assert (slow.chunk(), slow.left) == (b"xy", pytest.approx(5, abs=0.001))
    assert (slow.chunk(), slow.left) == (b"", 0)


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
    request, taken = next(parser), list[bytes]()
    request.patience = bound(request)
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
        monkeypatch.setattr(patience, "SECONDS", 0.1)
    else:
        ends[0].shutdown(socket.SHUT_WR)
    parser = RequestParser(Config(), ends[1], ("127.0.0.1", 1))
    assert answered(parser) == (None, "400 Bad Request", False)


def test_of_an_upload_what_came_is_taken(ends: Ends) -> None:
    ends[0].sendall(CHUNK + b"01234")
    ends[0].shutdown(socket.SHUT_WR)
    parser = RequestParser(Config(), ends[1], ("127.0.0.1", 1))
    assert answered(parser)[:2] == (b"01234", "200 OK")

"""All of an identity provider's answer is bounded: what stands before its body too."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import chain, repeat

import pytest
from requests import RequestException, Session, TooManyRedirects

from apps.identity.sign_in import provider_answers
from apps.identity.sign_in.provider_answers import MAX_BYTES, bounded

LINE = b"HTTP/1.1 200 OK\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = LINE + b"Transfer-Encoding: chunked\r\n\r\n"
LONG = b"X: " + b"x" * 60_000 + b"\r\n"
BODY = LINE + b"Content-Length: 2\r\n\r\n{}"
LONGEST = LINE + b"Content-Length: %d\r\n\r\n" % MAX_BYTES + b"{}".ljust(MAX_BYTES)
DRIPPING = [
    (b"", b"H"),
    (LINE, b"X"),
    (LINE + b"X: ", b"x"),
    (b"", GO_ON),
    (CHUNKED + b"1;", b"x"),
    (LINE + b"Content-Length: 100000\r\n\r\n", b"x"),
]


@pytest.fixture
def said(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that says each of these pieces, with so many seconds between."""
    over, (pieces, seconds) = threading.Event(), request.param
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            begun = time.monotonic()
            wire, _ = server.accept()
            with wire:
                wire.recv(65536)
                for piece in pieces:
                    try:
                        wire.sendall(piece)
                    except OSError:
                        return
                    if over.wait(seconds) or time.monotonic() > begun + 6:
                        return

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        over.set()
        thread.join()


def asked(url: str) -> bytes:
    with bounded(Session()) as session:
        return session.get(url, timeout=5).content


@pytest.mark.parametrize(
    "said",
    [(chain([first], repeat(piece)), 0.02) for first, piece in DRIPPING],
    indirect=True,
    ids=["line", "name", "header", "continue", "chunk", "body"],
)
def test_an_answer_in_small_pieces_takes_no_longer_than_it_may(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_answers, "SECONDS", 0.5)
    begun = time.monotonic()
    with pytest.raises(RequestException):
        asked(said)
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "said",
    [
        ([LINE, *[LONG] * 90, b"Content-Length: 2\r\n\r\n{}"], 0),
        ([*[GO_ON] * 100_000, BODY], 0),
        ([CHUNKED, b"2\r\n{}\r\n0\r\n", *[LONG] * 90, b"\r\n"], 0),
    ],
    indirect=True,
    ids=["headers", "continue", "trailers"],
)
def test_all_of_an_answer_has_no_more_bytes_than_it_may(said: str) -> None:
    with pytest.raises(RequestException):
        asked(said)


@pytest.mark.parametrize(
    "said", [([GO_ON, BODY], 0), ([LONGEST], 0)], indirect=True, ids=["continue", "longest"]
)
def test_what_keeps_to_it_is_read(said: str) -> None:
    assert asked(said).strip() == b"{}"


def test_the_redirects_of_an_answer_are_few_since_each_has_its_own_time() -> None:
    asked_for: list[str] = []

    class Onward(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked_for.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"/{len(asked_for)}")
            self.end_headers()

        def log_message(self, *_said: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Onward) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            with pytest.raises(TooManyRedirects):
                asked(f"http://127.0.0.1:{server.server_port}/0")
        finally:
            server.shutdown()
            thread.join()
    assert asked_for == ["/0", "/1", "/2", "/3"]

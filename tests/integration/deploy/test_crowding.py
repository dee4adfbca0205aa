"""A client that opens very many connections, begins TLS on them or sends bodies slowly keeps no
other client waiting: over the real gunicorn, from two addresses of this machine."""

import os
import signal
import socket
import ssl
from pathlib import Path

from tests.integration.deploy.test_slow_clients import (
    ASKED,
    LAST,
    POST,
    Web,
    asks,
    ended,
    gathered,
    served,
)
from tests.integration.deploy.test_stopping import is_stopped
from tests.support.certificates import Authority
from tests.support.processes import until
from tests.unit.deploy.conftest import hello

ELSEWHERE = ("127.0.0.2", 0)
FLOOD = 200


def honest(web: Web) -> socket.socket:
    """Return a connection from another address than the others."""
    one = socket.create_connection(("127.0.0.1", web.port), 60, source_address=ELSEWHERE)
    return web.ends.enter_context(one)


def test_who_begins_many_handshakes_stands_behind_who_begins_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    chain, key, _ = authority.issue("web", rsa_bits=3072)  # each costs milliseconds
    files = {"PLACET_TLS_CERT": str(chain), "PLACET_TLS_KEY": str(key)}
    with served(tmp_path / "data", **files) as web:
        trust = ssl.create_default_context(cafile=str(authority.ca))
        os.kill(web.pid, signal.SIGSTOP)  # all of it comes before it sees any
        try:
            until(lambda: is_stopped(web.pid), 60, "it stands still")
            many = [web.client() for _ in range(FLOOD)]
            for one in many:
                one.sendall(hello())
            last = honest(web)
        finally:
            os.kill(web.pid, signal.SIGCONT)
        with trust.wrap_socket(last, server_hostname="localhost") as shaken:
            before = sum(has_answer(one) for one in many)
            shaken.sendall(ASKED)
            assert shaken.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert before < FLOOD / 2, "it was served after all of them"
        until(lambda: all(map(has_answer, many)), 60, "each has its turn")


def has_answer(one: socket.socket) -> bool:
    """Tell whether something has come over a connection."""
    one.setblocking(False)
    try:
        return one.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return False


def test_who_keeps_many_connections_ends_their_own(tmp_path: Path) -> None:
    with served(tmp_path, GUNICORN_CMD_ARGS="--worker-connections 40") as web:
        proxy = honest(web)
        proxy.sendall(ASKED)
        assert proxy.recv(65536)
        many = []
        for _ in range(30):
            many.append(web.client())
            many[-1].sendall(ASKED)
            assert many[-1].recv(65536)
        until(lambda: ended(many[-1]), what="it was told to end")
        assert not ended(many[0]), "it makes room, and not one that is kept"
        assert not ended(proxy)
        proxy.setblocking(True)
        proxy.sendall(ASKED)
        assert proxy.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_who_keeps_most_connections_is_told_before_one_ends(tmp_path: Path) -> None:
    """Whoever keeps a hundred, as a proxy may, and asks on each loses no request."""
    with served(tmp_path, GUNICORN_CMD_ARGS="--worker-connections 40") as web:
        told = 0
        for _ in range(100):
            one = web.client()
            one.sendall(ASKED)
            said = b""
            while b'{"status": "ok"}' not in said:
                said += (more := one.recv(65536))
                assert more, "it was ended unanswered"
            if b"\r\nConnection: close\r\n" in said:
                told += 1
                gathered(one)
                one.close()
        assert told >= 100 - 20
        asks(web.port)


def test_who_sends_bodies_slowly_leaves_others_a_thread(tmp_path: Path) -> None:
    with served(tmp_path) as web:
        for _ in range(4):
            web.client().sendall(POST)
        assert asks(web.port) < 15, "each of them was waited for to the end"


def test_who_stalls_keeps_back_nobody_else_of_their_address(tmp_path: Path) -> None:
    """While another address asks without a pause."""
    with served(tmp_path) as web:
        honest(web).sendall(POST)
        asks(web.port)
        os.kill(web.pid, signal.SIGSTOP)  # all of it comes before it sees any
        try:
            until(lambda: is_stopped(web.pid), 60, "it stands still")
            busy = [web.client() for _ in range(6)]
            for one in busy:
                one.sendall(ASKED * 100)
            neighbour = honest(web)
            neighbour.sendall(LAST)
        finally:
            os.kill(web.pid, signal.SIGCONT)
        assert b'{"status": "ok"}' in gathered(neighbour)
        before = sum(one.recv(1 << 20, socket.MSG_PEEK).count(b'{"status": "ok"}') for one in busy)
        assert before < 300, "it was answered after them"


def test_who_sends_very_many_bodies_slowly_stands_behind_everybody_else(tmp_path: Path) -> None:
    """More of them than the process takes connections."""
    with served(tmp_path, GUNICORN_CMD_ARGS="--worker-connections 40") as web:
        for _ in range(100):
            web.client().sendall(POST)
        for _ in range(3):
            one = honest(web)
            one.sendall(LAST)
            until(lambda one=one: has_answer(one), 15, "an answer")

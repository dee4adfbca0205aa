"""When gunicorn's worker ends a connection that it keeps: real sockets, and no threads."""

import gc
import io
import logging
import selectors
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from placet.web.idle import Idle, Resting
from placet.web.leaving import Leaving
from placet.web.worker import CERTIFICATE, GRACE, Worker
from tests.support.certificates import Authority
from tests.unit.deploy.conftest import Clock


class Kept:
    """A connection that is kept, and its client's end."""

    def __init__(self, worker: Any, *, idle: bool, origin: bytes = b"client") -> None:
        self.sock, self.client = socket.socketpair()
        self.origin = origin
        self.parser: Any = None
        worker.ends += [self.sock, self.client]
        worker.nr_conns += 1
        worker.resting.seconds = -1 if idle else 60
        worker.resting.take(self)

    def close(self) -> None:
        """End it."""
        self.sock.close()

    @property
    def ended(self) -> bool:
        """Whether its client sees that it has ended."""
        self.client.setblocking(False)
        try:
            return self.client.recv(1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def worker() -> Iterator[Any]:
    """A worker that takes note of which connections it has a request of."""
    made: Any = Worker.__new__(Worker)
    made.alive, made.worker_connections, made.nr_conns = True, 8, 0
    made.poller = selectors.DefaultSelector()
    made.room = SimpleNamespace(
        answer_late=lambda: None, answer_all=lambda: None, answered=lambda _: False
    )
    made.queued = SimpleNamespace(
        done=lambda *_: None, end=lambda: None, refuse_surplus=lambda: None
    )
    made.sockets, made._accepting, made.ending, made.accept_from = [], True, False, 0.0
    made.asked, made.ends, made.log = [], [], logging.getLogger("web")
    made.heads = SimpleNamespace(
        take=made.asked.append, hurry=lambda _: None, shake_hands=lambda: None
    )
    made.resting, made.idle = Resting(made, 60), Idle(4)
    made.leaving = Leaving(made)
    made.idle.kinds = [made.resting, made.leaving]
    yield made
    for end in made.ends:
        end.close()
    made.poller.close()


def test_a_renewed_certificate_is_read_after_a_second_and_half_of_one_not_taken(
    worker: Any, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker.tls, worker.read_at, worker.cfg = None, 0.0, Config()
    authority = Authority(tmp_path)
    chain, key, _ = authority.issue("web")
    worker.cfg.set("certfile", str(chain))
    worker.cfg.set("keyfile", str(key))
    first = worker.certified()
    authority.issue("web")
    assert worker.certified() is first
    clock.now += CERTIFICATE
    assert (second := worker.certified()) is not first
    chain.write_text(chain.read_text()[:100])
    clock.now += CERTIFICATE
    assert worker.certified() is second
    assert "The certificate cannot be read" in caplog.text
    worker.tls, clock.now = None, clock.now + CERTIFICATE
    with pytest.raises(OSError):
        worker.certified()


def test_one_that_nobody_uses_is_ended_and_others_stay(worker: Any) -> None:
    idle, used = Kept(worker, idle=True), Kept(worker, idle=False)
    worker.murder_keepalived()
    assert (idle.ended, used.ended, worker.nr_conns) == (True, False, 1)
    assert len(worker.resting) == 1


def test_a_request_that_came_at_the_last_moment_is_answered(worker: Any) -> None:
    late, idle = Kept(worker, idle=True), Kept(worker, idle=True)
    late.client.sendall(b"G")
    worker.murder_keepalived()
    assert (worker.asked, late.ended, idle.ended) == ([late], False, True)
    assert (worker.nr_conns, len(worker.poller.get_map())) == (1, 0)


def test_where_half_of_the_connections_are_kept_the_oldest_go(worker: Any) -> None:
    kept = [Kept(worker, idle=False) for _ in range(6)]
    kept[1].client.sendall(b"G")
    worker.murder_keepalived()
    assert [conn.ended for conn in kept] == [True, False, False, False, False, False]
    assert worker.asked == [kept[1]]


def test_who_keeps_many_has_their_own_ended_and_no_one_elses(worker: Any) -> None:
    honest = Kept(worker, idle=False, origin=b"proxy")
    many = [Kept(worker, idle=False, origin=b"other") for _ in range(7)]
    honest.client.sendall(b"G")
    worker.murder_keepalived()
    assert [conn.ended for conn in many] == [True] * 4 + [False] * 3
    assert (honest.ended, worker.asked) == (False, [])
    worker.wait_for_and_dispatch_events(0)
    assert worker.asked == [honest]


@pytest.mark.parametrize(
    ("kept", "ahead", "said"), [(3, b"", None), (4, b"", True), (4, b"G", None)]
)
def test_who_keeps_most_where_little_room_is_left_is_told_that_theirs_ends(
    worker: Any, kept: int, ahead: bytes, said: bool | None
) -> None:
    """So that no request of a proxy that keeps very many is sent into an end."""
    for _ in range(kept):
        Kept(worker, idle=False, origin=b"\x7f\0\0\1")
    worker.murder_keepalived()
    asks = Kept(worker, idle=False)
    worker.resting.remove(asks)
    asks.client.sendall(ahead)
    unreader = SimpleNamespace(buf=io.BytesIO(), sock=asks.sock)
    request = SimpleNamespace(unreader=unreader, peer_addr=("127.0.0.1", 1))
    assert worker.last(request) is said
    request.peer_addr = ("127.0.0.2", 1)
    assert worker.last(request) is None


def test_those_that_were_told_to_end_go_before_one_that_is_kept(worker: Any) -> None:
    kept = [Kept(worker, idle=False) for _ in range(4)]
    told = [Kept(worker, idle=False, origin=bytes([number])) for number in range(3)]
    for conn in told:
        worker.resting.remove(conn)
        worker.leaving.take(conn)
    worker.murder_keepalived()
    assert [conn.ended for conn in kept] == [False] * 4
    assert (len(worker.leaving), worker.nr_conns) == (0, 4)


def test_who_keeps_most_is_told_by_what_is_kept_and_not_by_what_ends(worker: Any) -> None:
    kept = [Kept(worker, idle=False, origin=b"few") for _ in range(2)]
    for conn in [Kept(worker, idle=False, origin=b"many") for _ in range(2)]:
        worker.resting.remove(conn)
        worker.leaving.take(conn)
    worker.murder_keepalived()
    assert ([conn.ended for conn in kept], worker.idle.crowding) == ([False] * 2, None)


def test_what_goes_wrong_after_an_answer_ends_that_connection_alone(
    worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    wrong, other = Kept(worker, idle=False), Kept(worker, idle=False)
    worker.resting.remove(wrong)
    answered: Future[bool] = Future()
    answered.set_result(True)
    worker.finish_request(wrong, answered)  # nobody has read from it
    assert (wrong.ended, other.ended, worker.nr_conns) == (True, False, 1)
    assert "unreader" in caplog.text


def test_a_worker_that_ends_keeps_none_but_lets_each_ask_once_more(
    worker: Any, clock: Clock
) -> None:
    used, asking, asks_late = (Kept(worker, idle=False) for _ in range(3))
    worker.alive = False
    asking.client.sendall(b"G")
    worker.set_accept_enabled(False)
    clock.now += GRACE - 0.1
    worker.wait_for_and_dispatch_events(0)
    worker.murder_keepalived()
    assert (worker.asked, used.ended, asks_late.ended) == ([asking], False, False)
    asks_late.client.sendall(b"G")
    clock.now += 0.2
    worker.murder_keepalived()
    assert (worker.asked, used.ended) == ([asking, asks_late], True)


def test_a_connection_on_which_more_was_promised_may_ask_once_more_too(worker: Any) -> None:
    kept, promised = Kept(worker, idle=False), Future[bool]()
    worker.resting.remove(kept)
    worker.alive = False
    worker.set_accept_enabled(False)
    kept.parser = SimpleNamespace(unreader=SimpleNamespace(take_buffered=bytes))
    promised.set_result(True)
    worker.finish_request(kept, promised)
    assert (kept.ended, len(worker.resting), worker.resting.seconds) == (False, 1, GRACE)


@pytest.mark.parametrize("room_for", [3, 2])
def test_its_threads_run_before_the_first_connection_or_it_does_not_start(
    worker: Any, room_for: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = list[threading.Thread]()
    start = threading.Thread.start

    def starts(thread: threading.Thread) -> None:
        if len(begun) == room_for:
            raise RuntimeError("can't start new thread")
        start(thread)
        begun.append(thread)

    monkeypatch.setattr(threading.Thread, "start", starts)
    worker.cfg = SimpleNamespace(threads=3)
    if room_for == 3:
        with worker.get_thread_pool() as pool:
            assert pool.submit(threading.current_thread).result(60) in begun
            assert len(begun) == 3
    else:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            worker.get_thread_pool()
        gc.collect()  # what is left of the pool ends its threads
    for thread in begun:
        thread.join(60)
        assert not thread.is_alive()

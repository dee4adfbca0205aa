"""Whose request has the next thread."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from placet.web.queued import Queued
from tests.unit.deploy.conftest import Clock


class Worker:
    """What the queue needs of gunicorn's worker, with two threads."""

    cfg = SimpleNamespace(threads=2)
    worker_connections, nr_conns = 6, 0

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.waiting = Counter[bytes]()
        self.slow = SimpleNamespace(clients=lambda: self.waiting)
        self.deferred: list[Any] = []
        self.method_queue = SimpleNamespace(defer=lambda *call: self.deferred.append(call))
        self.said: list[str] = []
        self.refused: list[str] = []
        self.leaving = SimpleNamespace(refuse=self.refuse)
        self.queued = Queued(self)
        self.conns = dict[str, Any]()

    def begin(self, conn: Any) -> None:
        self.begun.append(conn.name)
        self.conns[conn.name] = conn

    def done(self, *names: str) -> None:
        """Be done with these, one after another."""
        for name in names:
            self.queued.done(self.conns[name])

    def refuse(self, conn: Any, answer: bytes) -> None:
        self.refused.append(conn.name)
        self.said.append(answer[:12].decode())

    def finish_request(self, conn: Any, result: Any) -> None:
        raise AssertionError

    def ask(self, *names: str) -> None:
        """Ask, as the client of a letter."""
        for name in names:
            self.queued.add(SimpleNamespace(name=name, origin=name[0].encode(), held=None))
            self.nr_conns += 1


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_of_clients_who_had_as_much_the_one_that_waits_longest_is_next(worker: Worker) -> None:
    worker.ask("a1", "b1", "c1", "d1", "c2")
    assert worker.begun == ["a1", "b1"]
    worker.done("a1", "b1")
    assert worker.begun == ["a1", "b1", "c1", "d1"]


def test_who_gives_much_work_stands_behind_who_gives_little(worker: Worker, clock: Clock) -> None:
    worker.ask("a1", "a2", "a3", "a4", "b1")
    clock.now += 1
    worker.done("a1")
    assert worker.begun == ["a1", "a2", "b1"]
    worker.done("b1")
    assert worker.begun == ["a1", "a2", "b1", "a3"]


def test_who_keeps_threads_waiting_stands_behind_who_does_not(worker: Worker, clock: Clock) -> None:
    worker.ask("a1", "a2", "a3", "b1", "a4")
    worker.waiting = Counter({b"a": 1})
    clock.now += 1
    worker.done("a1")
    assert worker.begun == ["a1", "a2", "b1"]
    worker.done("b1")
    assert worker.begun == ["a1", "a2", "b1", "a3"], "where nobody else asks they go on"


def test_one_that_stalls_keeps_back_no_other_of_its_address_while_others_ask_fast(
    worker: Worker, clock: Clock
) -> None:
    worker.ask("a1", "b1", "b2", "b3", "a2", "b4", "a3", "b5")
    worker.waiting = Counter({b"a": 1})  # a1, of which no more comes
    for name in ("b1", "a2", "b2", "a3"):
        clock.now += 0.01
        worker.done(name)
    assert worker.begun == ["a1", "b1", "a2", "b2", "a3", "b3"]


def test_who_keeps_a_thread_waiting_is_kept_back_for_a_second_of_others_time_at_most(
    worker: Worker, clock: Clock
) -> None:
    worker.ask("a1", "a2", *(f"b{number}" for number in range(1, 9)), "a3")
    worker.waiting = Counter({b"a": 1})  # a1
    clock.now += 15
    worker.done("a2")
    for number in range(1, 5):
        clock.now += 0.25
        worker.done(f"b{number}")
    assert worker.begun == ["a1", "a2", "b1", "b2", "b3", "b4", "b5"]
    clock.now += 0.25
    worker.done("b5")
    assert worker.begun[-1] == "a3"


def test_where_there_is_no_room_one_that_stalls_costs_no_other_of_its_address_its_place(
    worker: Worker,
) -> None:
    worker.ask("a1", "b1", "a2", "b2", "b3", "b4")
    worker.waiting = Counter({b"a": 1})
    worker.queued.refuse_surplus()
    assert worker.refused == []


def test_where_there_is_no_room_who_keeps_threads_waiting_is_refused(worker: Worker) -> None:
    worker.ask("a1", "a2", "a3", "b1", "a4")
    worker.waiting = Counter({b"a": 2})
    worker.queued.refuse_surplus()
    assert worker.refused == [], "there is room"
    worker.ask("a5")
    worker.waiting = Counter()
    worker.queued.refuse_surplus()
    assert worker.refused == [], "all threads work"
    worker.waiting = Counter({b"a": 2})
    worker.queued.refuse_surplus()
    assert worker.refused == ["a3", "a4", "a5"]
    assert worker.said == ["HTTP/1.1 503"] * 3
    worker.done("a1")
    assert worker.begun == ["a1", "a2", "b1"]


def test_a_process_that_ends_leaves_all_to_its_threads(worker: Worker) -> None:
    worker.ask("a1", "a2", "a3", "b1")
    worker.queued.end()
    worker.ask("a4")
    assert worker.begun == ["a1", "a2", "a3", "b1", "a4"]


def test_one_that_no_thread_takes_is_told_of_and_the_next_goes_on(worker: Worker) -> None:
    def refuse(_: Any) -> None:
        raise RuntimeError("no thread")

    taken, worker.begin = worker.begin, refuse  # type: ignore[method-assign]
    worker.ask("a1")
    ((act, conn, failed),) = worker.deferred
    assert (act, conn.name, str(failed.exception())) == (worker.finish_request, "a1", "no thread")
    worker.begin = taken  # type: ignore[method-assign]
    worker.ask("a2", "a3")
    assert worker.begun == ["a2"]
    worker.queued.done(conn)
    assert worker.begun == ["a2", "a3"]

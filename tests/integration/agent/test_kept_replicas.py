"""HAProxy keeps its connections to replicas, and sends nothing over one of a replica before."""

import itertools
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from placet_agent.haproxy import config
from placet_agent.reports.metrics import parse_line
from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.keeping import Keeping
from tests.integration.agent.sockets import wait


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Keeping]:
    with ExitStack() as stack:
        made = Keeping(tmp_path / "haproxy", stack)  # HAProxy ends after its replicas
        yield made


def test_one_connection_carries_the_requests_of_many_callers(gateway: Keeping) -> None:
    one = gateway.keeping("rev_1", "one")
    gateway.serve()

    assert gateway.whos(20) == ["one"] * 20
    assert len(one.wires) == 1
    one.answering.clear()
    asked = [gateway.begin() for _ in range(3)]
    wait(lambda: len(one.heard) == 23)
    one.answering.set()
    for thread, _ in asked:
        thread.join()
    assert len(one.wires) == 3  # as many as there were requests at once


def test_a_replica_that_would_close_gets_a_connection_for_each_request_without_a_reload(
    gateway: Keeping,
) -> None:
    one, older = gateway.keeping("rev_1", "one"), gateway.keeping("rev_2", "older")
    gateway.serve()
    before = gateway.proxy.process.ref
    gateway.lead("rev_2", "older", keeps=False)
    gateway.serve("rev_2")

    assert gateway.whos() == ["older"] * 5
    assert len(older.wires) == 5
    assert all("connection: close" in head for head in older.heads)
    gateway.serve("rev_1")
    assert gateway.whos() == ["one"] * 5
    assert len(one.wires) == 1  # the other revision's are kept

    new = gateway.keeping("rev_2", "new")
    gateway.leave("older")
    gateway.proxy.apply()
    gateway.drop("older")
    gateway.serve("rev_2")
    assert gateway.whos() == ["new"] * 5
    assert len(new.wires) == 1
    assert gateway.proxy.process.ref == before


def test_a_connection_in_use_when_its_replica_left_leads_nobody_to_it(gateway: Keeping) -> None:
    """HAProxy keeps it when the answer is there, though the server is in maintenance."""
    former = gateway.keeping("rev_1", "former")
    gateway.serve()
    assert gateway.who() == "former"
    former.answering.clear()
    thread, answers = gateway.begin()
    wait(lambda: len(former.heard) == 2)
    gateway.drop("former")
    former.answering.set()
    thread.join()

    gateway.keeping("rev_1", "next")
    gateway.serve()
    assert gateway.proxy.table.server_names("next") == ["e000r0/s0"]  # the very server
    assert answers == ["former"]
    assert gateway.whos() == ["next"] * 5


def test_who_gets_a_server_at_once_is_not_asked_over_what_is_in_use_there(
    gateway: Keeping,
) -> None:
    former = gateway.keeping("rev_1", "former")
    gateway.serve()
    former.answering.clear()
    pipe = socket.create_connection(("127.0.0.1", gateway.port))
    gateway.stack.callback(pipe.close)
    pipe.sendall(f"GET {PATH}/who HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    wait(lambda: former.heard)
    gateway.drop("former")
    gateway.keeping("rev_1", "next")
    gateway.proxy.apply()
    former.answering.set()

    assert gateway.whos() == ["next"] * 5


def test_an_agent_that_lost_its_table_leads_nobody_over_what_haproxy_kept(
    gateway: Keeping,
) -> None:
    for revision, name in (("rev_1", "one"), ("rev_2", "two")):
        gateway.keeping(revision, name)
        gateway.serve(revision)
        assert gateway.whos() == [name] * 5
    (gateway.folder / "table.json").unlink()
    gateway.again()
    gateway.lead("rev_2", "two")  # in the other's backend
    gateway.lead("rev_1", "one")

    gateway.serve("rev_2")
    assert gateway.whos() == ["two"] * 5
    gateway.serve("rev_1")
    assert gateway.whos() == ["one"] * 5


def test_replicas_come_and_go_and_each_request_is_heard_once_by_who_is_there(
    gateway: Keeping,
) -> None:
    """Four callers. Who has left goes on listening: it would answer whatever still came."""
    made = [gateway.keeping("rev_1", "replica-0")]
    gateway.serve()
    before, numbers = gateway.proxy.process.ref, itertools.count()
    answers, stop = dict[str, str](), threading.Event()

    def call(kept: bool) -> None:
        with ExitStack() as stack:
            client = stack.enter_context(httpx.Client(timeout=20)) if kept else httpx
            while not stop.is_set():
                path = f"/{next(numbers)}"
                try:
                    answers[path] = client.get(gateway.url(path)).json()["name"]
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    answers[path] = repr(error)

    callers = [threading.Thread(target=call, args=(number % 2 == 0,)) for number in range(4)]
    for caller in callers:
        caller.start()
    gateway.stack.callback(stop.set)
    left = dict[str, int]()  # how many each had heard when it was gone
    for number in range(1, 13):  # more than there are servers of a revision
        until(answers, len(answers) + 40)
        gone = made[-1].name
        made.append(gateway.keeping("rev_1", f"replica-{number}"))
        gateway.proxy.apply()
        gateway.leave(gone)
        gateway.proxy.apply()
        wait(lambda gone=gone: gateway.proxy.sessions(gone) == 0)
        gateway.drop(gone)
        left[gone] = len(made[-2].heard)
    until(answers, len(answers) + 40)
    stop.set()
    for caller in callers:
        caller.join()

    heard = [(path, replica.name) for replica in made for path in replica.heard]
    assert sorted(heard) == sorted(answers.items())
    assert {replica.name: len(replica.heard) for replica in made[:-1]} == left
    assert all(replica.heard for replica in made)
    assert gateway.proxy.process.ref == before
    assert all(len(replica.wires) <= 8 for replica in made)  # kept all the while


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_a_replica_was_asked_when_it_died_is_answered_counted_and_not_sent_to_another(
    gateway: Keeping, method: str
) -> None:
    dying = gateway.keeping("rev_1", "dying")
    gateway.serve()
    pipe = os.open(gateway.folder / "log.fifo", os.O_RDWR | os.O_NONBLOCK)
    gateway.stack.callback(os.close, pipe)
    assert gateway.whos(2) == ["dying"] * 2
    assert len(dying.wires) == 1
    dying.answering.clear()
    answers = list[httpx.Response]()

    def ask() -> None:
        answers.append(httpx.request(method, gateway.url("/last"), content=b"1", timeout=30))

    thread = threading.Thread(target=ask)
    thread.start()
    wait(lambda: "/last" in dying.heard)
    other = gateway.keeping("rev_1", "other")
    gateway.proxy.apply()
    dying.die()
    thread.join()

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (502, "bad_gateway")
    ]
    assert "/last" not in other.heard
    lines = [parse_line(line) for line in os.read(pipe, 65536).decode().splitlines()]
    assert [line.status for line in lines if line] == [200, 200, 502]
    assert gateway.whos() == ["other"] * 5  # a connection that is refused is tried elsewhere


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 200 OK\r\ncontent-le", b"\0noise\r\n\r\n", b"HTTP/1.1 200 " + b"a" * 40000]
)
def test_half_an_answer_or_none_at_all_over_a_kept_connection_is_a_bad_gateway(
    gateway: Keeping, said: bytes
) -> None:
    gateway.proxy.settings = replace(gateway.proxy.settings, server_timeout_seconds=2)
    one = gateway.keeping("rev_1", "one")
    gateway.serve()
    assert gateway.whos(2) == ["one"] * 2
    one.answering.clear()
    thread, answers = gateway.begin()
    wait(lambda: len(one.heard) == 3)
    one.wires[0].sendall(said)
    one.wires[0].shutdown(socket.SHUT_RDWR)
    thread.join()
    assert [json.loads(answer)["code"] for answer in answers] == ["bad_gateway"]

    thread, answers = gateway.begin()
    thread.join()
    assert [json.loads(answer)["code"] for answer in answers] == ["gateway_timeout"]


def test_what_a_replica_says_after_its_answer_reaches_no_other_caller(gateway: Keeping) -> None:
    one = gateway.keeping("rev_1", "one")
    one.more = b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n" + b'{"name": "other"}'
    gateway.serve()

    assert gateway.whos() == ["one"] * 5
    assert len(one.wires) == 5


def test_a_replica_that_dies_while_its_connections_rest_costs_no_request(gateway: Keeping) -> None:
    dying, other = gateway.keeping("rev_1", "dying"), gateway.keeping("rev_1", "other")
    gateway.serve()
    wait(lambda: {gateway.who(), gateway.who()} and dying.heard and other.heard)
    dying.die()

    assert gateway.whos(10) == ["other"] * 10


def test_a_haproxy_that_was_replaced_ends_though_connections_rest(gateway: Keeping) -> None:
    gateway.keeping("rev_1", "one")
    gateway.serve()
    assert gateway.whos(2) == ["one"] * 2
    former = gateway.proxy.process.ref
    assert former is not None
    gateway.entry.copies = 1  # a rule more
    gateway.entry.mirrored = "rev_1"
    gateway.proxy.apply()

    assert gateway.proxy.process.ref != former
    wait(lambda: not former.alive, 5)
    assert gateway.whos(2) == ["one"] * 2


def test_what_an_agent_starts_keeps_connections_unless_it_serves_on_a_port(
    platform: Platform, node: NodeUnderTest
) -> None:
    """Behind a port several processes take turns, by connections."""
    kept = platform.revision(1, platform.build("kept"), weight=10_000)
    linked = platform.revision(2, platform.build("linked", **{"needs-port.txt": ""}))
    platform.serve(kept, linked)
    platform.wait_phase("rev_1", "serving")
    platform.wait_phase("rev_2", "ready")
    folder = node.home.folder / "haproxy"
    revisions = dict(line.split() for line in (folder / "revisions.map").read_text().splitlines())
    once = (folder / config.ONCE).read_text().split()[::2]

    assert [revisions[backend] for backend in once] == ["rev_2"]
    before = connections(node)
    assert [node.who() for _ in range(5)] == ["kept"] * 5
    assert connections(node) == before + 1


def until(answers: dict[str, str], count: int) -> None:
    """Wait until there are so many."""
    wait(lambda: len(answers) >= count, 60)


def connections(node: NodeUnderTest) -> int:
    """Return how many connections HAProxy has made to servers."""
    rows = node.agent.proxy.admin.ask("show stat -1 4 -1").splitlines()
    place = rows[0].removeprefix("# ").split(",").index("connect")
    return sum(int(row.split(",")[place]) for row in rows[1:] if row)

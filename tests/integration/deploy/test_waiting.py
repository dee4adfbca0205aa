"""Nodes that wait hold neither a thread nor a connection to the database: over the real gunicorn,
with two threads."""

import json
import os
import resource
import select
import signal
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from apps.serving.actions import create_target
from apps.serving.agent_api.listening import LOOK_EVERY
from apps.serving.desired import sign_state
from apps.serving.models import DesiredState, Node
from placet.kernel.actor import SYSTEM
from tests.integration.agent.conftest import free_port
from tests.integration.deploy.test_web import ROOT, wait_listening
from tests.support.certificates import Authority
from tests.support.nodes import SimulatedNode
from tests.support.pollers import Caller, Crowd, Ear, Waiter
from tests.support.processes import database_url, owner_url, until

pytestmark = pytest.mark.django_db(transaction=True)
NODES, THREADS, POLLS = 60, 2, 40
ESTABLISHED, CLOSE_WAIT = "01", "08"  # of TCP, as /proc has them


@dataclass
class Web:
    """A web process on the test's database."""

    port: int
    process: "subprocess.Popen[str]"
    log: Path
    tls: ssl.SSLContext | None = None

    def page(self) -> float:
        """Fetch a page that asks the database; return the seconds it took."""
        begun = time.monotonic()
        scheme, trust = ("https", self.tls) if self.tls else ("http", True)
        answer = httpx.get(
            f"{scheme}://localhost:{self.port}/accounts/login/", verify=trust, timeout=20
        )
        assert answer.status_code == 200
        ready = httpx.get(f"{scheme}://localhost:{self.port}/readyz", verify=trust, timeout=20)
        assert ready.json()["database"] == "ok"
        return time.monotonic() - begun

    def serves(self, port: int) -> bool:
        """Tell whether it has a connection to this port of a client, however little that does."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        ends = [[int(end.partition(":")[2], 16) for end in line.split()[1:3]] for line in lines]
        states = [line.split()[3] for line in lines]
        return any(
            pair == [self.port, port] and state in (ESTABLISHED, CLOSE_WAIT)
            for pair, state in zip(ends, states, strict=True)
        )


@contextmanager
def gunicorn(folder: Path, *, files: int = 0, **more: str) -> Iterator[Web]:
    """Gunicorn as it is shipped, one process with two threads, which may open so many files."""
    port = free_port()
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "PLACET_DATABASE_URL": database_url(),
        "PLACET_PROCESS": "web",
        "PLACET_DATA_DIR": str(folder / "data"),
        "PLACET_LISTEN": f"127.0.0.1:{port}",
        "WEB_CONCURRENCY": "1",
        "PLACET_WEB_THREADS": str(THREADS),
        "PYTHONWARNINGS": "ignore",
        **more,
    }
    path = folder / f"web-{port}.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "-c",
                str(ROOT / "platform/deploy/gunicorn.conf.py"),
                "--access-logfile",
                "-",
                "--access-logformat",
                "%(s)s %(U)s %(L)s",
            ],
            env=environment,
            cwd=ROOT,
            text=True,
            stdout=log,
            stderr=log,
        )
    if files:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (files, files))
    try:
        wait_listening(process, port)
        yield Web(port, process, path)
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in path.read_text()


@pytest.fixture(scope="module")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One web process for all that leave it as it was."""
    with gunicorn(tmp_path_factory.mktemp("web")) as made:
        yield made


def node_that_waits(name: str = "edge") -> Waiter:
    """Return a node that has joined, and knows the state of its target."""
    target = create_target(name=name, actor=SYSTEM)
    found = Waiter.of(SimulatedNode.joined(target))
    found.known = sign_state(target.pk).generation
    return found


def target_of(waiter: Waiter) -> str:
    """Return its target's id."""
    return Node.objects.get(pk=waiter.id).target_id


def change(waiter: Waiter) -> float:
    """Sign another state for a node; return when that was done."""
    target = target_of(waiter)
    DesiredState.objects.filter(target=target).update(content_digest="")
    sign_state(target)
    return time.monotonic()


@pytest.fixture
def crowd(web: Web) -> Iterator[Crowd]:
    """Sixty nodes that wait."""
    with Crowd([web.port], [node_that_waits(f"edge-{n}") for n in range(NODES)]) as made:
        yield made


def kill_listeners() -> int:
    """Break the connections over which web processes listen; return how many there were."""
    with psycopg.connect(owner_url(), autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'placet listener'"
        ).fetchall()
    return len(rows)


def connections() -> int:
    """Return how many connections to the test's database there are."""
    with psycopg.connect(owner_url()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


Call = Callable[..., Caller]


@pytest.fixture
def call() -> Iterator[Call]:
    """Makes connections, and ends them."""
    made: list[Caller] = []

    def connect(port: int, tls: ssl.SSLContext | None = None) -> Caller:
        made.append(Caller(port, tls))
        return made[-1]

    yield connect
    for caller in made:
        caller.leave()


@pytest.fixture
def ear() -> Iterator[Ear]:
    """See above."""
    with psycopg.connect(owner_url(), autocommit=True) as connection:
        yield Ear(connection)


# --- many ----------------------------------------------------------------------------------------


def test_many_wait_on_two_threads_while_pages_are_answered_and_a_change_reaches_its_node(
    web: Web, ear: Ear
) -> None:
    waiters = [node_that_waits(f"edge-{n}") for n in range(NODES)]
    before, late = connections(), []
    with Crowd([web.port], waiters) as crowd:
        ear.wait_for(*waiters)
        assert web.page() < 15
        own = 2  # its listener's, and that of its jobs while it looks for some
        assert connections() <= before + THREADS + own, "and those of its threads"
        for waiter in waiters[::6]:
            signed = change(waiter)
            until(lambda w=waiter: w.learned, what="it learned of it")  # type: ignore[misc]
            late.append(max(waiter.learned.values()) - signed)
    assert statistics.median(late) < 1.0, late
    assert crowd.answers == {200: len(late)}, "nobody else was woken"
    assert not crowd.failures


def test_of_many_polls_of_one_node_one_waits_and_the_others_are_refused(
    call: Call, web: Web
) -> None:
    waiter = node_that_waits()
    callers = [call(web.port).send(waiter.request(25)) for _ in range(POLLS)]
    silent, statuses = set(callers), list[int]()
    while len(silent) > 1:
        ready, _, _ = select.select([caller.wire for caller in silent], [], [], 20)
        assert ready, f"{len(silent)} wait"
        for caller in [caller for caller in silent if caller.wire in ready]:
            statuses.append(caller.answer()[0])
            silent.remove(caller)
    change(waiter)
    assert statuses == [409] * (POLLS - 1)
    assert silent.pop().answer()[0] == 200


# --- one -----------------------------------------------------------------------------------------


def test_a_poll_ends_the_one_of_its_node_that_waits_on_another_process(
    call: Call, ear: Ear, web: Web, tmp_path: Path
) -> None:
    waiter = node_that_waits()
    with gunicorn(tmp_path) as other:
        first = call(web.port).send(waiter.request(25))
        ear.wait_for(waiter)
        second = call(other.port).send(waiter.request(25))
        status, body = first.answer()
        assert (status, json.loads(body)["code"]) == (409, "newer_poll")
        change(waiter)
        assert second.answer()[0] == 200


def test_a_client_that_goes_away_frees_its_place(call: Call, ear: Ear, web: Web) -> None:
    waiter = node_that_waits()
    caller = call(web.port).send(waiter.request(25))
    ear.wait_for(waiter)
    assert web.serves(caller.port)
    caller.leave()
    until(lambda: not web.serves(caller.port), seconds=10, what="its place is free")


def test_what_comes_behind_a_poll_on_its_connection_is_answered_behind_it(
    call: Call, web: Web
) -> None:
    waiter = node_that_waits()
    page = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    caller = call(web.port).send(waiter.request(2) + page)
    begun = time.monotonic()
    caller.send(page)
    assert caller.answer()[0] == 204
    assert time.monotonic() - begun >= 1.5
    assert [caller.answer() for _ in range(2)] == [(200, b'{"status": "ok"}')] * 2


def test_a_clock_that_is_off_by_what_is_allowed_is_right_after_the_wait_too(
    call: Call, web: Web
) -> None:
    waiter = node_that_waits()
    caller = call(web.port).send(waiter.request(25, ago=118))
    time.sleep(3)  # beyond what is allowed, were it measured at the end
    change(waiter)
    assert caller.answer()[0] == 200
    assert call(web.port).send(waiter.request(25, ago=121)).answer()[0] == 401


def test_a_key_that_was_replaced_meanwhile_gets_no_state(call: Call, ear: Ear, web: Web) -> None:
    waiter = node_that_waits()
    caller = call(web.port).send(waiter.request(25))
    ear.wait_for(waiter)
    node = Node.objects.select_related("target").get(pk=waiter.id)
    SimulatedNode.joined(node.target)
    change(waiter)
    assert caller.answer()[0] == 401


def test_no_header_says_that_a_request_has_waited(call: Call, web: Web) -> None:
    waiter = node_that_waits()
    forged = ("placet.wait.over: 1", "Placet-Wait-Over: 1", "placet.wait.asked: 1")
    for more in forged:
        caller = call(web.port).send(waiter.request(1, more=(more,)))
        begun = time.monotonic()
        assert caller.answer()[0] in (204, 400)
        assert time.monotonic() - begun >= 0.9 or "." in more


def test_each_poll_has_one_line_in_either_log_with_its_seconds(
    call: Call, ear: Ear, tmp_path: Path
) -> None:
    with gunicorn(tmp_path) as web:
        in_vain, answered = node_that_waits("a"), node_that_waits("b")
        callers = [
            call(web.port).send(in_vain.request(2)),
            call(web.port).send(answered.request(25)),
        ]
        ear.wait_for(in_vain, answered)
        time.sleep(0.5)
        change(answered)
        assert [caller.answer()[0] for caller in callers] == [204, 200]
    lines = [line for line in web.log.read_text().splitlines() if "agent/v1/state" in line]
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    assert sorted(line["code"] for line in logged) == [200, 204]
    assert all(line["waited"] >= 0.5 and line["request_id"] for line in logged)
    accessed = [line.split() for line in lines if not line.startswith("{")]
    assert sorted(line[0] for line in accessed) == ["200", "204"]
    assert all(float(line[2]) >= 0.5 for line in accessed)


# --- what goes wrong -----------------------------------------------------------------------------


def test_where_no_more_can_wait_nodes_are_told_and_pages_are_answered(
    call: Call, ear: Ear, tmp_path: Path
) -> None:
    waiters = [node_that_waits(f"edge-{n}") for n in range(34)]
    with gunicorn(tmp_path, files=64) as web:  # half of them are for nodes
        waiting = [call(web.port).send(waiter.request(25)) for waiter in waiters[:32]]
        ear.wait_for(*waiters[:32])
        for waiter in waiters[32:]:
            status, body = call(web.port).send(waiter.request(25)).answer()
            assert (status, json.loads(body)["code"]) == (503, "cannot_wait")
        assert web.page() < 15
        waiting[0].leave()
        until(lambda: not web.serves(waiting[0].port), what="a place is free")
        call(web.port).send(waiters[32].request(25))
        ear.wait_for(waiters[32])


def test_a_listener_that_lost_its_connection_makes_another_and_misses_nothing(
    call: Call, ear: Ear, web: Web
) -> None:
    waiter = node_that_waits()
    caller = call(web.port).send(waiter.request(25))
    ear.wait_for(waiter)
    assert kill_listeners() == 1
    signed = change(waiter)
    assert caller.answer()[0] == 200, "signed while nobody listened"
    assert time.monotonic() - signed < 20, "it did not only look at its end"
    caller.send(
        Waiter(
            waiter.id, waiter.key, DesiredState.objects.values_list("epoch", "number").get()
        ).request(25)
    )
    ear.wait_for(waiter)
    signed = change(waiter)
    assert caller.answer()[0] == 200
    assert time.monotonic() - signed < LOOK_EVERY, "it heard, and did not only look"


def test_a_process_that_ends_answers_all_that_wait(call: Call, ear: Ear, tmp_path: Path) -> None:
    waiters = [node_that_waits(f"edge-{n}") for n in range(10)]
    with gunicorn(tmp_path) as web:
        callers = [call(web.port).send(waiter.request(25)) for waiter in waiters]
        ear.wait_for(*waiters)
        web.process.send_signal(signal.SIGTERM)
        assert [caller.answer()[0] for caller in callers] == [204] * len(waiters)
        web.process.wait(30)


def test_nodes_wait_over_tls_too(call: Call, ear: Ear, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    chain, key, _ = authority.issue("web")
    tls = ssl.create_default_context(cafile=str(authority.ca))
    waiters = [node_that_waits(f"edge-{n}") for n in range(4)]
    with gunicorn(tmp_path, PLACET_TLS_CERT=str(chain), PLACET_TLS_KEY=str(key)) as web:
        web.tls = tls
        callers = [call(web.port, tls).send(waiter.request(3)) for waiter in waiters]
        ear.wait_for(*waiters)
        assert web.page() < 15
        callers[0].leave()
        callers[1].send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        signed = change(waiters[2])
        assert callers[2].answer()[0] == 200
        assert time.monotonic() - signed < LOOK_EVERY, "it heard, and did not only look"
        assert [callers[1].answer()[0] for _ in range(2)] == [204, 200]
        assert callers[3].answer()[0] == 204

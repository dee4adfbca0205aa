"""A web process that is told to stop answers what came before, and says in its last answer on each
connection that it is the last: over the real gunicorn, and an application that takes its time."""

import fcntl
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from placet.web.deferred import Deferred
from tests.integration.agent.conftest import free_port
from tests.integration.deploy import told
from tests.integration.deploy.test_slow_clients import certified
from tests.integration.deploy.test_web import ROOT, wait_listening
from tests.support.processes import until

CLIENTS = 40
LAST = b"\r\nConnection: close\r\n"


def asked(path: str = "/") -> bytes:
    """Return a request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@dataclass
class Web:
    """A web process, and the one that started it."""

    port: int
    master: "subprocess.Popen[str]"
    folder: Path
    ends: ExitStack
    tls: ssl.SSLContext | None
    code: int = 0  # with which the one that started it ends

    @property
    def pid(self) -> int:
        """Of the process that answers."""
        task = f"/proc/{self.master.pid}/task/{self.master.pid}/children"
        return int(Path(task).read_text().split()[0])

    def client(self) -> socket.socket:
        """Return a new connection."""
        one = self.ends.enter_context(socket.create_connection(("127.0.0.1", self.port), 60))
        if self.tls:
            one = self.ends.enter_context(self.tls.wrap_socket(one, server_hostname="localhost"))
        return one

    def asks(self, path: str = "/") -> socket.socket:
        """Return one on which something is asked."""
        one = self.client()
        one.sendall(asked(path))
        if path != "/":
            until((self.folder / (told.BEGUN + path.replace("/", "-"))).exists, 60, "it began")
        return one


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def web(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Web]:
    """One that is told to stop by its test, and stops."""
    with started(tmp_path, tls=request.param) as made:
        yield made


@contextmanager
def started(folder: Path, *, tls: bool) -> Iterator[Web]:
    """Start it; nothing of it may fail unforeseen."""
    port, more = free_port(), certified(folder) if tls else {}
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
    master = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            str(ROOT / "platform/deploy/gunicorn.conf.py"),
            "-k",
            f"{told.__name__}.Told",
            "--threads",
            "4",
            f"{told.__name__}:answer",
        ],
        cwd=ROOT,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=clean
        | {
            "PLACET_PROCESS": "web",
            "WEB_CONCURRENCY": "1",
            "TOLD_IN": str(folder),
            "PLACET_LISTEN": f"127.0.0.1:{port}",
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "PLACET_DATA_DIR": str(folder / "data"),
            **more,
        },
    )
    try:
        wait_listening(master, port)
        trust = ssl.create_default_context(cafile=str(folder / "tls/ca.pem")) if tls else None
        with ExitStack() as ends:
            made = Web(port, master, folder, ends, trust)
            assert b"ended" in answers(made.asks(), 1)
            yield made
        assert master.wait(60) == made.code
    finally:
        master.kill()
        _, said = master.communicate(timeout=60)
    assert "Traceback" not in said, said


def answers(one: socket.socket, count: int) -> bytes:
    """Take so many answers, or all until the end."""
    said = b""
    while said.count(b"begunended") < count and (more := one.recv(65536)):
        said += more
    return said


def has_arrived(one: socket.socket) -> bool:
    """Tell whether the other end has all that was sent: on a busy machine a packet of the loopback
    waits in a queue that a signal overtakes (tcp(7), SIOCOUTQ: what is not acknowledged)."""
    left: int = struct.unpack("i", fcntl.ioctl(one, termios.TIOCOUTQ, bytes(4)))[0]
    return left == 0


def test_what_came_before_is_answered(web: Web) -> None:
    kept = [web.asks() for _ in range(CLIENTS)]
    for one in kept:
        assert LAST not in answers(one, 1)
    begun = [web.client() for _ in range(CLIENTS)]
    worker = web.pid
    os.kill(worker, signal.SIGSTOP)  # it sees all of it at once
    try:
        until(lambda: is_stopped(worker), 60, "no thread of it takes a signal any more")
        new = [] if web.tls else [web.client() for _ in range(CLIENTS)]
        for one in [*kept, *begun, *new]:
            one.sendall(asked())
            until(partial(has_arrived, one), 60, "it is there")
        web.master.terminate()
        until(lambda: "ShdPnd:\t0000000000000000" not in status(worker), 60, "it is told")
    finally:
        os.kill(worker, signal.SIGCONT)
    for one in [*kept, *begun, *new]:
        assert b"begunended" in answers(one, 2)


def is_stopped(pid: int) -> bool:
    """Tell whether all threads of a process stand still."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return all("State:\tT" in (task / "status").read_text() for task in tasks)


def status(pid: int) -> str:
    """Return what the kernel says of a process, its signals too."""
    return Path(f"/proc/{pid}/status").read_text()


def test_an_answer_under_way_says_that_it_is_the_last(web: Web) -> None:
    late = web.asks("/late")
    web.master.terminate()
    assert LAST in answers(late, 2)


@pytest.mark.parametrize("path", ["/late", "/long", "/news"])
def test_who_asked_ahead_gets_all_answers(web: Web, path: str) -> None:
    """The answer to the first promised more, or need not end the connection."""
    ahead = web.asks(path)
    ahead.sendall(asked())
    until(lambda: has_arrived(ahead), 60, "it is there")
    web.master.terminate()
    first, _, second = answers(ahead, 2).partition(b"begunended")
    assert LAST not in first
    assert LAST in second


@pytest.mark.parametrize("ahead", [2, 3])
def test_what_was_asked_ahead_before_its_thread_began_is_answered(web: Web, ahead: int) -> None:
    busy = [web.asks("/late") for _ in range(4)]  # as many as there are threads
    waits = web.client()
    waits.sendall(asked() * ahead)
    until(lambda: has_arrived(waits), 60, "it is there")
    web.master.terminate()
    said = answers(waits, ahead)
    assert said.count(b"begunended") == ahead
    assert said.count(LAST) == 1
    assert all(b"ended" in answers(one, 1) for one in busy)


def test_who_comes_while_a_process_ends_is_refused_and_knows_it(web: Web) -> None:
    slow = web.asks("/slow")
    web.master.terminate()
    until((web.folder / told.TOLD).exists, 60, "the end")
    until(lambda: refused(web.port), 5, "nobody listens")
    (web.folder / told.LET).touch()
    assert b"ended" in answers(slow, 1)


def test_who_waits_is_answered_where_the_one_that_started_its_process_is_killed(web: Web) -> None:
    waits, web.code = web.asks("/news"), -signal.SIGKILL
    web.master.kill()
    assert LAST in answers(waits, 1)
    until(lambda: refused(web.port), 60, "nobody listens")


def test_who_waits_is_told_once_to_go_on(web: Web) -> None:
    waits = web.client()
    waits.sendall(asked("/news").replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    until((web.folder / f"{told.BEGUN}-news").exists, 60, "it waits")
    web.master.terminate()
    assert answers(waits, 1).count(b"HTTP/1.1 100 Continue\r\n") == 1


def refused(port: int) -> bool:
    """Tell whether a new connection is refused."""
    try:
        socket.create_connection(("127.0.0.1", port), 60).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_thread_that_ends_after_the_loop_writes_into_no_file_of_others(tmp_path: Path) -> None:
    """What wakes the loop is a number, which the system gives to the next file that is opened."""
    queue = Deferred()
    queue.init()
    number = queue._write_fd
    queue.close()
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    held = [other]
    while held[-1] < number:
        held.append(os.dup(other))
    try:
        queue.defer(print)
    finally:
        for each in held:
            os.close(each)
    assert number in held
    assert (tmp_path / "other").read_bytes() == b""

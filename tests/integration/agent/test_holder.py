"""The holder keeps the sockets of replicas, whatever becomes of the agent and of its peers."""

import array
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from placet_agent import holder
from placet_agent.process import holding, procs
from placet_agent.process.holding import Holder, HolderError
from placet_agent.process.sandbox import PROXY_UID

ROOT = Path(__file__).resolve().parents[3]
STRANGER = 60999
PYTHON = str(Path(sys.executable).resolve())
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else here")

# An agent that makes a socket, has it kept, and says so before it is killed.
AGENT = """
import sys, time
from pathlib import Path
from placet_agent.process import holding
held = holding.Holder(Path(sys.argv[1]))
print(held.ensure().pid, flush=True)
path, handle = holding.listen(Path(sys.argv[2]), None)
held.keep("rep-1", handle)
print("kept", flush=True)
time.sleep(600)
"""
CONNECT = """
import os, socket, sys
os.chdir(sys.argv[1])
try:
    socket.socket(socket.AF_UNIX, getattr(socket, sys.argv[3])).connect(sys.argv[2])
except OSError as error:
    print(type(error).__name__)
else:
    print("connected")
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may pass through."""
    with tempfile.TemporaryDirectory(prefix="placet-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def held(open_folder: Path) -> Iterator[Holder]:
    """A holder that runs."""
    made = Holder(open_folder / "holder")
    made.ensure()
    yield made
    made.stop()


def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Wait for a condition that has a name."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def agent(*arguments: str, **more: str) -> "subprocess.Popen[str]":
    """Start the agent above."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform"), **more}
    return subprocess.Popen(
        [sys.executable, "-c", AGENT, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def reached_by(uid: int, folder: Path, name: str, kind: str = "SOCK_STREAM") -> str:
    """Return what a user meets who connects to a socket."""
    words = [PYTHON, "-I", "-c", CONNECT, str(folder), name, kind]
    done = subprocess.run(
        words, user=uid, group=uid, extra_groups=[], cwd="/", capture_output=True, text=True
    )
    return done.stdout.strip() or done.stderr


def others(held: Holder) -> int:
    """Return how many sockets the holder has open besides the one that it listens on."""
    assert held.ref is not None
    found = 0
    for path in Path(f"/proc/{held.ref.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed as we look
            found += str(path.readlink()).startswith("socket:")
    return found - 1


def raw(held: Holder) -> socket.socket:
    """Connect to the holder as somebody who keeps to no rule."""
    return holding.connect(held.folder / holder.SOCKET, 5, socket.SOCK_SEQPACKET)


def keep(connection: socket.socket, name: str, *given: int) -> dict[str, Any]:
    """Ask over a connection to keep something; return the answer."""
    text = json.dumps({"do": "keep", "name": name}).encode()
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", given))
    connection.sendmsg([text], [rights])
    answer: dict[str, Any] = json.loads(connection.recv(holder.MESSAGE_BYTES))
    return answer


# --- the agent goes, the sockets stay -----------------------------------------------------------


def test_a_client_who_came_while_no_agent_ran_is_answered_by_the_next_one(
    open_folder: Path,
) -> None:
    first = agent(str(open_folder / "holder"), str(open_folder / "rep-1"))
    assert first.stdout is not None
    pid = int(first.stdout.readline())
    assert first.stdout.readline() == "kept\n"
    first.kill()
    first.wait(timeout=10)
    first.stdout.close()
    with holding.connect(open_folder / "rep-1" / "http", 5) as client:
        client.sendall(b"hello")
        held = Holder(open_folder / "holder")
        try:
            assert held.adopt()
            assert held.ensure().pid == pid
            assert held.names() == {"rep-1"}
            with socket.socket(fileno=held.give("rep-1")) as listener:
                listener.settimeout(5)
                answering, _ = listener.accept()
                assert answering.recv(5) == b"hello"
                answering.close()
        finally:
            held.stop()
    assert not procs.with_variable(holding.MARKER, str((open_folder / "holder").resolve()))


@pytest.mark.parametrize("point", ["agent.before_holder_start", "agent.after_holder_start"])
def test_an_agent_that_dies_as_it_starts_the_holder_leaves_no_second_one(
    open_folder: Path, point: str
) -> None:
    folder = open_folder / "holder"
    armed = open_folder / "armed"
    armed.mkdir()
    (armed / point).touch()
    words = (str(folder), str(open_folder / "rep-1"))
    first = agent(*words, PLACET_CRASH_FOLDER=str(armed))
    assert first.wait(timeout=60) == -signal.SIGKILL
    left = procs.with_variable(holding.MARKER, str(folder.resolve()))
    assert len(left) == (1 if "after" in point else 0)
    held = Holder(folder)
    try:
        assert held.ensure() in (left or [held.ref])
        assert len(procs.with_variable(holding.MARKER, str(folder.resolve()))) == 1
    finally:
        held.stop()
        if first.stdout is not None:
            first.stdout.close()


def test_replicas_that_start_at_once_get_the_same_one(open_folder: Path) -> None:
    """Each is started by a thread of its own, and none ends the holder of another."""
    held = Holder(open_folder / "holder")
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: held.ensure(), range(4)))
        assert found == [held.ref] * 4
        assert held.alive
    finally:
        held.stop()


def test_a_record_that_a_power_cut_left_empty_keeps_nobody_from_starting_it(
    open_folder: Path,
) -> None:
    held = Holder(open_folder / "holder")
    held.folder.mkdir(mode=0o700)
    (held.folder / "holder.json").touch()
    try:
        assert held.ensure().alive
        assert held.names() == set()
    finally:
        held.stop()


def test_a_second_one_finds_the_first_and_ends(held: Holder) -> None:
    words = [sys.executable, "-m", "placet_agent.holder", str(held.folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (1, "another holder already runs here\n")
    assert held.ensure() == Holder(held.folder).ensure()


def test_a_holder_that_hangs_is_replaced(held: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "_SECONDS", 0.3)
    before = held.ref
    assert before is not None
    before.signal(signal.SIGSTOP)
    assert held.ensure() != before
    assert not before.alive
    assert held.names() == set()


def test_a_hung_up_terminal_does_not_end_it_and_sigterm_does(held: Holder) -> None:
    assert held.ref is not None
    held.ref.signal(signal.SIGHUP)
    held.ref.signal(signal.SIGINT)
    assert held.names() == set()
    held.ref.signal(signal.SIGTERM)
    assert procs.wait_gone(held.ref, 5)
    with pytest.raises(HolderError, match="does not answer"):
        held.names()


def test_what_is_dropped_is_gone_and_what_is_kept_is_not_replaced(held: Holder) -> None:
    one, other = socket.socket(), socket.socket()
    with one, other:
        held.keep("rep-1", one.fileno())
        with pytest.raises(HolderError, match="another socket is kept under rep-1"):
            held.keep("rep-1", other.fileno())
        with socket.socket(fileno=held.give("rep-1")) as given:
            assert os.fstat(given.fileno()).st_ino == os.fstat(one.fileno()).st_ino
            assert not given.get_inheritable()
        held.drop("rep-1")
        with pytest.raises(HolderError, match="nothing is kept under rep-1"):
            held.give("rep-1")
        with pytest.raises(HolderError, match="nothing is kept under rep-1"):
            held.drop("rep-1")
        held.keep("rep-1", other.fileno())


# --- peers that mean no good --------------------------------------------------------------------


@as_root
def test_another_user_does_not_reach_the_holder(held: Holder) -> None:
    assert reached_by(STRANGER, held.folder, holder.SOCKET, "SOCK_SEQPACKET") != "connected"
    held.folder.chmod(0o755)
    met = reached_by(STRANGER, held.folder, holder.SOCKET, "SOCK_SEQPACKET")
    assert met == "PermissionError"


@as_root
def test_another_user_is_not_answered_even_where_the_folder_and_the_socket_are_open(
    held: Holder,
) -> None:
    held.folder.chmod(0o755)
    (held.folder / holder.SOCKET).chmod(0o666)
    asking = (
        "import os, socket, sys; os.chdir(sys.argv[1]); s = socket.socket(1, 5);"
        "s.settimeout(5); s.connect('holder.sock'); print(s.recv(99))"
    )
    words = [PYTHON, "-I", "-c", asking, str(held.folder)]
    done = subprocess.run(
        words, user=STRANGER, group=STRANGER, extra_groups=[], capture_output=True, text=True
    )
    assert (done.stdout, held.names()) == ("b''\n", set())


MESSAGES = {
    "garbage": bytes(range(256)),
    "half a message": b'{"do": "keep", "na',
    "a list": b"[]",
    "a number as name": b'{"do": "give", "name": 7}',
    "a name with a slash": b'{"do": "give", "name": "../x"}',
    "an endless name": json.dumps({"do": "give", "name": "x" * 101}).encode(),
    "a deep nest": b"[" * 16000,
    "a huge number": b'{"do": ' + b"9" * 16000 + b"}",
    "too long a message": b" " * (holder.MESSAGE_BYTES + 1),
    "an unknown errand": b'{"do": "end", "name": "x"}',
    "a page after a list": b'{"do": "names", "after": []}',
    "keep without a socket": b'{"do": "keep", "name": "x"}',
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_message_that_makes_no_sense_is_refused_in_words(held: Holder, message: bytes) -> None:
    with raw(held) as connection:
        connection.send(message)
        assert json.loads(connection.recv(holder.MESSAGE_BYTES))["error"]
        assert held.names() == set()


def test_descriptors_that_nobody_asked_for_are_closed(held: Holder) -> None:
    with socket.socket() as some, raw(held) as connection, Path("/dev/null").open() as file:
        assert "one socket" in keep(connection, "file", file.fileno())["error"]
        for _ in range(300):
            answer = keep(connection, "many", *[some.fileno()] * 200)
            assert "one descriptor" in answer["error"]
            assert keep(connection, "../bad", some.fileno())["error"]
    until(lambda: others(held) == 0, "every descriptor is closed")
    assert held.names() == set()


def test_idle_clients_and_those_that_never_read_keep_nobody_out(held: Holder) -> None:
    clients = [raw(held) for _ in range(3 * holder.MAX_CLIENTS)]
    deaf = raw(held)
    deaf.settimeout(0.2)
    with pytest.raises(OSError):
        for _ in range(100_000):
            deaf.send(b'{"do": "names"}')
    assert held.names() == set()
    assert others(held) <= holder.MAX_CLIENTS
    for client in (*clients, deaf):
        client.close()
    until(lambda: others(held) == 0, "every connection is closed")


def test_it_keeps_as_many_as_it_promised_and_says_no_to_one_more(held: Holder) -> None:
    names = {f"rep-{number}" for number in range(holder.MAX_NAMES)}
    with socket.socket() as some, raw(held) as connection:
        for name in sorted(names):
            assert keep(connection, name, some.fileno()) == {"ok": True}
        assert "no more than 4096" in keep(connection, "more", some.fileno())["error"]
        assert held.names() == names
        held.drop("rep-7")
        assert keep(connection, "more", some.fileno()) == {"ok": True}


# --- the sockets of replicas --------------------------------------------------------------------


@as_root
def test_haproxys_user_reaches_a_replicas_socket_and_nobody_else_does(open_folder: Path) -> None:
    path, handle = holding.listen(open_folder / "sockets" / "rep-1", PROXY_UID)
    with socket.socket(fileno=handle):
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o600, PROXY_UID)
        folder = path.parent.stat()
        assert (stat.S_IMODE(folder.st_mode), folder.st_uid) == (0o710, 0)
        name = str(path.relative_to(open_folder))
        assert reached_by(PROXY_UID, open_folder, name) == "connected"
        for opened in (path.parent, path.parent.parent, path):
            assert reached_by(STRANGER, open_folder, name) == "PermissionError"
            opened.chmod(0o755)
        assert reached_by(STRANGER, open_folder, name) == "PermissionError", "a connection writes"


def test_a_replica_gets_a_fresh_socket_where_an_old_one_lay(open_folder: Path) -> None:
    old = socket.socket(fileno=holding.listen(open_folder / "rep-1", None)[1])
    path, handle = holding.listen(open_folder / "rep-1", None)
    with old, socket.socket(fileno=handle) as fresh, holding.connect(path, 5):
        fresh.settimeout(5)
        fresh.accept()[0].close()
        old.setblocking(False)
        with pytest.raises(BlockingIOError):
            old.accept()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_paths_longer_than_a_socket_address_work(open_folder: Path) -> None:
    deep = open_folder.joinpath(*["long" * 20] * 4)
    held = Holder(deep / "holder")
    assert len(str(held.folder / holder.SOCKET)) > 300
    held.ensure()
    try:
        path, handle = holding.listen(deep / "sockets" / "rep-1", None)
        with socket.socket(fileno=handle) as listener:
            held.keep("rep-1", listener.fileno())
        with holding.connect(path, 5), socket.socket(fileno=held.give("rep-1")) as again:
            again.accept()[0].close()
    finally:
        held.stop()

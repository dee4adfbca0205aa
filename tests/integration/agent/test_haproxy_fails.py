"""HAProxy itself fails: it dies while it takes over, or it stands still."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from placet_agent.haproxy import config, process
from placet_agent.haproxy.admin import AdminError
from placet_agent.haproxy.config import Settings
from placet_agent.haproxy.process import MARKER, HaproxyError, find_binary
from placet_agent.haproxy.proxy import Proxy
from placet_agent.process import procs
from placet_agent.process.holding import Holder
from placet_agent.state import files
from tests.integration.agent.conftest import PATHS, NodeUnderTest, free_port
from tests.integration.agent.control import Platform
from tests.integration.agent.run_agent import OPTIONS
from tests.integration.agent.test_lifecycle import haproxy
from tests.support.processes import no_descriptor_left, until

# As the kernel ends a program when memory is short: once, after it took the sockets over and the
# old one, told so, listens no more.
DYING = """#!%s
import os, pathlib, signal, subprocess, sys, time
words = [%r, *sys.argv[1:]]
armed = pathlib.Path("armed")
if "-sf" not in words or not armed.exists():
    os.execv(words[0], words)
armed.unlink()
child = subprocess.Popen(words)
old = words[words.index("-sf") + 1]

def listens(pid):
    held = {os.readlink(e.path) for e in os.scandir(f"/proc/{pid}/fd")}
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    mine = [line.split() for line in lines if f":%04X " in line]
    return any(f"socket:[{f[9]}]" in held for f in mine if f[3] == "0A")

while not listens(child.pid) or listens(old):
    time.sleep(0.01)
child.kill()
child.wait()
"""


@pytest.fixture
def port() -> int:
    """Where clients call."""
    return free_port()


@pytest.fixture
def proxy(tmp_path: Path, port: int) -> Iterator[Proxy]:
    """A proxy whose next HAProxy that takes over dies, once the file ``armed`` is there."""
    program = tmp_path / "haproxy-that-dies"
    program.write_text(DYING % (sys.executable, find_binary(), port))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    made = Proxy(tmp_path / "haproxy", Settings(port=port, bind="127.0.0.1"), str(program))
    yield made
    made.process.stop()


@pytest.fixture
def slow() -> Iterator[socket.socket]:
    """A replica that takes connections, and answers nobody by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def stranger() -> Iterator[procs.ProcessRef]:
    """A process that is none of ours."""
    child = subprocess.Popen(["sleep", "600"])
    ref = procs.find(child.pid)
    assert ref is not None
    yield ref
    child.kill()
    child.wait()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """HAProxy is asked more often whether it is there, and for less long."""
    monkeypatch.setattr(process, "ASK_EVERY", 0.2)
    monkeypatch.setattr(process, "ASK_SECONDS", 0.5)


def well(port: int) -> bool:
    """Tell whether HAProxy answers a client."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def reloaded(proxy: Proxy) -> None:
    """Have the table need a reload, as one more replica than there are slots does."""
    table = proxy.table
    for number in range(table.servers_per_backend):
        table.ensure_server(table.endpoints["end_1"], "rev_2", f"more-{number}", 20_000 + number)
    table.ensure_server(table.endpoints["end_1"], "rev_2", "one-more", 21_000)


def served(proxy: Proxy, slow: socket.socket, port: int) -> tuple[list[int], threading.Thread]:
    """Start HAProxy and a request that the replica holds; return what becomes of it."""
    proxy.ensure_running()
    entry = proxy.table.ensure_endpoint("end_1", "/p/production/e")
    proxy.table.ensure_server(entry, "rev_1", "one", slow.getsockname()[1])
    entry.stable = "rev_1"
    proxy.apply()
    said: list[int] = []
    url = f"http://127.0.0.1:{port}/p/production/e/x"
    thread = threading.Thread(target=lambda: said.append(httpx.get(url, timeout=60).status_code))
    thread.start()
    return said, thread


def test_a_haproxy_that_dies_when_it_took_over_leaves_the_port_open_and_the_old_one_its_requests(
    proxy: Proxy, slow: socket.socket, port: int, tmp_path: Path
) -> None:
    said, thread = served(proxy, slow, port)
    held, _ = slow.accept()
    old = proxy.process.ref
    assert old is not None
    (tmp_path / "haproxy/armed").touch()
    reloaded(proxy)

    proxy.apply()

    assert not (tmp_path / "haproxy/armed").exists(), "nobody took over and died"
    assert well(port), "nobody listens"
    assert old.alive and proxy.process.ref != old and not said
    held.recv(65536)
    held.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    held.close()
    thread.join(timeout=20)
    assert said == [200]
    until(lambda: not old.alive)


def test_another_agent_finds_nobody_listening_and_starts_one_beside_what_still_ends(
    proxy: Proxy, slow: socket.socket, port: int, tmp_path: Path
) -> None:
    said, thread = served(proxy, slow, port)
    held, _ = slow.accept()
    old = proxy.process.ref
    assert old is not None
    old.signal(signal.SIGUSR1)  # what it does when it is told that another took over
    until(lambda: not well(port))
    later = Proxy(tmp_path / "haproxy", proxy.settings, proxy.process.binary)

    assert later.ensure_running()

    assert well(port) and old.alive and later.process.ref != old
    held.close()
    thread.join(timeout=20)
    assert said == [502]
    later.process.stop()


def test_a_haproxy_is_not_taken_for_silent_for_want_of_a_descriptor(
    proxy: Proxy, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ASK_EVERY", 0.0)
    proxy.ensure_running()
    before = proxy.process.ref
    spare = os.open("/dev/null", os.O_RDONLY)

    def serves() -> bool:
        with suppress(OSError):  # a thread of an earlier test may have the one that there is
            return proxy.process.serves()
        return False

    with no_descriptor_left():
        os.close(spare)  # enough to look whether it runs, and not to ask it
        for _ in range(process.SILENCES + 1):
            with pytest.raises(AdminError, match="Too many open files"):
                proxy.admin.info()
            until(serves, 5)
    assert proxy.process.silences == 0
    assert proxy.process.serves() and proxy.process.ref == before and well(port)


def test_two_nodes_of_a_host_do_not_share_a_port(proxy: Proxy, port: int, tmp_path: Path) -> None:
    proxy.ensure_running()
    assert proxy.process.ref is not None
    for bind in ("127.0.0.1", "*"):
        settings = replace(proxy.settings, bind=bind)
        second = Proxy(tmp_path / "second", settings, find_binary())
        with pytest.raises(HaproxyError) as refused:
            second.ensure_running()
        sentence = f"port {port} is taken by haproxy (pid {proxy.process.ref.pid}): end that, "
        assert str(refused.value) == sentence + "or join again with another --listen"
    elsewhere = Proxy(tmp_path / "second", replace(proxy.settings, bind="127.0.0.2"), find_binary())
    assert elsewhere.ensure_running()
    elsewhere.process.stop()
    proxy.process.ref.signal(signal.SIGKILL)
    assert procs.wait_gone(proxy.process.ref, 5)
    assert proxy.ensure_running(), "its own port is not taken"


FEW = """
import sys
from pathlib import Path
from placet_agent.process import limits
from placet_agent.haproxy.config import Settings
from placet_agent.haproxy.process import HaproxyError, find_binary
from placet_agent.haproxy.proxy import Proxy
print(limits.too_few_files())
try:
    Proxy(Path(sys.argv[1]), Settings(port=int(sys.argv[2])), find_binary()).ensure_running()
except HaproxyError as error:
    print(error)
"""


def test_too_few_descriptors_are_told_with_the_number_that_is_needed(
    tmp_path: Path, port: int
) -> None:
    words = ["prlimit", "--nofile=1024:4096"]
    if os.geteuid() == 0:  # who may raise limits has none
        words += ["setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource"]
    done = subprocess.run(
        [*words, sys.executable, "-c", FEW, str(tmp_path / "few"), str(port)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **PATHS},
    )
    first, second = done.stdout.splitlines()
    assert first == second, done.stderr
    assert "need 8192 open files, and this host allows 4096" in first


def test_whoever_has_the_pid_and_start_time_of_another_start_of_the_host_is_nobodys(
    proxy: Proxy, stranger: procs.ProcessRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.ensure_running()
    proxy.process.stop()
    record = {"pid": stranger.pid, "start": stranger.start, "boot": "another", "listening": []}
    files.write_json(tmp_path / "haproxy/process.json", record)
    later = Proxy(tmp_path / "haproxy", proxy.settings, proxy.process.binary)
    assert not later.process.adopt()
    holder = Holder(tmp_path / "holder")
    files.make_folder(holder.folder)
    files.write_json(holder.folder / "holder.json", record)

    holder.ensure()
    holder.stop()

    assert stranger.alive
    files.write_json(tmp_path / "haproxy/process.json", {**record, "boot": procs.boot()})
    assert later.process.adopt() and later.process.ref == stranger
    assert later.ensure_running() and later.process.ref != stranger, "it answers nobody"
    assert stranger.alive
    later.process.stop()


@pytest.mark.usefixtures("impatient")
def test_a_haproxy_that_stands_still_is_told_of_and_replaced(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(platform)
    still, before = haproxy(node), len(platform.reports)
    told = threading.Event()

    def wait_until_told(proxy: Proxy) -> None:
        if not told.is_set():
            raise HaproxyError("the next one waits until this one is told of")

    monkeypatch.setattr(Proxy, "_refuse_taken_port", wait_until_told)
    still.signal(signal.SIGSTOP)
    platform.wait(lambda: platform.reports[-1]["proxy"]["fault"] == "silent")
    platform.wait(lambda: any("stood still" in e["detail"] for e in errors(platform, before)))
    platform.wait(lambda: (0, 0) in lead(platform, before))
    assert not still.alive

    told.set()
    platform.wait(lambda: haproxy(node) != still and well(node.port))
    platform.wait(lambda: lead(platform, before)[-1] == (1, 10_000))
    assert node.who() == "one"


@pytest.mark.usefixtures("impatient")
def test_an_agent_that_finds_a_haproxy_standing_still_replaces_it(
    platform: Platform, joined: NodeUnderTest
) -> None:
    joined.start()
    serving(platform)
    joined.stop()
    still = haproxy(joined)
    still.signal(signal.SIGSTOP)

    joined.start(OPTIONS)

    platform.wait(lambda: haproxy(joined) != still and joined.who() == "one", seconds=60)
    folder = str((joined.home.folder / "haproxy").resolve())
    assert procs.with_variable(MARKER, folder) == [haproxy(joined)]


def test_a_node_whose_port_another_program_took_says_so_until_it_is_free(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(platform)
    before = len(platform.reports)
    taken: list[socket.socket] = []
    look = Proxy._refuse_taken_port

    def take_first(proxy: Proxy) -> None:
        if not taken:
            taken.append(socket.create_server(("127.0.0.1", node.port)))
        look(proxy)

    monkeypatch.setattr(Proxy, "_refuse_taken_port", take_first)
    haproxy(node).signal(signal.SIGKILL)
    platform.wait(lambda: platform.reports[-1]["proxy"]["fault"] == "port_taken")
    first, seen = len(platform.reports), platform.seen("rev_1")
    platform.wait(lambda: len(platform.reports) > first + 5)  # over more than one try
    said = {error["detail"] for error in errors(platform, first)}
    assert len(said) == 1 and said.pop().startswith(f"port {node.port} is taken by ")
    assert seen["phase"] == "starting" and seen["ready_replicas"] == 0
    assert seen["detail"] == f"nobody can reach it: port {node.port} is taken"

    taken[0].close()
    platform.wait(lambda: lead(platform, before)[-1] == (1, 10_000))
    assert platform.reports[-1]["proxy"]["fault"] == "" and node.who() == "one"


def test_a_haproxy_that_ends_again_and_again_is_told_of(
    platform: Platform, node: NodeUnderTest
) -> None:
    serving(platform)
    for times in range(process.ENDS):
        assert "haproxy_ends" not in platform.errors(), f"it ended {times} times"
        ended = haproxy(node)
        ended.signal(signal.SIGKILL)
        platform.wait(lambda: haproxy(node) != ended and well(node.port))  # noqa: B023
    platform.wait(lambda: "haproxy_ends" in {e["code"] for e in platform.reports[-1]["errors"]})
    ends = {"code": "haproxy_ends", "detail": "HAProxy ended 3 times within 10 minutes"}
    assert ends in platform.reports[-1]["errors"]
    assert platform.reports[-1]["proxy"]["fault"] == "" and node.who() == "one"


def test_ends_that_are_long_ago_are_forgotten(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(process.ENDS):
        assert proxy.process.ends_often == ""
        proxy.ensure_running()
        assert proxy.process.ref is not None
        proxy.process.ref.signal(signal.SIGKILL)
        assert procs.wait_gone(proxy.process.ref, 5)
        assert not proxy.process.serves() and not proxy.process.serves(), "it is counted once"
    assert proxy.process.ends_often
    monkeypatch.setattr(process, "ENDS_SECONDS", 0.0)
    assert not proxy.process.ends_often


def test_a_haproxy_that_goes_on_with_an_older_configuration_is_told_of(
    platform: Platform, node: NodeUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(platform)
    program = tmp_path / "haproxy-that-takes-nothing-over"
    program.write_text(f'#!/bin/sh\ncase "$*" in *-sf*) exit 1;; esac\nexec {find_binary()} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    mine, before = node.agent.proxy, haproxy(node)
    binary, mine.process.binary = mine.process.binary, str(program)
    monkeypatch.setattr(config, "LAYOUT", config.LAYOUT + 1)  # which takes a reload
    mine.settings = replace(mine.settings, max_body_bytes=mine.settings.max_body_bytes + 1)
    platform.wait(lambda: "haproxy_behind" in {e["code"] for e in platform.reports[-1]["errors"]})
    (error,) = platform.reports[-1]["errors"]
    assert error["detail"].startswith("HAProxy goes on with an older configuration: ")
    assert (haproxy(node), node.who()) == (before, "one")
    mine.process.binary = binary
    platform.wait(lambda: not platform.reports[-1]["errors"] and haproxy(node) != before)
    assert node.who() == "one"


def serving(platform: Platform) -> None:
    """Have the node serve one revision."""
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")


def errors(platform: Platform, since: int) -> list[dict[str, str]]:
    """Return what the node told of HAProxy since a report."""
    reports = platform.reports[since:]
    return [e for report in reports for e in report["errors"] if e["code"] == "haproxy"]


def lead(platform: Platform, since: int) -> list[tuple[int, int]]:
    """Return how many replicas were ready, and the weight, in each report since one."""
    rows = [row for report in platform.reports[since:] for row in report["revisions"]]
    return [(row["ready_replicas"], row["weight"]) for row in rows]

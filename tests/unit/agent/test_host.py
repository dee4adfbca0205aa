"""Files, processes and the sandbox of a node."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from placet_agent.client import Client
from placet_agent.downloads.bentos import BentoFolder, BentoRefused
from placet_agent.downloads.pythons import Interpreters, NoInterpreter, probe
from placet_agent.process import procs, sandbox
from placet_agent.process.replica import free_port
from placet_agent.process.sandbox import INSTALLER_UID, Cell
from placet_agent.state import files
from placet_agent.state.data_dir import Home, NotJoined
from placet_agent.state.joining import JoinFailed, split_token


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    files.write_json(path, {"a": 1})
    files.write_json(path, {"a": 2})

    assert files.read_json(path) == {"a": 2}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_two_agents_never_share_a_folder(tmp_path: Path) -> None:
    with files.locked(tmp_path), pytest.raises(files.Busy), files.locked(tmp_path):
        raise AssertionError("both hold it")
    with files.locked(tmp_path):
        assert (tmp_path / "lock").exists()


def test_what_nothing_names_is_removed_but_for_the_newest(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "middle", "old", "used")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_000 - age, 1_000 - age))

    assert files.prune(tmp_path, {"used"}, spare=1) == ["middle", "old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "used"]


def test_what_a_killed_agent_left_half_removed_keeps_nothing_from_being_removed(
    tmp_path: Path,
) -> None:
    for name in ("one", ".removing-one", "two", "three", ".making-four", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()

    assert files.prune(tmp_path, set(), spare=0) == ["one", "three", "two"]
    (tmp_path / ".removing-one").mkdir()
    files.clear_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]


def test_what_must_not_be_forgotten_is_there_after_a_restart(tmp_path: Path) -> None:
    Home(tmp_path).remember(epoch=3, policy_floors={"prj_1 production": 4})

    again = Home(tmp_path).remembered()

    assert (again.epoch, again.policy_floors) == (3, {"prj_1 production": 4})
    with pytest.raises(NotJoined, match="placet-agent join"):
        Home(tmp_path).membership()


def test_the_nodes_key_is_made_once_and_private(tmp_path: Path) -> None:
    first, second = Home(tmp_path).ensure_key(), Home(tmp_path).ensure_key()

    assert first.id == second.id
    assert (tmp_path / "node.key").stat().st_mode & 0o777 == 0o600


def _running(**environment: str) -> "subprocess.Popen[bytes]":
    """Start a program and wait until it answers: the kernel shows its environment late."""
    pipe = subprocess.PIPE
    child = subprocess.Popen(["/usr/bin/cat"], env=environment, stdin=pipe, stdout=pipe, bufsize=0)
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(b"there\n")
    assert child.stdout.read(6) == b"there\n"
    return child


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    with child:  # closes its pipes
        child.wait()


def test_a_process_is_known_by_pid_and_start() -> None:
    child = _running(PLACET_REPLICA="rev_1-test")
    ref = procs.find(child.pid)
    assert ref is not None and ref.alive
    assert ref in procs.with_variable("PLACET_REPLICA", "rev_1-test")
    stranger = procs.ProcessRef(child.pid, ref.start + 1)

    stranger.signal(9)
    assert not stranger.alive and ref.alive
    ref.signal(9)

    assert procs.wait_gone(ref, 5)  # a zombie counts as gone
    _end(child)


def test_a_process_runs_as_long_as_a_thread_of_it_does() -> None:
    """Its first thread may end before the others, and then the kernel calls it a zombie."""
    script = """if True:
        import ctypes, threading, time
        def last():
            while open("/proc/self/stat").read().split(") ")[1][0] != "Z":
                pass
            print(flush=True)
            time.sleep(30)
        threading.Thread(target=last).start()
        ctypes.CDLL(None).syscall(%d, 0)
    """
    number = {"x86_64": 60, "aarch64": 93}[os.uname().machine]  # exit, of one thread alone
    child = subprocess.Popen([sys.executable, "-c", script % number], stdout=subprocess.PIPE)
    ref = procs.find(child.pid)
    assert child.stdout is not None and child.stdout.readline() == b"\n"
    assert ref is not None and ref.alive and not procs.wait_gone(ref, 0)
    _end(child)
    assert not ref.alive


def test_a_port_is_given_to_one_replica_only() -> None:
    first = free_port(set())

    assert 20_000 <= first < 30_000
    assert free_port(set(range(20_000, 30_000)) - {first}) == first


def run(cell: Cell, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a cell."""
    words = sandbox.command(cell, ["/bin/sh", "-c", script])
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)


def test_in_a_cell_there_is_nobody_else_nothing_to_write_and_no_network(tmp_path: Path) -> None:
    assert sandbox.isolation() == "bwrap"
    (tmp_path / "given").write_text("for you")
    tmp_path.chmod(0o755)
    cell = Cell(uid=INSTALLER_UID, read_only={"/given": tmp_path}, variables={"MODE": "x"})

    done = run(
        cell,
        "id -u; cat /given/given; echo; env | grep -c .; ls /proc | grep -c '^[0-9]'; "
        "touch /given/new; touch /usr/new; cat /proc/net/route | wc -l; "
        "grep NoNewPrivs /proc/self/status",
    )

    lines = done.stdout.split("\n")
    assert lines[0] == str(INSTALLER_UID if os.geteuid() == 0 else os.geteuid())
    assert lines[1] == "for you"
    assert int(lines[3]) <= 8
    assert "NoNewPrivs:\t1" in lines
    assert done.stderr.count("Read-only file system") == 2


def test_a_folder_that_only_its_owner_may_enter_can_be_given_to_a_cell(tmp_path: Path) -> None:
    private = tmp_path / "home"
    (private / "python").mkdir(parents=True)
    (private / "python/file").write_text("here")
    private.chmod(0o700)
    inside = str(private / "python")

    old = os.umask(0o077)
    try:
        done = run(
            Cell(uid=INSTALLER_UID, read_only={inside: private / "python"}), f"cat {inside}/file"
        )
    finally:
        os.umask(old)

    assert done.stdout == "here", done.stderr


def test_a_missing_interpreter_is_said_in_words() -> None:
    interpreters = Interpreters([])
    here = f"{sys.version_info.major}.{sys.version_info.minor}"

    assert here in interpreters.versions
    assert interpreters.find(f"{here}.99").short == here
    with pytest.raises(NoInterpreter, match=r"no Python 3\.4 on this node"):
        interpreters.find("3.4")


@pytest.mark.parametrize(("code", "times"), [(127, 1), (1, 2)])
def test_a_shim_of_a_python_that_is_not_installed_is_asked_once(
    tmp_path: Path, code: int, times: int
) -> None:
    shim, asked = tmp_path / "python3.99", tmp_path / "asked"
    shim.write_text(f"#!/bin/sh\necho >> {asked}; exit {code}\n")
    shim.chmod(0o755)

    assert [probe(shim), probe(shim)] == [None, None]

    assert len(asked.read_text().splitlines()) == times


def test_the_versions_of_pyenv_are_asked_and_not_its_shims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shims, version = tmp_path / "shims", tmp_path / "versions/3.99.1/bin"
    for folder, says in ((shims, "exit 127"), (version, f'exec {sys.executable} "$@"')):
        folder.mkdir(parents=True)
        (folder / "python3.13").write_text(f"#!/bin/sh\necho x >> {folder}/asked; {says}\n")
        (folder / "python3.13").chmod(0o755)
    monkeypatch.setenv("PATH", str(shims))

    assert Interpreters([]).versions

    assert (version / "asked").exists()
    assert not (shims / "asked").exists()


def test_a_bento_that_was_changed_is_not_taken_for_itself(tmp_path: Path) -> None:
    client = Client("http://localhost:1")
    bentos, digest = BentoFolder(tmp_path, client), "sha256:" + "ab" * 32
    folder = bentos.path(digest)
    folder.mkdir(parents=True)
    (folder / "model").write_text("good")
    good = "770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c"
    files.write_json(folder.parent / "files.json", {"model": good})
    bentos.check(digest)
    client.close()

    (folder / "extra").symlink_to("/etc/passwd")

    with pytest.raises(BentoRefused, match="were changed"):
        bentos.check(digest)
    assert not bentos.has(digest)


def test_a_token_carries_the_roots_fingerprint() -> None:
    fingerprint = "cd" * 32

    assert split_token(f"secret.{fingerprint}", "") == ("secret", fingerprint)
    assert split_token(f"secret.sha256:{fingerprint}\n", "") == ("secret", fingerprint)
    assert split_token("secret", fingerprint) == ("secret", fingerprint)
    for token, root in (("secret", ""), ("secret.short", ""), (f"s.{fingerprint}", "ab" * 32)):
        with pytest.raises(JoinFailed):
            split_token(token, root)


def test_of_a_huge_environment_the_front_alone_is_read() -> None:
    """Thousands of processes with 6 MB each would keep the agent from all else for minutes."""
    much = {f"V{number}": "x" * 100_000 for number in range(10)}
    front = _running(**{"PLACET_REPLICA": "rev_1-f", **much})
    behind = _running(**{**much, "PLACET_REPLICA": "rev_1-f"})
    try:
        pids = [ref.pid for ref in procs.with_variable("PLACET_REPLICA", "rev_1-f")]
        assert pids == [front.pid]
    finally:
        for child in (front, behind):
            _end(child)


def test_a_process_may_have_any_name() -> None:
    """One whose name is no text could not be told to end, nor anybody after it."""
    name = r"b'\xff) \xfe'"
    script = f"import ctypes, time; ctypes.CDLL(None).prctl(15, {name}, 0, 0, 0); print(flush=True)"
    child = subprocess.Popen(
        [sys.executable, "-c", f"{script}; time.sleep(30)"], stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == b"\n"
        ref = procs.find(child.pid)
        assert ref is not None and ref.alive
        assert ref in procs.find(os.getpid()).children()  # type: ignore[union-attr]
    finally:
        child.kill()
        child.communicate()

"""A run has no more of the disk than it may, whatever it does with names, links and descriptors."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from placet_agent.downloads.leftovers import remove
from tests.support.trees import lent_deep, memory_of
from tests.support.users import as_user
from workers.builder import process_users, sandbox
from workers.builder.quota import Quota
from workers.builder.sandbox import Limits, RunResult, Sandbox, interpreter
from workers.builder.trees import TooMuch, walk

USER = 60999
SMALL = Limits(disk_mb=20, files=500, seconds=60)
WAIT = "\ntime.sleep(60)\n"
START = "import os, time\n"
WRITE = """
def write(handle, megabytes=10):
    for _ in range(megabytes): os.write(handle, b'x' * (1 << 20))
"""
NAMELESS = """
held = []
for n in range(6):
    held.append(os.open('f', os.O_RDWR | os.O_CREAT)); os.unlink('f'); write(held[-1])
"""
BELOW_ANY_PATH = """
here = os.open('.', os.O_RDONLY)
for n in range(40):
    os.mkdir('d' * 200, dir_fd=here); here = os.open('d' * 200, os.O_RDONLY, dir_fd=here)
write(os.open('big', os.O_CREAT | os.O_WRONLY, dir_fd=here), 10)
"""
FOLDERS = """
for n in range(200):
    os.mkdir(f'd{n}')
    for k in range(3): os.close(os.open(f'd{n}/e{k}', os.O_CREAT))
"""
MAPPED = """
import mmap
held = []
for n in range(6):
    handle = os.open('f', os.O_RDWR | os.O_CREAT); os.unlink('f'); write(handle)
    held.append(mmap.mmap(handle, 4096)); os.close(handle)
"""
UNDER_WAY = """
import socket
a, b = socket.socketpair()
for n in range(6):
    handle = os.open('f', os.O_RDWR | os.O_CREAT); os.unlink('f'); write(handle)
    socket.send_fds(a, [b'x'], [handle]); os.close(handle)
"""
IN_A_THREAD = """
import ctypes, threading
held = []
def attack():
    ctypes.CDLL(None).unshare(0x400)  # descriptors of its own
    for n in range(6):
        held.append(os.open('f', os.O_RDWR | os.O_CREAT)); os.unlink('f'); write(held[-1])
    time.sleep(60)
threading.Thread(target=attack).start()
"""
ATTACKS = {
    "files without a name": NAMELESS,
    "below any path": BELOW_ANY_PATH,
    "folders": FOLDERS,
    "mapped": MAPPED,
    "under way": UNDER_WAY,
    "in a thread": IN_A_THREAD,
}
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")


@pytest.fixture(scope="module")
def box() -> Sandbox:
    """The sandbox of this machine."""
    return Sandbox.detect()


def attack(box: Sandbox, folder: Path, code: str, limits: Limits = SMALL) -> RunResult:
    """Run a program that writes into ``folder``, where it stands."""
    words = [str(interpreter()), "-I", "-c", START + WRITE + code]
    return box.run(words, binds_rw=[folder], cwd=folder, limits=limits)


@pytest.mark.parametrize("way", ATTACKS)
def test_whoever_takes_more_of_the_disk_is_ended(box: Sandbox, tmp_path: Path, way: str) -> None:
    result = attack(box, tmp_path, ATTACKS[way] + WAIT)
    assert result.reason == "disk"
    assert result.seconds < 20


@pytest.mark.parametrize("way", ["below any path", "folders"])
def test_what_is_left_at_the_end_counts(box: Sandbox, tmp_path: Path, way: str) -> None:
    assert attack(box, tmp_path, ATTACKS[way]).reason == "disk"


def test_less_than_that_is_anybodys_right(box: Sandbox, tmp_path: Path) -> None:
    code = (
        "held = os.open('f', os.O_RDWR | os.O_CREAT); os.unlink('f'); write(held, 4)\n"
        "write(os.open('g', os.O_RDWR | os.O_CREAT), 4)\n"
        "for n in range(100): os.mkdir(f'd{n}')\n"
        "time.sleep(1.5)\n"
    )
    assert attack(box, tmp_path, code).ok


def test_descriptors_under_way_are_anybodys_right(box: Sandbox, tmp_path: Path) -> None:
    """Its limit is wide: where something is hidden, what others write meanwhile counts as well."""
    code = (
        "import socket\n"
        "held = os.open('f', os.O_RDWR | os.O_CREAT); os.unlink('f'); write(held, 4)\n"
        "a, b = socket.socketpair(); socket.send_fds(a, [b'x'], [held])\n"
        "time.sleep(1.5)\n"
    )
    assert attack(box, tmp_path, code, Limits(disk_mb=8192, seconds=60)).ok


def test_a_tree_of_any_depth_is_measured_in_little_memory(tmp_path: Path) -> None:
    with lent_deep(tmp_path / "tree"), memory_of(300):
        assert Quota([tmp_path / "tree"], 1 << 40, 1 << 20, list).over()


def test_a_walk_sees_all_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("text")
    (tmp_path / "a" / "link").symlink_to("/usr")
    found = {entry.path: entry.is_folder for entry in walk(tmp_path)}
    assert found == {"a": True, "a/b": True, "a/b/file": False, "a/link": False}
    with pytest.raises(TooMuch):
        list(walk(tmp_path, 3))


@root_only
def test_it_holds_for_a_worker_that_is_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(tempfile.mkdtemp(prefix="placet-quota-"))  # who else runs pytest closes its folder
    os.chown(place, USER, USER)
    own = shutil.copytree(sandbox.ETC, place / "etc")  # a worker can read what is its own
    monkeypatch.setattr(sandbox, "ETC", own)
    ways = {**ATTACKS, "closed": "os.mkdir('d'); os.mkdir('d/e'); os.chmod('d', 0)"}

    def worker() -> str:
        process_users.apart.cache_clear()  # this fork was root
        box = Sandbox.detect()
        for way in ways:
            (place / way).mkdir()
        reasons = [attack(box, place / way, code + WAIT).reason for way, code in ways.items()]
        return f"{box.isolation} {reasons}"

    said = as_user(USER, worker)
    remove(place)
    assert said == f"bwrap {['disk'] * len(ways)}"

"""What the agent sends of what services wrote, against a platform that forgets nothing."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from placet_agent.client import Rejected, Unreachable
from placet_agent.downloads.leftovers import remove
from placet_agent.reports import capture
from placet_agent.reports.capture import Shipper, read_lines
from tests.unit.agent.test_leftovers import PLATFORM, deep

REPLICA = "rev_1-0123abcd"
FILE = "a" * 32 + "-000000.jsonl"
NEXT = "a" * 32 + "-000001.jsonl"


@dataclass
class Platform:
    """Takes bytes as the platform does: from the byte on up to which it has the file."""

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    down: bool = False
    refuses: bool = False
    lose_reply: bool = False

    def capture(self, revision: str, file: str, offset: int, packed: bytes) -> int:
        """Stand for ``Client.capture``."""
        if self.down:
            raise Unreachable("down")
        if self.refuses:
            raise Rejected(404, "not_found", "no", {})
        known = self.files.get((revision, file), b"")
        if len(known) == offset:
            self.files[revision, file] = known + zlib.decompress(packed)
        if self.lose_reply:
            self.lose_reply = False
            raise Unreachable("the reply is lost")
        return len(self.files.get((revision, file), b""))


@dataclass
class Node:
    """A folder of one replica, and its shipper."""

    root: Path
    platform: Platform
    alive: list[str] = field(default_factory=lambda: [REPLICA])
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.root / REPLICA
        self.folder.mkdir()
        self.restart()

    def restart(self) -> None:
        """Begin anew, as an agent that was killed."""
        self.shipper = Shipper(
            self.root,
            self.platform,
            lambda: self.alive,  # type: ignore[arg-type]
            lambda code, detail: self.told.append(code),
        )

    def write(self, *lines: int, name: str = FILE, cut: str = "") -> None:
        """Have the service write lines, and perhaps a part of one."""
        with (self.folder / name).open("a") as stream:
            stream.write("".join(json.dumps({"n": n}) + "\n" for n in lines) + cut)

    def arrived(self, name: str = FILE) -> list[int]:
        """Return what the platform has."""
        return [json.loads(line)["n"] for line in self.platform.files["rev_1", name].splitlines()]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path, Platform())


def test_every_line_arrives_once_whatever_is_lost(node: Node) -> None:
    node.write(1, 2)
    node.platform.lose_reply = True
    node.shipper.once()
    node.shipper.once()
    node.write(3)
    node.restart()
    node.shipper.once()
    node.platform.down = True
    node.write(4)
    node.shipper.once()
    node.platform.down = False
    node.shipper.once()
    assert node.arrived() == [1, 2, 3, 4]


def test_a_cut_line_waits_for_its_end_and_dies_with_its_service(node: Node) -> None:
    node.write(1, cut='{"n":')
    node.shipper.once()
    assert node.arrived() == [1]
    node.write(cut=" 2}\n")
    node.write(cut='{"n": 3')
    node.alive.clear()
    node.shipper.once()
    assert node.arrived() == [1, 2]
    assert list(node.root.iterdir()) == []


def test_finished_files_go_and_the_one_in_use_stays(node: Node) -> None:
    node.write(1)
    node.write(2, name=NEXT)
    node.shipper.once()
    assert (node.arrived(), node.arrived(NEXT)) == ([1], [2])
    assert [path.name for path in node.folder.iterdir()] == [NEXT]
    node.write(3, name=NEXT)
    node.alive.clear()
    node.shipper.once()
    assert node.arrived(NEXT) == [2, 3]
    assert not node.folder.exists()


def test_nothing_is_removed_before_the_platform_has_it(node: Node) -> None:
    node.platform.down = True
    node.write(1)
    node.alive.clear()
    node.shipper.once()
    assert (node.folder / FILE).exists()


def test_only_our_own_plain_files_are_read(node: Node, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"n": 1}\n')
    (node.folder / FILE).symlink_to(secret)
    (node.folder / "other.jsonl").write_text('{"n": 1}\n')
    os.mkfifo(node.folder / NEXT)
    (node.root / "not-a-replica").mkdir()
    node.shipper.once()
    assert node.platform.files == {}
    with pytest.raises(OSError, match="symbolic"):
        read_lines(node.folder / FILE, 0)


def test_what_the_platform_refuses_is_told_and_not_sent_for_ever(node: Node) -> None:
    node.platform.refuses = True
    node.write(1)
    node.alive.clear()
    node.shipper.once()
    assert node.told == ["capture_refused"]
    assert not node.folder.exists()


def test_a_folder_that_grows_past_its_bound_loses_its_oldest(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "FOLDER_BYTES", 20)
    node.platform.down = True
    node.write(*range(5))
    os.utime(node.folder / FILE, (1, 1))
    node.write(1, name=NEXT)
    node.shipper.once()
    assert node.told == ["capture_dropped"]
    assert [path.name for path in node.folder.iterdir()] == [NEXT]


def test_a_folder_of_many_files_loses_its_oldest_and_is_told_of_once(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "FOLDER_FILES", 10)
    for number in range(50):
        node.write(number, name=f"{number:032x}-000000.jsonl")
    node.shipper.once()
    assert node.told == ["capture_dropped"]
    assert len(list(node.folder.iterdir())) == len(node.platform.files) == 10


def test_a_folder_of_many_files_has_no_other_wait(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file was compared with each: 2,000 empty ones had the others wait for 10 s."""
    monkeypatch.setattr(capture, "FOLDER_FILES", 100_000)
    for number in range(4000):
        (node.folder / f"{number:032x}-000000.jsonl").touch()
    other = node.root / "rev_2-0123abcd"
    other.mkdir()
    (other / FILE).write_text('{"n":1}\n')
    monkeypatch.setattr(capture, "SLICE_SECONDS", 60.0)
    began = time.process_time()
    node.shipper.once()
    assert time.process_time() - began < 5
    assert ("rev_2", FILE) in node.platform.files


def test_a_folder_that_takes_too_long_goes_on_the_next_time(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "SLICE_SECONDS", 0.0)
    node.write(1)
    other = node.root / "rev_2-0123abcd"
    other.mkdir()
    (other / FILE).write_text('{"n":1}\n')
    node.shipper.once()
    assert node.platform.files == {}
    monkeypatch.undo()
    node.shipper.once()
    assert sorted(node.platform.files) == [("rev_1", FILE), ("rev_2", FILE)]


def test_a_long_file_goes_in_pieces(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "CAPTURE_BYTES", 25)
    node.write(*range(10, 30))
    pieces: list[int] = []
    send: Callable[..., int] = node.platform.capture

    def counted(revision: str, file: str, offset: int, packed: bytes) -> int:
        pieces.append(len(zlib.decompress(packed)))
        return send(revision, file, offset, packed)

    monkeypatch.setattr(node.platform, "capture", counted)
    node.shipper.once()
    assert node.arrived() == list(range(10, 30))
    assert len(pieces) > 5 and max(pieces) <= 25


def test_what_is_written_meanwhile_is_for_the_next_time(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that writes faster than lines are sent would keep the shipper at its file."""
    take = node.platform.capture

    def busy(revision: str, file: str, offset: int, packed: bytes) -> int:
        node.write(9)
        return take(revision, file, offset, packed)

    monkeypatch.setattr(node.platform, "capture", busy)
    node.write(1, 2)
    node.shipper.once()
    assert node.arrived() == [1, 2]
    node.shipper.once()
    assert node.arrived() == [1, 2, 9]


def test_what_one_service_does_to_its_files_is_no_matter_of_the_others(node: Node) -> None:
    """The owner of a file may take a lease on it, and nobody else can open it meanwhile."""
    spoiled = node.root / "rev_0-0123abcd"
    spoiled.mkdir()
    (spoiled / FILE).write_text("{}\n")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    node.alive.append(spoiled.name)
    node.write(1)
    try:
        with (spoiled / FILE).open("r+b") as held:
            fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            node.shipper.once()
    finally:
        signal.signal(signal.SIGIO, before)

    assert node.arrived() == [1]
    assert node.told == ["capture_unreadable"]


def test_a_service_that_wrote_nothing_yet_keeps_no_other_waiting(node: Node) -> None:
    idle = node.root / "rev_0-0123abcd"
    idle.mkdir()
    node.alive.append(idle.name)
    node.write(1)
    node.shipper.once()

    assert node.arrived() == [1]
    assert node.told == []
    assert idle.exists()


def test_whatever_fails_in_one_folder_is_no_matter_of_the_others(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoiled = node.root / "rev_0-0123abcd"
    spoiled.mkdir()
    (spoiled / FILE).write_text("{}\n")
    node.write(1)
    send = node.shipper._send_file

    def spoil(path: Path, revision: str, until: float) -> bool:
        if path.parent == spoiled:
            raise ValueError("of another kind than any that was met")
        return send(path, revision, until)

    monkeypatch.setattr(node.shipper, "_send_file", spoil)
    node.shipper.once()

    assert node.arrived() == [1]
    assert node.told == ["capture_unreadable"]


def test_a_folder_of_any_depth_is_given_up_in_little_memory(node: Node) -> None:
    """Removing it took 2 GB outside every limit of who had made it."""
    deep(node.folder / "deep")
    code = (
        "import sys; from pathlib import Path; from placet_agent.reports.capture import Shipper; "
        "shipper = Shipper(Path(sys.argv[1]), None, lambda: [], print); shipper.once(); "
        "shipper._removing.join()"
    )
    done = subprocess.run(
        ["prlimit", f"--as={300 << 20}", sys.executable, "-c", code, node.root],
        env={"PYTHONPATH": str(PLATFORM)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout + done.stderr == ""
    assert list(node.root.iterdir()) == []


def test_of_a_folder_without_end_so_much_is_read_and_others_are_sent(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "FOLDER_NAMES", 100)
    spoiled = node.root / "rev_0-0123abcd"
    spoiled.mkdir()
    for number in range(500):
        (spoiled / f"other {number}").touch()
    node.alive.append(spoiled.name)
    node.write(1)
    read: list[str] = []
    scan = os.scandir

    @contextmanager
    def counted(folder: Path) -> Iterator[Iterator["os.DirEntry[str]"]]:
        with scan(folder) as entries:
            yield (read.append(entry.name) or entry for entry in entries)

    monkeypatch.setattr(os, "scandir", counted)
    node.shipper.once()
    monkeypatch.setattr(os, "scandir", scan)

    assert len(read) <= 2 * (101 + 100)
    assert node.arrived() == [1]
    node.shipper.once()
    assert node.told == ["capture_dropped"], "once a minute"


def test_a_folder_that_takes_long_to_remove_keeps_no_other_waiting(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "REMOVE_SECONDS", 0.0)
    let_go = threading.Event()

    def slow(path: Path) -> bool:
        assert let_go.wait(30)
        return remove(path)

    monkeypatch.setattr(capture, "remove", slow)
    other = node.root / "rev_2-0123abcd"
    other.mkdir()
    node.alive[:] = [other.name]
    node.shipper.once()
    assert [path.name for path in node.root.iterdir() if path != other] == [f".removing-{REPLICA}"]
    (other / FILE).write_text('{"n":1}\n')
    node.shipper.once()
    assert ("rev_2", FILE) in node.platform.files
    let_go.set()
    assert node.shipper._removing is not None
    node.shipper._removing.join()
    assert list(node.root.iterdir()) == [other]

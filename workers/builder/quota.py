"""What a run has on the disk: by name, and what has a name no more but is still held open."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from workers.builder.trees import TooMuch, walk

BLOCK = 512  # bytes, in which ``st_blocks`` counts whatever the file system
SELDOM = 0.3  # seconds from one look to the next, at least
LOOK_SECONDS = 1.0  # for the descriptors of a run's processes; the rest is taken for hidden
GONE = (FileNotFoundError, ProcessLookupError)


class Quota:
    """Adds up what the writable folders hold, seldom enough to cost little.

    A file that is removed and held open is found through the processes. What cannot be found so
    (descriptors under way in sockets, mappings, a process that shows nothing) is hidden: where
    there is any, the run holds too much as soon as the disk lost more than it may write, whoever
    took it.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        limit: int,
        files: int,
        processes: Callable[[], Iterable[int]],
    ) -> None:
        self._folders, self._limit, self._files = folders, limit, files
        self._processes = processes
        self._next = 0.0
        self._free = self._looked = _free(folders)

    def exceeded(self) -> bool:
        """Tell whether the run holds more than it may, if it is time to look or it wrote much."""
        if not self._folders:
            return False
        free = _free(self._folders)
        if time.monotonic() < self._next and self._looked - free < self._limit // 4:
            return False
        started = time.monotonic()
        over = self.over()
        self._looked = free
        self._next = time.monotonic() + max(SELDOM, 20 * (time.monotonic() - started))
        return over

    def over(self) -> bool:
        """Tell whether it holds more now. What cannot be looked into counts as more."""
        used = count = 0
        try:
            for folder in self._folders:
                for entry in walk(folder, self._files):
                    used += entry.found.st_blocks * BLOCK
                    count += 1
        except (TooMuch, PermissionError):
            return True
        nameless = Nameless({folder.stat().st_dev for folder in self._folders})
        nameless.look(self._processes())
        used, count = used + nameless.used, count + len(nameless.found)
        if used > self._limit or count > self._files:
            return True
        return nameless.hidden and self._free - _free(self._folders) > self._limit


class Nameless:
    """The files without a name that processes hold open on some devices."""

    def __init__(self, devices: set[int]) -> None:
        self._devices = devices
        self.found: set[tuple[int, int]] = set()
        self.used = 0
        self.hidden = False  # something may be held that is not found

    def look(self, processes: Iterable[int]) -> None:
        """Look through the descriptors and mappings of processes."""
        until = time.monotonic() + LOOK_SECONDS
        tasks = [task for process in processes for task in _entries(f"/proc/{process}/task")]
        for see in (self._descriptors, self._mappings):
            for task in tasks:
                if time.monotonic() > until:
                    self.hidden = True
                    return
                try:
                    see(task)
                except GONE:
                    continue
                except PermissionError:
                    self.hidden = True

    def _descriptors(self, task: str) -> None:
        for path in _entries(f"{task}/fd"):
            with suppress(*GONE):
                held = Path(path).stat()
                if stat.S_ISSOCK(held.st_mode):
                    self.hidden |= _holds_descriptors(path.replace("/fd/", "/fdinfo/"))
                elif stat.S_ISREG(held.st_mode) and not held.st_nlink:
                    self._add(held)

    def _add(self, held: os.stat_result) -> None:
        known = (held.st_dev, held.st_ino)
        if held.st_dev in self._devices and known not in self.found:
            self.found.add(known)
            self.used += held.st_blocks * BLOCK

    def _mappings(self, task: str) -> None:
        with open(f"{task}/maps", errors="replace") as lines:  # noqa: PTH123
            for line in lines:
                if not line.endswith(" (deleted)\n"):
                    continue
                major, _, minor = line.split()[3].partition(":")
                device, number = os.makedev(int(major, 16), int(minor, 16)), int(line.split()[4])
                if device in self._devices and (device, number) not in self.found:
                    self.hidden = True


def descendants(process: int) -> list[int]:
    """Return a process and all that it and they started, as far as their parents live."""
    children: dict[int, list[int]] = {}
    for path in _entries("/proc"):
        if (name := path.rpartition("/")[2]).isdigit():
            with suppress(OSError):
                stat_line = Path(path, "stat").read_text(errors="replace")
                parent = int(stat_line.rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    processes = [process]
    for one in processes:
        processes += children.get(one, [])
    return processes


def _free(folders: Iterable[Path]) -> int:
    """Return what is free on the disks that the folders lie on."""
    disks = {folder.stat().st_dev: os.statvfs(folder) for folder in folders}
    return sum(disk.f_bfree * disk.f_frsize for disk in disks.values())


def _holds_descriptors(path: str) -> bool:
    """Tell whether descriptors are under way in a socket, of which ``path`` tells."""
    text = Path(path).read_text(errors="replace")
    return any(line.startswith("scm_fds:") and line.split()[1] != "0" for line in text.splitlines())


def _entries(folder: str) -> Iterator[str]:
    with suppress(*GONE), os.scandir(folder) as entries:
        for entry in entries:
            yield entry.path

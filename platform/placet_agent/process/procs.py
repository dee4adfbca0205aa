"""Processes that outlive us: known by pid and start time, so that a reused pid is never ours.

What cannot be looked at, for want of a descriptor say, is not gone: it raises ``OSError``.
"""

import errno
import os
import select
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # it says nothing of the process
_ENVIRONMENT = 1 << 16  # bytes of it; what is marked has the mark first


@cache
def boot() -> str:
    """Return what tells this start of the host from every other, for pids and times begin anew; ''
    where the host does not say it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except FileNotFoundError:
        return ""


@dataclass(frozen=True)
class ProcessRef:
    """One process, as the kernel started it."""

    pid: int
    start: int  # field 22 of /proc/PID/stat, in clock ticks since boot

    @property
    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not, unless a thread of it does."""
        status = _stat(self.pid)
        if status is None or status.start != self.start:
            return False
        return status.state not in "ZX" or status.threads > 1

    def signal(self, number: int) -> None:
        """Send a signal to this process and to no other that got its pid."""
        handle = _open(self.pid)
        if handle is None:
            return
        try:
            if self.alive:
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)

    def children(self) -> list["ProcessRef"]:
        """Return the children of this process."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        try:
            pids = [int(pid) for pid in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            return []
        return [ref for pid in pids if (ref := find(pid)) is not None]


def find(pid: int) -> ProcessRef | None:
    """Return the process that has ``pid`` now."""
    status = _stat(pid)
    return None if status is None else ProcessRef(pid, status.start)


class _Stat(NamedTuple):
    state: str
    start: int
    threads: int


def _stat(pid: int) -> _Stat | None:
    try:
        raw = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # the name may hold spaces, brackets, and bytes that are no text: a process names itself
    fields = raw[raw.rindex(b")") + 2 :].decode().split()
    return _Stat(fields[0], int(fields[19]), int(fields[17]))


def with_variable(name: str, value: str, *, inside: bool = False) -> list[ProcessRef]:
    """Return every process that was started with ``name=value`` near the front of its environment.

    Not all of it is read: anybody's process may have 6 MB, and there may be thousands. Of those in
    another pid namespace only its first is looked at, with which all of them end, unless it is
    asked for who is ``inside``: what runs in a replica can have whoever reads of it wait.
    """
    return [ref for ref, actual in with_name(name, inside=inside) if actual == value]


def with_name(name: str, *, inside: bool = False) -> list[tuple[ProcessRef, str]]:
    """Return every process that was started with such a variable, and what it says."""
    marker = f"\0{name}=".encode()
    processes = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or (_inner(entry) and not inside):
            continue
        try:
            with (entry / "environ").open("rb", buffering=0) as stream:
                environment = b"\0" + stream.read(_ENVIRONMENT) + b"\0"
        except OSError as error:
            if error.errno in _SHORT:
                raise
            continue  # it ended, or is somebody else's
        _, marked, rest = environment.partition(marker)
        if marked and (ref := find(int(entry.name))) is not None:
            processes.append((ref, rest.partition(b"\0")[0].decode(errors="replace")))
    return processes


def output_of(ref: ProcessRef) -> str:
    """Return the file that a process writes to, removed or not; '' where that cannot be seen."""
    try:
        return str(Path(f"/proc/{ref.pid}/fd/1").readlink()).removesuffix(" (deleted)")
    except OSError:
        return ""


def _inner(entry: Path) -> bool:
    """Tell whether a process is in another pid namespace, and not its first."""
    try:
        status = (entry / "status").read_bytes()
    except OSError as error:
        if error.errno in _SHORT:
            raise
        return True
    pids = status.partition(b"\nNSpid:")[2].partition(b"\n")[0].split()
    return len(pids) > 1 and pids[1:] != [b"1"]


def _open(pid: int) -> int | None:
    """Return a descriptor of the process that has ``pid`` now, if one has."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EINVAL):  # EINVAL: a thread has it
            return None
        raise


def wait_gone(ref: ProcessRef, seconds: float) -> bool:
    """Wait until ``ref`` is gone, without delay when it goes; tell whether it is."""
    handle = _open(ref.pid)
    if handle is None:
        return not ref.alive
    try:
        if not ref.alive:
            return True
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        return bool(poller.poll(seconds * 1000))
    finally:
        os.close(handle)

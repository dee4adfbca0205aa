"""What one replica may use of a host: memory, processes, and its fair share of the processor.

By control groups where they work; elsewhere only what ``prlimit`` can bound, and that is memory by
process: there a neighbour feels what a replica does to the processor.
"""

import errno
import os
import resource
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from placet_agent.process import procs

FILES = 8192  # that each replica may have open; HAProxy needs 8025
ROOT = Path("/sys/fs/cgroup")
FEW_FILES, FEW_PROCESSES = 1200, 512  # that everybody has: an endpoint has 1000 connections


def share_of_files(processes: int, files: int) -> tuple[int, int]:
    """Return as many processes, and open files of each, but no more than have a quarter of what the
    host may have open, or the few that everybody has.

    An open file costs who holds it some 240 bytes, and when there are ``fs.file-max`` of them only
    root opens another one. ``docs/install.md`` says how a host has more.
    """
    try:
        quarter = int(Path("/proc/sys/fs/file-max").read_text()) // 4
    except OSError:
        return processes, files
    files = min(files, max(quarter // processes, FEW_FILES))
    return min(processes, max(quarter // files, FEW_PROCESSES)), files


PROCESSES, OPEN_FILES = share_of_files(2048, 8192)  # threads count as processes
SHARE = 1024  # of the processor, against any other replica that wants it
# What TCP holds of a replica's is counted apart by version 1, and for all of the host together:
# who fills it has everybody's connections stall and break.
TCP_BYTES = 64 << 20
PROBES = 3  # so often it is tried whether groups can be made
_CANNOT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL}


def too_few_files() -> str:
    """Say why HAProxy and replicas cannot have as many files open as they need; '' when they can.

    The hard limit is raised where this process may do that.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= FILES:
        return ""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, FILES))
    except (OSError, ValueError):
        return (
            f"HAProxy and each replica need {FILES} open files, and this host allows {hard}: "
            f"start the agent with a hard limit of {FILES} or more (LimitNOFILE=, ulimit -Hn)"
        )
    return ""


@dataclass(frozen=True)
class Limiter:
    """How limits are set here: ``cgroup1``, ``cgroup2`` or, failing both, ``prlimit``.

    ``roots`` are the folders of our groups: one for each controller of version 1 that works here,
    memory first; a single one of version 2.

    In version 1 a replica's group for the processor stands beside our folder, not in it: one in
    there gets what is left of the folder's share, and who uses all of that leaves its neighbours to
    wait for everything else on the host.
    """

    kind: str
    roots: tuple[Path, ...] = field(default=())
    fault: str = ""  # why groups cannot be made now, although they may be another time

    def make(self, name: str, megabytes: int) -> tuple[Path, ...]:
        """Make the groups of one replica, to be joined before it starts anything.

        Raises ``OSError``, also where groups are only not to be had now: without them it would
        have less of a limit than it was let in with.
        """
        if self.fault:
            raise OSError(self.fault)
        groups = []
        for root in self.roots:
            group = self._group(root, name)
            group.mkdir(parents=True, exist_ok=True)
            self._set(group, megabytes)
            groups.append(group)
        return tuple(groups)

    def _group(self, root: Path, name: str) -> Path:
        beside = self.kind == "cgroup1" and root.parent.name == "cpu"
        return root.with_name(f"{root.name}-{name}") if beside else root / name

    def _set(self, group: Path, megabytes: int) -> None:
        settings: dict[str, object] = {
            "memory.limit_in_bytes": megabytes << 20,
            "memory.max": megabytes << 20,
            "memory.kmem.tcp.limit_in_bytes": TCP_BYTES,
            "pids.max": PROCESSES,
            "cpu.shares": SHARE,
            "cpu.weight": 100,
        }
        for name, value in settings.items():
            if (group / name).exists():
                (group / name).write_text(str(value))

    def charge(self, name: str, pid: int) -> None:
        """Count the processor's time of a process beside the replica to the replica.

        Its memory is not: in want of memory the kernel might end it in place of the replica.
        """
        for root in self.roots:
            if self.kind == "cgroup1" and root.parent.name == "cpu":
                with suppress(OSError):
                    (self._group(root, name) / "cgroup.procs").write_text(str(pid))

    def words(self, megabytes: int) -> tuple[str, ...]:
        """Return prlimit's words where nothing better exists: twice the size, in private data."""
        return () if self.roots else (f"--data={megabytes << 21}:{megabytes << 21}",)

    def killed(self, name: str) -> bool:
        """Whether the kernel ended something of the replica for want of memory."""
        filename = "memory.oom_control" if self.kind == "cgroup1" else "memory.events"
        try:
            lines = (self.roots[0] / name / filename).read_text().splitlines() if self.roots else []
        except OSError:
            return False
        return any(line.startswith("oom_kill ") and not line.endswith(" 0") for line in lines)

    def remove(self, name: str) -> bool:
        """Remove the groups of a replica of which nothing is left; tell whether all are gone."""
        groups = [self._group(root, name) for root in self.roots]
        for group in groups:
            with suppress(OSError):
                group.rmdir()
        return not any(group.exists() for group in groups)

    def remove_soon(self, name: str, seconds: float = 2.0) -> bool:
        """Remove groups whose last process may be just ending."""
        end = time.monotonic() + seconds
        while not (gone := self.remove(name)) and time.monotonic() < end:
            time.sleep(0.02)
        return gone

    def sweep(self) -> None:
        """Remove what an agent that was killed made for an installation or to try something."""
        for root in self.roots:
            for kind in ("install", "probe"):
                pattern = self._group(root, f"{kind}-*")
                for group in pattern.parent.glob(pattern.name):
                    pid = group.name.rpartition(f"{kind}-")[2].partition(".")[0]
                    if pid.isdigit() and procs.find(int(pid)) is None:
                        with suppress(OSError):  # something of it runs still
                            group.rmdir()


_lock = threading.Lock()
_found: list[Limiter] = []  # at most one: what works, works while the agent runs


def limiter() -> Limiter:
    """Return the best way of limiting that works here. That none does is asked again each time."""
    with _lock:
        if not _found:
            try:
                _found.extend(_groups())
            except OSError as error:
                return Limiter("prlimit", fault=f"control groups cannot be made now: {error}")
        return _found[0] if _found else Limiter("prlimit")


def _groups() -> list[Limiter]:
    first = Limiter("cgroup1", (ROOT / "memory/placet",))
    if _works(first):
        more = [ROOT / f"{name}/placet" for name in ("pids", "cpu")]
        also = [root for root in more if _works(Limiter("cgroup1", (root,)))]
        return [Limiter("cgroup1", (*first.roots, *also))]
    second = Limiter("cgroup2", (ROOT / "placet",))
    return [second] if _works(second) else []


def _works(trial: Limiter) -> bool:
    """Tell whether groups can be made. Raises ``OSError`` if the host is short of something."""
    root, name = trial.roots[0], f"probe-{os.getpid()}"
    if not (root.parent / "cgroup.procs").exists():
        return False
    for left in reversed(range(PROBES)):
        try:
            if trial.kind == "cgroup2":
                _delegate(root)
            trial.make(name, 64)
            trial.remove(name)
        except OSError as error:
            if error.errno in _CANNOT:
                return False
            if not left:
                raise
        else:
            return True
    return False


def _delegate(root: Path) -> None:
    """Hand the controllers down; memory must be among them, the others are welcome."""
    root.mkdir(exist_ok=True)
    for folder in (root.parent, root):
        for name in ("memory", "pids", "cpu"):
            with suppress(OSError):
                (folder / "cgroup.subtree_control").write_text(f"+{name}")
    if "memory" not in (root / "cgroup.subtree_control").read_text():
        raise OSError(errno.EOPNOTSUPP, "the memory controller is not to be had")

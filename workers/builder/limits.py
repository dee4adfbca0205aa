"""What bounds a sandboxed process: a cgroup of its own where we may make one, else rlimits."""

import contextlib
import errno
import os
import resource
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

ROOT = Path("/sys/fs/cgroup")
PREFIX = "placet-"
MAX_PROCESSES, MAX_OPEN = 1024, 4096  # fewer on a host that may have few files open
SIGNALS, QUEUES = 1024, 64 << 10  # that wait for who reads them; bytes of message queues
TCP_BYTES = 64 << 20  # of a run's connections, which version 1 counts apart from its memory
CANNOT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL}
OPTIONAL = ("memory.swap.max", "memory.kmem.tcp.limit_in_bytes")  # of what a kernel may be without


@dataclass(frozen=True, slots=True)
class Group:
    """The cgroup folders of one run. ``folders`` is empty when only rlimits bound it."""

    mechanism: str  # cgroup1, cgroup2, prlimit
    folders: tuple[Path, ...] = ()

    def entry(self) -> list[str]:
        """Return the command words that put the process into the group before it becomes ours."""
        if not self.folders:
            return []
        joins = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in self.folders)
        return ["/bin/sh", "-ec", f'{joins}; exec "$@"', "sandbox"]

    def members(self) -> list[int]:
        """Return the processes of the group; none where rlimits alone bound it."""
        return _members(self.folders[0]) if self.folders else []

    def ran_out_of_memory(self) -> bool:
        """Tell whether the kernel ended a process of the group for its memory."""
        names = {"cgroup1": "memory.oom_control", "cgroup2": "memory.events"}
        for folder in self.folders:
            with contextlib.suppress(OSError):
                text = (folder / names[self.mechanism]).read_text()
                for line in text.splitlines():
                    word, _, count = line.partition(" ")
                    if word == "oom_kill" and count.strip() != "0":
                        return True
        return False

    def end(self) -> None:
        """Kill whatever is left in the group and remove it."""
        for folder in self.folders:
            for _ in range(100):
                for pid in _members(folder):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)


def _members(folder: Path) -> list[int]:
    try:
        return [int(line) for line in (folder / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def make_group(memory_mb: int, processes: int = MAX_PROCESSES) -> Group:
    """Make a group with these limits by the best mechanism this machine lets us use.

    Raises ``OSError`` where groups may be made and only fail now: rlimits bound less.
    """
    name = f"{PREFIX}{os.getpid()}-{uuid4().hex[:12]}"
    if (ROOT / "memory" / "cgroup.procs").exists():
        wanted = {
            ROOT / "memory" / name: {
                "memory.limit_in_bytes": memory_mb << 20,
                "memory.kmem.tcp.limit_in_bytes": TCP_BYTES,
            },
            ROOT / "pids" / name: {"pids.max": processes},
        }
        mechanism = "cgroup1"
    else:
        limits = {"memory.max": memory_mb << 20, "memory.swap.max": 0, "pids.max": processes}
        wanted, mechanism = {_own_v2_group() / name: limits}, "cgroup2"
    group = Group(mechanism, tuple(wanted))
    try:
        for folder, values in wanted.items():
            folder.mkdir()
            for file, value in values.items():
                if file in OPTIONAL and not (folder / file).exists():
                    continue
                (folder / file).write_text(str(value))
    except OSError as error:
        group.end()
        if error.errno not in CANNOT:
            raise
        return Group("prlimit")
    return group


def _own_v2_group() -> Path:
    """Return the unified cgroup that this process stands in."""
    try:
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            number, _, path = line.split(":", 2)
            if number == "0":
                return ROOT / path.strip("/")
    except OSError:
        pass
    return ROOT


def rlimit_words(
    group: Group, memory_mb: int, file_mb: int, processes: int, files: int = MAX_OPEN
) -> list[str]:
    """Return the ``prlimit`` command that goes before the program."""
    words = [
        "/usr/bin/prlimit",
        "--core=0",
        f"--nofile={files}:{files}",
        f"--fsize={file_mb << 20}",
        *_of_the_user(),
    ]
    if group.mechanism == "prlimit":
        words += [f"--data={memory_mb << 20}", f"--nproc={processes}"]
    return [*words, "--"]


def _of_the_user() -> list[str]:
    """Bound what is counted by user, below what the worker itself may have: the rest stays its."""
    words = []
    for name, number, most in (
        ("sigpending", resource.RLIMIT_SIGPENDING, SIGNALS),
        ("msgqueue", resource.RLIMIT_MSGQUEUE, QUEUES),
    ):
        _, hard = resource.getrlimit(number)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard // 2)
        words.append(f"--{name}={bound}:{bound}")
    return words


def sweep_groups() -> None:
    """Remove groups that a worker which is no more left behind."""
    folders = [ROOT / "memory", ROOT / "pids", _own_v2_group()]
    for folder in folders:
        for group in folder.glob(f"{PREFIX}*-*") if folder.is_dir() else ():
            pid = group.name.removeprefix(PREFIX).partition("-")[0]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                Group("cgroup1", (group,)).end()

"""Where other people's code runs: its own pid namespace, user, tmp and memory limit.

Started by root, the program inside bwrap is an unprivileged user that no other replica has;
started by somebody else, it is that user in a user namespace of its own. A node where bwrap does
not work says so in its reports and runs nothing: there is no weaker way.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

Isolation = Literal["bwrap", "none"]

NO_BWRAP = "bubblewrap (bwrap) does not work on this node, and nothing runs here without it"

PROXY_UID = 60600
INSTALLER_UID = 60601
RELAY_UID = 60602
LINK_UID = 60603
REPLICA_UIDS = range(60610, 61100)  # free of system, login and systemd's dynamic users
TMP_BYTES = 512 << 20
MARKER = "PLACET_REPLICA"  # how what a half-started replica left behind is found
_SYSTEM = ("lib", "lib32", "lib64", "bin", "sbin")
_ETC = ("ld.so.cache", "localtime", "ssl", "hosts", "resolv.conf", "nsswitch.conf", "passwd")


@dataclass(frozen=True)
class Cell:
    """What one program may see, and as whom it runs."""

    uid: int | None  # None: the agent's own user
    read_only: Mapping[str, Path] = field(default_factory=dict)  # inside → outside
    writable: Mapping[str, Path] = field(default_factory=dict)
    network: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)
    tmp_bytes: int = TMP_BYTES
    limits: tuple[str, ...] = ("--nofile=8192:8192", "--core=0:0", "--nproc=2048:2048")
    cgroup: Path | None = None


@cache
def isolation() -> Isolation:
    """Return whether bwrap works on this host, tried once."""
    probe = Cell(uid=INSTALLER_UID if os.geteuid() == 0 else None, network=False)
    if shutil.which("bwrap") and shutil.which("prlimit") and _works(command(probe, ["true"])):
        return "bwrap"
    return "none"


def _works(words: list[str]) -> bool:
    try:
        done = subprocess.run(words, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def command(cell: Cell, program: Iterable[str], *, info_fd: int | None = None) -> list[str]:
    """Return the command that runs ``program`` in ``cell`` under bwrap."""
    words = [*_enter(cell.cgroup), "prlimit", *cell.limits, "bwrap"]
    words += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--new-session", "--clearenv"]
    words += ["--cap-drop", "ALL"]
    if os.geteuid() != 0:
        words += ["--unshare-user"]
    else:
        words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    if not cell.network:
        words += ["--unshare-net"]
    words += [*_system(), "--proc", "/proc", "--dev", "/dev"]
    words += ["--perms", "1777", "--size", str(64 << 20), "--tmpfs", "/dev/shm"]  # noqa: S108
    words += ["--perms", "1777", "--size", str(cell.tmp_bytes), "--tmpfs", "/tmp"]  # noqa: S108
    words += _parents([*cell.read_only, *cell.writable])
    for inside, outside in cell.read_only.items():
        words += ["--ro-bind", str(outside), inside]
    for inside, outside in cell.writable.items():
        words += ["--bind", str(outside), inside]
    for name, value in environment(cell).items():
        words += ["--setenv", name, value]
    words += ["--chdir", "/tmp"]  # noqa: S108
    if info_fd is not None:
        words += ["--info-fd", str(info_fd)]
    return [*words, "--", *_become(cell.uid), *program]


def _parents(insides: Iterable[str]) -> list[str]:
    """Make the folders above each mount, open to all: left to itself bwrap closes them."""
    found = {parent for inside in insides for parent in Path(inside).parents}
    made = sorted(str(parent) for parent in found - {Path("/"), Path("/tmp")})  # noqa: S108
    return [word for parent in made for word in ("--perms", "0755", "--dir", parent)]


def environment(cell: Cell) -> dict[str, str]:
    """Return all that the program finds in its environment."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        **cell.variables,
    }


def _enter(cgroup: Path | None) -> list[str]:
    """The program joins its memory limit before it can start anything."""
    if cgroup is None:
        return []
    return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(cgroup / "cgroup.procs")]


def _become(uid: int | None) -> list[str]:
    if uid is None or os.geteuid() != 0:
        return []
    return [
        "setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups",
        "--inh-caps=-all", "--no-new-privs", "--",
    ]  # fmt: skip


def _system() -> list[str]:
    words = ["--ro-bind", "/usr", "/usr", "--perms", "0755", "--dir", "/etc"]
    for name in _SYSTEM:
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for name in _ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return words


def free_uid(taken: Iterable[int]) -> int | None:
    """Return a user id that no replica and no process has; ``None`` when we are not root."""
    if os.geteuid() != 0:
        return None
    used = set(taken)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                used.add(entry.stat().st_uid)
            except OSError:
                continue
    return next(uid for uid in REPLICA_UIDS if uid not in used)


# --- memory limits ---------------------------------------------------------------------------


@dataclass(frozen=True)
class MemoryLimiter:
    """How memory is limited here: ``cgroup1``, ``cgroup2`` or, failing both, ``prlimit``."""

    kind: str
    root: Path | None = None

    def make(self, name: str, megabytes: int) -> Path | None:
        """Make a group with this limit; ``None`` where there are no groups."""
        if self.root is None:
            return None
        group = self.root / name
        group.mkdir(parents=True, exist_ok=True)
        limit = "memory.limit_in_bytes" if self.kind == "cgroup1" else "memory.max"
        (group / limit).write_text(str(megabytes << 20))
        return group

    def limits(self, megabytes: int) -> tuple[str, ...]:
        """Return prlimit's words where nothing better exists: twice the size, in private data."""
        return () if self.root else (f"--data={megabytes << 21}:{megabytes << 21}",)

    def killed(self, group: Path | None) -> bool:
        """Whether the kernel ended something in the group for want of memory."""
        name = "memory.oom_control" if self.kind == "cgroup1" else "memory.events"
        try:
            lines = (group / name).read_text().splitlines() if group else []
        except OSError:
            return False
        return any(line.startswith("oom_kill ") and not line.endswith(" 0") for line in lines)

    def remove(self, group: Path | None) -> None:
        """Remove an empty group."""
        if group is not None:
            try:
                group.rmdir()
            except OSError:
                return


@cache
def memory_limiter() -> MemoryLimiter:
    """Return the best memory limit that works here, tried once."""
    trials = (
        MemoryLimiter("cgroup1", Path("/sys/fs/cgroup/memory/placet")),
        MemoryLimiter("cgroup2", Path("/sys/fs/cgroup/placet")),
    )
    for trial in trials:
        if trial.root is not None and _limits_work(trial, trial.root):
            return trial
    return MemoryLimiter("prlimit")


def _limits_work(trial: MemoryLimiter, root: Path) -> bool:
    if not (root.parent / "cgroup.procs").exists():
        return False
    try:
        if trial.kind == "cgroup2":
            root.mkdir(exist_ok=True)
            for folder in (root.parent, root):
                (folder / "cgroup.subtree_control").write_text("+memory")
        group = trial.make(f"probe-{os.getpid()}", 64)
        trial.remove(group)
    except OSError:
        return False
    return True

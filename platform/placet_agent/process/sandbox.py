"""Where other people's code runs: its own pid and network namespace, user, tmp and limits.

Started by root, the program inside bwrap is an unprivileged user that no other replica has;
started by somebody else, it is that user in a user namespace of its own. A node where bwrap does
not work says so in its reports and runs nothing: there is no weaker way.

Until the program is that user without any capability, nothing of a tenant has a say: every
program on the way is named by its whole path, the environment is empty, and what the tenant sets
is set by ``env`` behind the drop.
"""

import errno
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from placet_agent.process import seccomp
from placet_agent.process.limits import OPEN_FILES, PROCESSES
from placet_agent.process.seccomp import Network

Isolation = Literal["bwrap", "none"]

NO_BWRAP = "bubblewrap (bwrap) does not work on this node, and nothing runs here without it"

PROXY_UID = 60600
INSTALLER_UID = 60601
RELAY_UID = 60602
LINK_UID = 60603
REPLICA_UIDS = range(60610, 61100)  # free of system, login and systemd's dynamic users
TMP_BYTES = 512 << 20
SECRETS, SECRETS_BYTES = "/secrets", 4 << 20  # where a replica finds its secrets, in memory
PROBES = 3  # so often it is tried whether a sandbox works
# ENOTSUPP, which Python has no name for, is what a filter gets when the host has too many of them.
_SHORT = (errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.EMFILE, errno.ENFILE, 524)
MARKER = "PLACET_REPLICA"  # how what a half-started replica left behind is found
# The C library overwrites what it takes back and hands out (malloc(3), M_PERTURB). It does neither
# for the small pieces that each thread keeps, so threads keep none.
WIPED = {"GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"}
SETPRIV, ENV, PRLIMIT, SHELL = "/usr/bin/setpriv", "/usr/bin/env", "/usr/bin/prlimit", "/bin/sh"
FILTER_FD = 9  # the highest that every shell can open: what is handed on has a higher number
_SYSTEM = ("lib", "lib32", "lib64", "bin", "sbin")
_ETC = ("ld.so.cache", "localtime", "ssl", "nsswitch.conf", "passwd")
_NAMES = ("hosts", "resolv.conf")  # of the host's network
# Settings and switches of the kernel, some of which are writable by mode for who is root to it.
# A line in ``core_pattern`` names a program that the kernel starts outside every sandbox.
_KERNEL = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr", "asound", "driver")
_NEEDED = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")  # by setpriv, which gives them up


@dataclass(frozen=True)
class Cell:
    """What one program may see, and as whom it runs."""

    uid: int | None  # None: the agent's own user
    read_only: Mapping[str, Path] = field(default_factory=dict)  # inside → outside
    writable: Mapping[str, Path] = field(default_factory=dict)
    network: Network = "own"
    secrets: Mapping[str, int] = field(default_factory=dict)  # file → descriptor of its bytes
    variables: Mapping[str, str] = field(default_factory=dict)
    tmp_bytes: int = TMP_BYTES
    limits: tuple[str, ...] = (f"--nofile={OPEN_FILES}:{OPEN_FILES}", "--core=0:0")
    # Set inside: set outside, where all replicas may be one user, it would count their processes
    # together, and one that begins as many as it may would leave the others none.
    processes: str = f"--nproc={PROCESSES}:{PROCESSES}"
    groups: tuple[Path, ...] = ()  # control groups that it joins before anything else


class Unsure(RuntimeError):
    """Whether this host can give a sandbox cannot be found out now; it may be another time."""


def isolation() -> Isolation:
    """Return whether bwrap works on this host. That it does counts while the agent runs; that it
    does not is asked again each time."""
    programs = (SETPRIV, ENV, PRLIMIT)
    if not bwrap() or not all(os.access(path, os.X_OK) for path in programs):
        return "none"
    try:
        return "bwrap" if gives("host") else "none"
    except Unsure:
        return "none"


@cache
def bwrap() -> str:
    """Return the whole path of bwrap, '' where there is none: looked up once by the agent."""
    return shutil.which("bwrap") or ""


_given: set[Network] = set()


def gives(network: Network, *, anew: bool = False) -> bool:
    """Tell whether a sandbox with such a network works here. Raises ``Unsure``.

    Only success is kept, ``anew`` not even that. A host that is busy, or short of something now, is
    not taken for one that cannot: others may have made it so.
    """
    tries = 0
    if anew:
        _given.discard(network)
    while network not in _given:
        try:
            if not _tried(network):
                return False
            _given.add(network)
        except Unsure:
            tries += 1
            if tries == PROBES:
                raise
    return True


def _tried(network: Network) -> bool:
    probe = Cell(uid=user(INSTALLER_UID), network=network)
    try:
        done = subprocess.run(
            command(probe, ["/usr/bin/true"]), capture_output=True, timeout=20, check=False, env={}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unsure(f"a sandbox cannot be tried now: {error}") from error
    stderr = done.stderr.decode(errors="replace").strip()
    if done.returncode < 0 or any(word in stderr for word in _short()):
        raise Unsure(f"a sandbox cannot be tried now: {stderr or f'ended by {-done.returncode}'}")
    return done.returncode == 0


def _short() -> list[str]:
    """Return the words for a host that is short of something, in what bwrap says of a failure.

    A host that may have no further network at all says the same as one that has too many.
    """
    none = any(_bound(name) == "0" for name in ("net", "user"))
    return [os.strerror(number) for number in _SHORT if not (none and number == errno.ENOSPC)]


def _bound(name: str) -> str:
    try:
        return Path(f"/proc/sys/user/max_{name}_namespaces").read_text().strip()
    except OSError:
        return ""


def command(
    cell: Cell, program: Iterable[str], *, info_fd: int | None = None, block_fd: int | None = None
) -> list[str]:
    """Return the command that runs ``program`` in ``cell`` under bwrap.

    bwrap writes the pid of the first process inside to ``info_fd``, and starts the program only
    when a byte comes from ``block_fd``. Descriptors that are handed on are made by ``above``.
    Where nobody is told of the first process, all ends with the program, or with the thread that
    started it: by itself bwrap goes on as long as anything does that the program left behind.
    """
    filter_path = seccomp.path(cell.network)
    words = [*_enter(cell.groups, filter_path), PRLIMIT, *cell.limits, bwrap()]
    words += ["--seccomp", str(FILTER_FD)] if filter_path else []
    words += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    words += ["--new-session", "--clearenv", "--cap-drop", "ALL"]
    words += ["--die-with-parent"] if info_fd is None else []
    if os.geteuid() != 0:
        words += ["--unshare-user", "--disable-userns"]
    else:
        words += [word for name in _NEEDED for word in ("--cap-add", name)]
    if cell.network == "own":
        words += ["--unshare-net"]
    words += [*_system(cell.network), "--proc", "/proc", *_kernel_settings(), "--dev", "/dev"]
    # Terminals are counted for the whole host, and nothing here needs one.
    words += ["--tmpfs", "/dev/pts", "--remount-ro", "/dev/pts"]
    words += ["--perms", "1777", "--size", str(64 << 20), "--tmpfs", "/dev/shm"]  # noqa: S108
    words += ["--perms", "1777", "--size", str(cell.tmp_bytes), "--tmpfs", "/tmp"]  # noqa: S108
    words += parents([*cell.read_only, *cell.writable])
    for inside, outside in cell.read_only.items():
        words += ["--ro-bind", str(outside), inside]
    for inside, outside in cell.writable.items():
        words += ["--bind", str(outside), inside]
    words += _secrets(cell.secrets)
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]  # noqa: S108
    for option, number in (("--info-fd", info_fd), ("--block-fd", block_fd)):
        words += [] if number is None else [option, str(number)]
    words += ["--", *_become(cell.uid), PRLIMIT, cell.processes]
    return [*words, ENV, "-i", *_assignments(cell), *program]


def _secrets(given: Mapping[str, int]) -> list[str]:
    """Have bwrap copy secrets from descriptors to memory that this sandbox alone sees: the command
    names files and numbers. They are root's, and no other user is there but the program."""
    if not given:
        return []
    words = ["--perms", "0755", "--size", str(SECRETS_BYTES), "--tmpfs", SECRETS]
    for file, number in given.items():
        words += ["--perms", "0444", "--file", str(number), f"{SECRETS}/{file}"]
    return [*words, "--remount-ro", SECRETS]


def user(uid: int) -> int | None:
    """Return ``uid`` when we are root and may become it, else ``None``: everything is one user."""
    return uid if os.geteuid() == 0 else None


def above(handle: int) -> int:
    """Return a descriptor like ``handle``, which is closed, that may be handed to ``command``."""
    try:
        return fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, FILTER_FD + 1)
    finally:
        os.close(handle)


def parents(insides: Iterable[str]) -> list[str]:
    """Make the folders above each mount, open to all: left to itself bwrap closes them."""
    folders = {parent for inside in insides for parent in Path(inside).parents}
    paths = sorted(str(parent) for parent in folders - {Path("/"), Path("/tmp")})  # noqa: S108
    return [word for parent in paths for word in ("--perms", "0755", "--dir", parent)]


def environment(cell: Cell) -> dict[str, str]:
    """Return all that the program finds in its environment."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        **cell.variables,
    }


def _assignments(cell: Cell) -> list[str]:
    """Return what ``env`` sets; a name that it would take for an option or command is refused."""
    for name in cell.variables:
        if not (name.isidentifier() and name.isascii()):
            raise ValueError(f"{name!r} is not the name of a variable")
    return [f"{name}={value}" for name, value in environment(cell).items()]


def _enter(groups: Iterable[Path], filter_path: str) -> list[str]:
    """The program joins its limits before it can start anything; bwrap finds its filter open."""
    files = [str(group / "cgroup.procs") for group in groups]
    script = 'n=$0; while [ $n -gt 0 ]; do echo $$ > "$1" || exit; shift; n=$((n-1)); done'
    if filter_path:
        script += f"; exec {FILTER_FD}<{filter_path} || exit"
    return [SHELL, "-c", f'{script}; exec "$@"', str(len(files)), *files]


def _become(uid: int | None) -> list[str]:
    if uid is None or os.geteuid() != 0:
        return []
    return [
        SETPRIV,
        "--reuid",
        str(uid),
        "--regid",
        str(uid),
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "--no-new-privs",
        "--",
    ]


def _kernel_settings() -> list[str]:
    """Make the settings of the kernel read-only, whoever is root to it inside."""
    paths = [f"/proc/{name}" for name in _KERNEL if Path("/proc", name).exists()]
    return [word for path in paths for word in ("--ro-bind", path, path)]


def _system(network: Network) -> list[str]:
    words = ["--ro-bind", "/usr", "/usr", "--perms", "0755", "--dir", "/etc"]
    for name in _SYSTEM:
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for name in (*_ETC, *(_NAMES if network == "host" else ())):
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
    free = next((uid for uid in REPLICA_UIDS if uid not in used), None)
    if free is None:
        raise RuntimeError("no user id is free for a replica")
    return free

"""Who a program of a build is to the kernel: a user of its own where the worker is root."""

import os
import platform
import stat
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from placet_agent.process import seccomp
from workers.builder.errors import BuildFailed
from workers.builder.trees import walk

NOBODY = 65534
BUILDER = 60604  # beside the users of the node agent (``placet_agent.process.sandbox``)
ANYBODY = (
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--uid",
    str(NOBODY),
    "--gid",
    str(NOBODY),
    "--cap-drop",
    "ALL",
)
ROOT = (
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--cap-drop",
    "ALL",
    "--cap-add",
    "CAP_SETUID",
    "--cap-add",
    "CAP_SETGID",
    "--cap-add",
    "CAP_SETPCAP",
)
_NEEDED = {6, 7, 8, 21}  # CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_ADMIN


@cache
def apart() -> bool:
    """Tell whether what runs under bubblewrap can be a user that nothing of the worker is.

    Much is counted by user, epoll's watches say: what a build took of it the worker would be
    without. Root becomes the user of builds behind bubblewrap, where it has all its capabilities.
    """
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    has = int(fields["CapEff"], 16)
    if seccomp.program(platform.machine()) is None:  # which refuses new user namespaces to it
        return False
    return os.geteuid() == 0 and all(has >> number & 1 for number in _NEEDED)


def is_own(isolation: str) -> bool:
    """Tell whether a program is a user of its own, with what isolates it."""
    return apart() or (isolation == "user" and os.geteuid() == 0)


def become() -> list[str]:
    """Return the command that goes on as the user of builds, without any privilege."""
    return [
        "/usr/bin/setpriv",
        f"--reuid={BUILDER}",
        f"--regid={BUILDER}",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--",
    ]


def check_readable(paths: Iterable[Path]) -> None:
    """Raise :class:`BuildFailed` where the user of builds cannot read what it is to be given.

    What was installed under a mask of 077, say, is for its owner alone.
    """
    for path in paths:
        status = path.stat()
        needed = 0o5 if stat.S_ISDIR(status.st_mode) else 0o4
        if status.st_uid != BUILDER and status.st_mode & needed != needed:
            raise BuildFailed(
                f"A build runs as a user of its own, who cannot read {path}: whoever runs the"
                f" worker opens it by chmod -R go+rX {path}"
            )


def give(folder: Path, most: int) -> None:
    """Let the user of builds write in a folder and all that is in it."""
    os.chown(folder, BUILDER, BUILDER, follow_symlinks=False)
    for entry in walk(folder, most):
        os.chown(entry.name, BUILDER, BUILDER, dir_fd=entry.folder, follow_symlinks=False)

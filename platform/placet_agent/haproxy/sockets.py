"""Where HAProxy finds its replicas: sockets by a fixed name for each server.

::

    sockets/<replica>/http   the replica's socket, made and kept by the agent's side
    s/<link>                 a symbolic link to it, replaced in one step

A server of HAProxy has the name ``s/<link>`` for as long as HAProxy runs; who stands behind it is
a matter of the link. HAProxy looks the names up from its own folder, so that no folder above must
let it in, and as its own user, which may pass through the folders here and list none of them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

SOCKETS, LINKS, SOCKET = "sockets", "s", "http"
_NEW = ".new"

# Where a replica answers: the path of its socket in HAProxy's folder, or, when an older agent
# started it, its port on the loopback interface.
ServerAddress = str | int


def socket_of(replica: str) -> str:
    """Return the path of a replica's socket, relative to HAProxy's folder.

    Raises ``ValueError`` for a name that would lead out of the folder of sockets.
    """
    if not replica or replica in {".", ".."} or "/" in replica or "\0" in replica:
        raise ValueError(f"{replica!r} is not the name of a replica")
    return f"{SOCKETS}/{replica}/{SOCKET}"


def make_folder(path: Path, uid: int | None) -> Path:
    """Make a folder that HAProxy's user ``uid`` may pass through, and nobody but the owner else.

    A folder that stands already is never closed in between: HAProxy looks names up all the time.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if uid is None:
        path.chmod(0o700)
    else:
        os.chown(path, -1, uid)
        path.chmod(0o710)
    return path


def make_folders(folder: Path, uid: int | None) -> None:
    """Make HAProxy's folder and those of its sockets and links."""
    for path in (folder, folder / SOCKETS, folder / LINKS):
        make_folder(path, uid)


def moving(folder: Path, sockets: Mapping[str, str]) -> list[str]:
    """Return the links that do not lead to their socket: ``point`` would have them do so."""
    links = folder / LINKS
    return [name for name, path in sockets.items() if not _leads(links / name, path)]


def _leads(link: Path, path: str) -> bool:
    return link.is_symlink() and str(link.readlink()) == f"../{path}"


def point(folder: Path, sockets: Mapping[str, str]) -> None:
    """Lead each link to its socket, by its name; a name is never absent in between."""
    links = folder / LINKS
    for name in moving(folder, sockets):
        temporary = links / f"{name}{_NEW}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(f"../{sockets[name]}")
        temporary.replace(links / name)


def drop_others(folder: Path, sockets: Mapping[str, str]) -> None:
    """Remove the links of servers that nobody has."""
    for link in (folder / LINKS).iterdir():
        if link.name not in sockets:
            link.unlink(missing_ok=True)

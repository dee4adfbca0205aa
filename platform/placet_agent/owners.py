"""Who listens on a port of the host: asked where replicas share its network."""

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from placet_agent.procs import ProcessRef

_LISTEN = "0A"  # TCP_LISTEN
# What takes a connection to 127.0.0.1, in the kernel's order. ``::`` comes last: beside one of the
# others it can only be a socket for IPv6 alone, which takes none.
_TAKERS = (
    frozenset({"127.0.0.1", "::ffff:127.0.0.1"}),
    frozenset({"0.0.0.0", "::ffff:0.0.0.0"}),  # noqa: S104 - compared, not bound
    frozenset({"::"}),
)
_TABLES = (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6))


@dataclass(frozen=True)
class Listening:
    """One listening socket, as the kernel shows it."""

    uid: int
    inode: int


def listening(port: int) -> list[Listening]:
    """Return the sockets that take a connection to 127.0.0.1 at this port; more than one share."""
    wanted = f":{port:04X}"
    found: dict[str, list[Listening]] = {}
    for table, family in _TABLES:
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines if wanted in line):
            if fields[3] == _LISTEN and fields[1].endswith(wanted):
                one = Listening(int(fields[7]), int(fields[9]))
                found.setdefault(_address(fields[1], family), []).append(one)
    ranks = ([one for text in takers for one in found.get(text, [])] for takers in _TAKERS)
    return next((rank for rank in ranks if rank), [])


def _address(local: str, family: int) -> str:
    words = local.partition(":")[0]
    packed = b"".join(
        struct.pack("=I", int(words[place : place + 8], 16)) for place in range(0, len(words), 8)
    )
    return socket.inet_ntop(family, packed)


class Owner:
    """The replica that a port should belong to."""

    def __init__(self, replica: ProcessRef, uid: int) -> None:
        self.replica = replica
        self.uid = uid
        self.known: set[int] = set()  # sockets that were seen in the replica's hands

    def socket_of(self, port: int) -> int | None:
        """Return the inode of the socket if the replica's own, and no other, listens.

        Compare it before and after connecting: one socket that was there all the time has taken
        the connection. A user id tells replicas apart where each has its own; where all have
        ours, the socket must be in the hands of a process of the replica's pid namespace.
        """
        found = listening(port)
        if len(found) != 1 or found[0].uid != self.uid:
            return None
        inode = found[0].inode
        if self.uid == os.geteuid() and inode not in self.known:
            if not _held(self.replica, inode):
                return None
            self.known.add(inode)
        return inode


def _held(replica: ProcessRef, inode: int) -> bool:
    wanted = f"socket:[{inode}]"
    space = _pid_namespace(f"/proc/{replica.pid}")
    if space is None or space == _pid_namespace("/proc/self") or not replica.alive:
        return False
    for entry in os.scandir("/proc"):
        inside = entry.name.isdigit() and _pid_namespace(entry.path) == space
        if inside and wanted in _open_ones(entry.path):
            return True
    return False


def _pid_namespace(process: str) -> str | None:
    try:
        return os.readlink(f"{process}/ns/pid")  # noqa: PTH115 - no path: a kernel's name
    except OSError:
        return None


def _open_ones(process: str) -> set[str]:
    found = set()
    try:
        for entry in os.scandir(f"{process}/fd"):
            found.add(os.readlink(entry.path))  # noqa: PTH115
    except OSError:
        pass  # it ends, or closes some as we look: the next look sees what is left
    return found

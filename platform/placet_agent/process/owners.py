"""Who listens on a port of the host: asked where replicas share its network."""

import os
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from placet_agent.process.procs import ProcessRef

_LISTEN = "0A"  # TCP_LISTEN
_SOCK_DIAG, _BY_FAMILY, _DUMP, _DONE, _ERROR = 4, 20, 0x301, 3, 2  # of netlink
_SECONDS = 5.0
# What takes a connection to 127.0.0.1, in the kernel's order. ``::`` comes last: beside one of the
# others it can only be a socket for IPv6 alone, which takes none.
_TAKERS = (
    frozenset({"127.0.0.1", "::ffff:127.0.0.1"}),
    frozenset({"0.0.0.0", "::ffff:0.0.0.0"}),  # noqa: S104 - compared, not bound
    frozenset({"::"}),
)
_EVERYWHERE = ("", "*", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
_TABLES = (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6))


@dataclass(frozen=True)
class Listening:
    """One listening socket, as the kernel shows it."""

    uid: int
    inode: int


def listening(port: int) -> list[Listening]:
    """Return the sockets that take a connection to 127.0.0.1 at this port; more than one share."""
    try:
        by_address = asked(port)
    except OSError:  # a kernel without socket diagnostics
        by_address = read(port)
    ranks = ([one for text in takers for one in by_address.get(text, [])] for takers in _TAKERS)
    return next((rank for rank in ranks if rank), [])


def asked(port: int) -> dict[str, list[Listening]]:
    """Ask the kernel for listening sockets alone, by address. Raises ``OSError``.

    The files below list every connection of the host: they cost 20 ms where this costs 0.2.
    """
    by_address: dict[str, list[Listening]] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as kernel:
        kernel.settimeout(_SECONDS)
        for family in (socket.AF_INET, socket.AF_INET6):
            which = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 1 << int(_LISTEN, 16))
            which += struct.pack(">H", port) + bytes(46)
            head = struct.pack("=IHHII", 16 + len(which), _BY_FAMILY, _DUMP, 1, 0)
            kernel.send(head + which)
            for body in _answers(kernel):
                size = 16 if body[0] == socket.AF_INET6 else 4
                address = socket.inet_ntop(body[0], body[8 : 8 + size])
                if struct.unpack_from(">H", body, 4)[0] == port:
                    one = Listening(*struct.unpack_from("=II", body, 64))
                    by_address.setdefault(address, []).append(one)
    return by_address


def _answers(kernel: socket.socket) -> Iterator[bytes]:
    while True:
        answer, offset = kernel.recv(1 << 16), 0
        while offset < len(answer):
            size, kind = struct.unpack_from("=IH", answer, offset)
            if kind == _DONE:
                return
            if kind == _ERROR or size < 16:
                raise OSError("the kernel does not say who listens")
            yield answer[offset + 16 : offset + size]
            offset += (size + 3) & ~3


def read(port: int) -> dict[str, list[Listening]]:
    """Read the same from the kernel's tables."""
    wanted = f":{port:04X}"
    by_address: dict[str, list[Listening]] = {}
    for table, family in _TABLES:
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines if wanted in line):
            if fields[3] == _LISTEN and fields[1].endswith(wanted):
                one = Listening(int(fields[7]), int(fields[9]))
                by_address.setdefault(_address(fields[1], family), []).append(one)
    return by_address


def _address(local: str, family: int) -> str:
    words = local.partition(":")[0]
    packed = b"".join(
        struct.pack("=I", int(words[start : start + 8], 16)) for start in range(0, len(words), 8)
    )
    return socket.inet_ntop(family, packed)


def other(address: str, port: int, ours: Collection[ProcessRef]) -> str:
    """Name who listens where one of ours is to listen; '' when nobody does.

    The kernel lets processes of one user share a port, each with a part of what comes.
    """
    mine = {ref.pid for ref in ours}
    for one in _meeting(address, port):
        holders = _holders(one.inode)
        if holders.isdisjoint(mine) and (holders or one in _meeting(address, port)):
            return _named(min(holders)) if holders else "a process that is not seen from here"
    return ""


def _meeting(address: str, port: int) -> list[Listening]:
    """Return what listens at an address of HAProxy's, or at one that holds it or is held by it.

    A socket for IPv6 is none of those of IPv4: one that takes both, the kernel refuses itself.
    """
    wanted = "127.0.0.1" if address == "localhost" else address.strip("[]")
    try:
        by_address = asked(port)
    except OSError:
        by_address = read(port)
    meeting = []
    for at, sockets in ((at.removeprefix("::ffff:"), some) for at, some in by_address.items()):
        same = (":" in at) == (":" in wanted)
        if same and (at == wanted or at in _EVERYWHERE or wanted in _EVERYWHERE):
            meeting += sockets
    return meeting


def _holders(inode: int) -> set[int]:
    """Return the processes that have a socket in their hands."""
    name = f"socket:[{inode}]"
    numbers = [entry.name for entry in os.scandir("/proc") if entry.name.isdigit()]
    return {int(number) for number in numbers if name in _open_ones(f"/proc/{number}")}


def _named(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        name = "a process"
    return f"{name} (pid {pid})"


class PortOwner:
    """The replica that a port should belong to."""

    def __init__(self, replica: ProcessRef, uid: int) -> None:
        self.replica = replica
        self.uid = uid
        self.known: set[int] = set()  # sockets that were seen in the replica's hands

    def sockets_of(self, port: int) -> frozenset[int]:
        """Return the inodes of what listens, if the replica and nobody else does; else nothing.

        Compare them before and after connecting: sockets that were there all the time, and no
        others, have taken the connection. (Workers of one user may share a port.) A user id tells
        replicas apart where each has its own; where all have ours, each socket must be in the
        hands of a process of the replica's pid namespace.
        """
        listeners = listening(port)
        if any(one.uid != self.uid for one in listeners):
            return frozenset()
        inodes = frozenset(one.inode for one in listeners)
        if self.uid == os.geteuid():
            self.known &= inodes
            self.known |= {inode for inode in inodes - self.known if _held(self.replica, inode)}
            return inodes if inodes == self.known else frozenset()
        return inodes


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
    targets = set[str]()
    try:
        numbers = os.listdir(f"{process}/fd")  # noqa: PTH208 - no path: a kernel's name
    except OSError:
        return targets  # it ends
    for number in numbers:
        with suppress(OSError):  # it closes some as we look: the next look sees what is left
            targets.add(os.readlink(f"{process}/fd/{number}"))  # noqa: PTH115
    return targets

"""The loopback of a replica: which address stands for which destination, and listening there.

An approved name gets an address of its own, ``127.77.x.y``, and a line in the replica's hosts
file; an approved address is put on the loopback itself. What a program opens there, the relay
outside accepts; a port that nobody approved is closed.
"""

import array
import ipaddress
import os
import select
import socket
import struct
from collections.abc import Iterable

from placet_agent.process.namespaces import NetworkNamespace, NotEntered
from placet_verify.permit.serving import Destination

BACKLOG = 256
_SECONDS = 10.0
_LO = 1  # the index of ``lo`` in every network namespace
_NEWLINK, _NEWADDR = 16, 20
_REQUEST_ACK, _CREATE = 0x5, 0x400
_UP, _NODAD = 0x1, 0x2
_LOCAL, _ADDRESS = 2, 1
_ERROR = 2
_EXISTS = 17


def addresses(destinations: Iterable[Destination]) -> dict[str, str]:
    """Return the address inside the replica of each approved host."""
    by_host: dict[str, str] = {}
    for host in sorted({one.host for one in destinations}):
        named = len([address for address in by_host.values() if address.startswith("127.77.")])
        literal = Destination(host, 1).address
        by_host[host] = str(literal) if literal else f"127.77.{named // 250}.{named % 250 + 1}"
    return by_host


def hosts_file(destinations: Iterable[Destination]) -> str:
    """Return the replica's ``/etc/hosts``."""
    lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    lines += [
        f"{address}\t{host}" for host, address in addresses(destinations).items() if host != address
    ]
    return "\n".join(lines) + "\n"


def listen_inside(
    network: NetworkNamespace, destinations: Iterable[Destination]
) -> list[tuple[Destination, socket.socket]]:
    """Listen for each destination inside the replica's network; this process stays outside.

    A child goes in, makes the sockets, hands them out and ends. Raises ``NotEntered``.
    """
    wanted = sorted(set(destinations))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            _hand_out(theirs, network, wanted)
        finally:
            os._exit(0)
    theirs.close()
    try:
        return list(zip(wanted, _take(ours, len(wanted)), strict=True))
    finally:
        ours.close()
        os.kill(child, 9)  # it has ended by itself, unless something hangs: it must not stay
        os.waitpid(child, 0)


def _hand_out(link: socket.socket, network: NetworkNamespace, wanted: list[Destination]) -> None:
    try:
        network.enter()
        listeners = _listeners(wanted)
    except (OSError, NotEntered) as error:
        link.send(str(error).encode()[:4000])
        return
    rights = array.array("i", [listener.fileno() for listener in listeners])
    link.sendmsg([b"ok"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def _take(link: socket.socket, count: int) -> list[socket.socket]:
    if not select.select([link], [], [], _SECONDS)[0]:
        raise NotEntered("the replica's network did not answer")
    message, handles, _, _ = socket.recv_fds(link, 4096, count)
    listeners = [socket.socket(fileno=handle) for handle in handles]
    if message != b"ok" or len(listeners) != count:
        raise NotEntered(message.decode(errors="replace") or "no listeners came out of the replica")
    for one in listeners:
        one.setblocking(False)
        one.set_inheritable(False)
    return listeners


def _listeners(wanted: list[Destination]) -> list[socket.socket]:
    where = addresses(wanted)
    _raise_loopback(ipaddress.ip_address(address) for address in set(where.values()))
    return [_listener(where[one.host], one) for one in wanted]


def _listener(address: str, destination: Destination) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # What a relay that ended had closed first would keep the next one out for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, destination.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise NotEntered(
            f"{destination} cannot be listened for inside the replica, at {address}: {error}"
        ) from error
    return listener


# --- netlink ---------------------------------------------------------------------------------


def _raise_loopback(
    wanted: Iterable[ipaddress.IPv4Address | ipaddress.IPv6Address],
) -> None:
    """Put addresses on ``lo``, and ``lo`` up. Raises ``OSError``."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        up = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, _LO, _UP, _UP)
        _ask(kernel, _NEWLINK, _REQUEST_ACK, up)
        for address in wanted:
            if not address.is_loopback:  # 127.0.0.0/8 is there
                _ask(kernel, _NEWADDR, _REQUEST_ACK | _CREATE, _address(address))


def _address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    packed = address.packed
    head = struct.pack("=BBBBi", family, len(packed) * 8, _NODAD, 0, _LO)
    parts = (struct.pack("=HH", 4 + len(packed), kind) + packed for kind in (_LOCAL, _ADDRESS))
    return head + b"".join(parts)


def _ask(kernel: socket.socket, kind: int, flags: int, body: bytes) -> None:
    kernel.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
    answer = kernel.recv(4096)
    _, reply_kind, _, _, _, code = struct.unpack_from("=IHHIIi", answer)
    if reply_kind == _ERROR and code not in (0, -_EXISTS):
        raise OSError(-code, os.strerror(-code))

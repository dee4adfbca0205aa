"""Attempts to reach what is beside a replica: ports, sockets, addresses, shared memory."""

import array
import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable

Told = dict[str, str]
OWN: list[socket.socket] = []  # the socket that this replica serves on
KEPT: list[socket.socket] = []  # so that what was bound stays bound

_libc = ctypes.CDLL(None, use_errno=True)


def connect(host: str, port: int, family: int = socket.AF_INET) -> str:
    """Connect by TCP; a stranger's greeting is the answer."""
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.settimeout(4)
        trial.connect((host, port))
        return f"connected {trial.recv(100)!r}"


def to_port(name: str) -> Callable[[Told], str]:
    """Connect to a port of the host's loopback."""
    return lambda told: connect("127.0.0.1", int(told[name]))


def bind_and_answer(name: str) -> Callable[[Told], str]:
    """Bind somebody's port and greet whoever comes; the test looks whether anybody does."""

    def attempt(told: Told) -> str:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("0.0.0.0", int(told[name])))
        listener.listen()
        KEPT.append(listener)

        def greet() -> None:
            while True:
                caller = listener.accept()[0]
                caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nATTACKER")

        threading.Thread(target=greet, daemon=True).start()
        return "bound where nobody comes"

    return attempt


def to_socket(name: str, kind: int = socket.SOCK_STREAM) -> Callable[[Told], str]:
    """Connect to somebody's Unix socket by its path."""

    def attempt(told: Told) -> str:
        with socket.socket(socket.AF_UNIX, kind) as trial:
            # a long path is named through a folder, as its owner does
            folder, _, last = told[name].rpartition("/")
            handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
            trial.connect(f"/proc/self/fd/{handle}/{last}")
            return "connected"

    return attempt


def abstract(told: Told) -> str:
    """Connect to an abstract socket of the host."""
    with socket.socket(socket.AF_UNIX) as trial:
        trial.connect("\0" + told["abstract"])
        return "connected"


def hand_on(told: Told) -> str:
    """Give the own listening socket to somebody on the host."""
    with socket.socket(socket.AF_UNIX) as trial:
        trial.connect("\0" + told["abstract"])
        rights = array.array("i", [OWN[0].fileno()])
        trial.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        return "handed on"


def udp(host: str, port: int, family: int = socket.AF_INET) -> str:
    """Send a datagram."""
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        trial.settimeout(2)
        trial.connect((host, port))
        question = b"\0\1\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1"
        trial.send(question)
        return f"answered {len(trial.recv(512))} bytes"


def ping(told: Told) -> str:
    """Send an ICMP echo to the host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as trial:
        trial.settimeout(2)
        trial.connect((told["address"], 0))
        trial.send(b"\x08\0\xf7\xff\0\0\0\0")
        return f"answered {len(trial.recv(512))} bytes"


def resolve(told: Told) -> str:
    """Look a name up that nobody approved."""
    try:
        return f"found {socket.getaddrinfo('example.com', 443)[0][4][0]}"
    except socket.gaierror:
        return "no name is known"


def open_family(family: int, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> str:
    """Open a socket of a family that network namespaces do not keep apart, or that needs rights."""
    with socket.socket(family, kind, protocol):
        return "opened"


def vsock(told: Told) -> str:
    """Call whoever runs this machine, or another program of it, past every IP network."""
    with socket.socket(40, socket.SOCK_STREAM) as trial:
        trial.settimeout(2)
        trial.connect((2, 1024))
        return "connected"


def address(told: Told) -> str:
    """Give the own loopback the host's address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        word = struct.pack("16sHH4s8x", b"lo", socket.AF_INET, 0, socket.inet_aton("10.0.0.1"))
        fcntl.ioctl(trial, 0x8916, word)  # SIOCSIFADDR
        return "done"


def interfaces(told: Told) -> str:
    """Ask the own socket, which somebody outside has made, for the interfaces of its network."""
    kept = array.array("B", bytes(4096))
    room = struct.pack("iP", len(kept), kept.buffer_info()[0])
    fcntl.ioctl(OWN[0], 0x8912, room)  # SIOCGIFCONF
    return bytes(kept).partition(b"\0")[0].decode()


def approved_name(told: Told) -> str:
    """Go where people approved a name that leads to this host now."""
    with socket.create_connection((told["name"], int(told["greeter"])), timeout=12) as trial:
        answer = trial.recv(100)
        return f"connected {answer!r}" if answer else "closed at once"


def shared(call: Callable[[], int]) -> str:
    """Make a call of libc that gives an identifier."""
    if call() < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return "opened"


def message_queue(told: Told) -> str:
    """Open the POSIX message queue of somebody."""
    return shared(lambda: _libc.mq_open(b"/" + told["queue"].encode(), os.O_RDWR))


def raw(told: Told) -> str:
    """Listen to all packets."""
    return open_family(socket.AF_PACKET, socket.SOCK_RAW, 0x300)


def shm(told: Told) -> str:
    """Open a file of somebody in /dev/shm."""
    os.close(os.open("/dev/shm/" + told["queue"], os.O_RDWR))
    return "opened"


ATTEMPTS: dict[str, Callable[[Told], str]] = {
    "connect_to_a_listener_on_the_hosts_loopback": to_port("greeter"),
    "connect_to_a_replica_of_the_older_kind": to_port("older"),
    "connect_to_the_platform": to_port("platform"),
    "connect_to_the_nodes_public_port": to_port("public"),
    "bind_the_port_of_a_replica_of_the_older_kind": bind_and_answer("older"),
    "bind_the_nodes_public_port": bind_and_answer("public"),
    "connect_to_the_holders_socket": to_socket("holder", socket.SOCK_SEQPACKET),
    "connect_to_haproxys_admin_socket": to_socket("admin"),
    "connect_to_the_neighbours_socket": to_socket("neighbour"),
    "connect_to_an_abstract_socket_of_the_host": abstract,
    "hand_the_own_listening_socket_to_somebody_else": hand_on,
    "egress_to_link_local": lambda told: connect("169.254.1.1", 80),
    "egress_to_the_metadata_service": lambda told: connect("169.254.169.254", 80),
    "egress_to_the_platforms_address": lambda told: connect(told["address"], int(told["platform"])),
    "egress_to_a_public_address": lambda told: connect("192.0.2.1", 443),
    "egress_to_ipv6_loopback": lambda told: connect("::1", int(told["greeter"]), socket.AF_INET6),
    "egress_to_ipv6": lambda told: connect("2001:db8::1", 443, socket.AF_INET6),
    "egress_by_udp_to_a_name_server": lambda told: udp("192.0.2.53", 53),
    "egress_by_udp_to_the_hosts_loopback": lambda told: udp("127.0.0.1", int(told["greeter"])),
    "egress_by_udp_and_ipv6": lambda told: udp("::1", int(told["greeter"]), socket.AF_INET6),
    "egress_by_icmp": ping,
    "resolve_a_name_nobody_approved": resolve,
    "egress_to_an_approved_name_that_leads_to_this_host": approved_name,
    "egress_to_an_approved_name_on_another_port": lambda told: connect(told["name"], 9),
    "call_the_hypervisor_by_vsock": vsock,
    "use_the_kernels_ciphers": lambda told: open_family(38, socket.SOCK_SEQPACKET),
    "open_a_tipc_socket": lambda told: open_family(30, socket.SOCK_SEQPACKET),
    "open_a_bluetooth_socket": lambda told: open_family(31, socket.SOCK_RAW, 1),
    "open_a_can_socket": lambda told: open_family(29, socket.SOCK_RAW, 1),
    "open_a_multipath_socket": lambda told: open_family(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP
    ),
    "open_a_sctp_socket": lambda told: open_family(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP
    ),
    "open_a_socket_of_udplite": lambda told: open_family(
        socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE
    ),
    "ask_the_kernel_for_its_routes": lambda told: open_family(socket.AF_NETLINK, socket.SOCK_RAW),
    "fill_the_kernel_by_netlink": lambda told: open_family(socket.AF_NETLINK, socket.SOCK_DGRAM, 2),
    "list_the_hosts_interfaces": interfaces,
    "open_a_raw_socket": lambda told: open_family(socket.AF_INET, socket.SOCK_RAW, 1),
    "listen_to_all_packets": raw,
    "give_itself_another_address": address,
    "open_the_shared_memory_of_others": shm,
    "attach_to_sysv_memory_of_others": lambda told: shared(
        lambda: _libc.shmget(int(told["key"]), 0, 0)
    ),
    "open_sysv_semaphores_of_others": lambda told: shared(
        lambda: _libc.semget(int(told["key"]), 0, 0)
    ),
    "open_a_sysv_queue_of_others": lambda told: shared(lambda: _libc.msgget(int(told["key"]), 0)),
    "open_a_posix_queue_of_others": message_queue,
}

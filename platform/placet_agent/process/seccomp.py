"""Which calls of the kernel tenants' code is refused: those that no model needs and attackers do.

New namespaces (in one of its own a process has every capability, over much more of the kernel),
mounts, tracing and reading other processes, kernel modules, keys, clocks, and interfaces whose
errors have let processes out before (bpf, perf events, userfaultfd, io_uring). Space on a disk is
taken as far as a file's size tells.

What the kernel counts for the whole host together is refused as well, for who takes all of it
leaves everybody else none: filters of the older BPF (bwrap's own is one: without it no sandbox
starts any more), contexts of asynchronous input, leases. So is what shows what others do: watches
of files, and the interfaces of the network that a socket was made in.

Sockets are Unix ones and TCP's. By vsock a replica would reach whoever runs the machine, from any
namespace; the memory behind netlink, UDP and whatever else there is, is charged to nobody. Where
the network is the host's, as it was for releases of older isolation, names are resolved by UDP.

The filter is classic BPF as ``seccomp(2)`` takes it; numbers are those of the kernel's tables for
x86_64 and aarch64 (``syscall_64.tbl``, ``asm-generic/unistd.h``). On other machines there is none.
bwrap sets it last, behind all that it does itself and before it starts the program, so that it may
refuse to set a further one.
"""

import errno
import os
import platform
import socket
import struct
from functools import cache
from typing import Literal

Network = Literal["own", "host"]
BpfInstruction = tuple[int, int, int, int]

# name → number on x86_64, on aarch64; None: it has no such call
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    "seccomp": (317, 277),
    "fanotify_init": (300, 262),
}
# Answered as by an older kernel, so that libraries take their other way.
_UNKNOWN = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
}
_CLONE = (56, 220)
_FALLOCATE = (285, 47)
_FCNTL = (72, 25)
_IOCTL = (16, 29)
_PRCTL = (157, 167)
_SETSOCKOPT = (54, 208)
_SOCKETS = ((41, 198), (53, 199))  # socket, socketpair
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, AUDIT_ARCH_…
_NAMESPACES = 0x7E020000  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET
_X32 = 0x40000000  # the second table of x86_64
_SET_SECCOMP = 22
_LEASE, _NOTIFY = 1024, 1026  # F_SETLEASE, F_NOTIFY
_OF_SOCKETS = (0x8900, 0x8A00)  # the ioctls that tell of interfaces and addresses, SIOC…
_FILTERS = (26, 50, 51, 52)  # SO_ATTACH_FILTER, _BPF, _REUSEPORT_CBPF, _REUSEPORT_EBPF
_KIND = 0xF  # of a socket's type; the rest are flags

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT = 0x15, 0x35, 0x45
# offsets in struct seccomp_data: of an argument the lower half, as the kernel reads these itself
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND, _THIRD = 0, 4, 16, 24, 32
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
_PASS = (_RETURN, 0, 0, _ALLOW)


def program(machine: str, network: Network = "own") -> bytes | None:
    """Return the filter for a machine as ``platform.machine()`` names it; ``None``: there is none.

    Every test is followed by its own return, so that no jump is longer than what is asked of one
    call's arguments.
    """
    if machine not in _MACHINES:
        return None
    column, architecture = _MACHINES[machine]
    unknown = (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)
    steps = [(_LOAD, 0, 0, _ARCHITECTURE), (_JUMP_EQUAL, 1, 0, architecture)]
    steps += [(_RETURN, 0, 0, _KILL)]
    steps += [(_LOAD, 0, 0, _NUMBER), (_JUMP_AT_LEAST, 0, 1, _X32), unknown]
    for table, answer in ((_REFUSED, _REFUSE), (_UNKNOWN, unknown)):
        for numbers in table.values():
            if (number := numbers[column]) is not None:
                steps += [(_JUMP_EQUAL, 0, 1, number), answer]
    for call, argument_steps in _judged(network):
        steps += [(_JUMP_EQUAL, 0, len(argument_steps), call[column]), *argument_steps]
    return b"".join(struct.pack("=HBBI", *step) for step in [*steps, _PASS])


def _judged(network: Network) -> list[tuple[tuple[int, int], list[BpfInstruction]]]:
    """Return the calls that are judged by their arguments; the steps of each end in an answer."""
    sockets = _sockets(network)
    return [
        (_FALLOCATE, _whole_files()),
        (_FCNTL, [(_LOAD, 0, 0, _SECOND), *_refused(_LEASE, _NOTIFY), _PASS]),
        (_IOCTL, _interfaces()),
        (_PRCTL, [(_LOAD, 0, 0, _FIRST), *_refused(_SET_SECCOMP), _PASS]),
        (_SETSOCKOPT, _options()),
        *((call, sockets) for call in _SOCKETS),
        (_CLONE, [(_LOAD, 0, 0, _FIRST), (_JUMP_ANY_BIT, 0, 1, _NAMESPACES), _REFUSE, _PASS]),
    ]


def _refused(*values: int) -> list[BpfInstruction]:
    return [step for value in values for step in ((_JUMP_EQUAL, 0, 1, value), _REFUSE)]


def _whole_files() -> list[BpfInstruction]:
    """Return the steps that let a file grow in plain sight alone: space that is kept behind its end
    has no limit by RLIMIT_FSIZE and no size, and a replica's log lies on the host's disk."""
    steps = [(_LOAD, 0, 0, _SECOND), (_JUMP_EQUAL, 0, 1, 0), _PASS]
    return [*steps, (_RETURN, 0, 0, _ERRNO | errno.EOPNOTSUPP)]


def _interfaces() -> list[BpfInstruction]:
    """A socket tells of the network that it was made in, also to whom it was handed elsewhere."""
    first, behind = _OF_SOCKETS
    steps = [(_LOAD, 0, 0, _SECOND), (_JUMP_AT_LEAST, 0, 2, first)]
    return [*steps, (_JUMP_AT_LEAST, 1, 0, behind), _REFUSE, _PASS]


def _options() -> list[BpfInstruction]:
    steps = [(_LOAD, 0, 0, _SECOND), (_JUMP_EQUAL, 1, 0, socket.SOL_SOCKET), _PASS]
    return [*steps, (_LOAD, 0, 0, _THIRD), *_refused(*_FILTERS), _PASS]


def _sockets(network: Network) -> list[BpfInstruction]:
    """Return the steps that let a socket be a Unix one or TCP's, with the host's network UDP's.

    Netlink is answered as by a kernel that has it not: so libraries take their other way, and
    ZeroMQ, in which BentoML's supervisor speaks to itself, does not end the program.
    """
    kinds = [(socket.SOCK_STREAM, socket.IPPROTO_TCP)]
    kinds += [(socket.SOCK_DGRAM, socket.IPPROTO_UDP)] if network == "host" else []
    other = (_RETURN, 0, 0, _ERRNO | errno.EPROTONOSUPPORT)
    kind_steps: list[BpfInstruction] = [(_LOAD, 0, 0, _SECOND), (_AND, 0, 0, _KIND)]
    for kind, protocol in kinds:
        kind_steps += [(_JUMP_EQUAL, 0, 5, kind), (_LOAD, 0, 0, _THIRD)]
        kind_steps += [(_JUMP_EQUAL, 1, 0, 0), (_JUMP_EQUAL, 0, 1, protocol), _PASS, other]
    kind_steps += [other]
    steps = [(_LOAD, 0, 0, _FIRST), (_JUMP_EQUAL, 0, 1, socket.AF_UNIX), _PASS]
    steps += [(_JUMP_EQUAL, 0, 1, socket.AF_NETLINK), (_RETURN, 0, 0, _ERRNO | errno.EOPNOTSUPP)]
    steps += [(_JUMP_EQUAL, 2, 0, socket.AF_INET), (_JUMP_EQUAL, 1, 0, socket.AF_INET6)]
    steps += [(_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT)]
    return [*steps, *kind_steps]


@cache
def path(network: Network = "own") -> str:
    """Return where programs that we start can read the filter of this machine; '' without one."""
    filter_program = program(platform.machine(), network)
    if filter_program is None:
        return ""
    handle = os.memfd_create("placet-seccomp")
    os.write(handle, filter_program)
    return f"/proc/{os.getpid()}/fd/{handle}"

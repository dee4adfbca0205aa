"""Which calls of the kernel a replica is refused: those that no model needs and attackers do.

New namespaces (in one of its own a process has every capability, over much more of the kernel),
mounts, tracing and reading other processes, kernel modules, keys, clocks, and interfaces whose
errors have let processes out before (bpf, perf events, userfaultfd, io_uring). Sockets are of the
families that a network namespace keeps apart: by vsock a replica would reach whoever runs the
machine, or another program of it, from any namespace. Space on a disk is taken as far as
a file's size tells. The filter is classic BPF as ``seccomp(2)`` takes it; numbers are those of the
kernel's tables for x86_64 and aarch64 (``syscall_64.tbl``, ``asm-generic/unistd.h``). On other
machines there is no filter.
"""

import errno
import os
import platform
import socket
import struct
from functools import cache

# name → number on x86_64, on aarch64; None: it has no such call
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41),
    "mount": (165, 40), "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_by_handle_at": (304, 265),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "syslog": (103, 116), "vhangup": (153, 58), "iopl": (172, None), "ioperm": (173, None),
}  # fmt: skip
# Answered as by an older kernel, so that libraries take their other way.
_UNKNOWN = {"clone3": (435, 435), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
            "io_uring_register": (427, 427)}  # fmt: skip
_CLONE = (56, 220)
_FALLOCATE = (285, 47)
_SOCKETS = ((41, 198), (53, 199))  # socket, socketpair
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, AUDIT_ARCH_…
_NAMESPACES = 0x7E020000  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET
_X32 = 0x40000000  # the second table of x86_64

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# offsets in struct seccomp_data
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def program(machine: str) -> bytes | None:
    """Return the filter for a machine as ``platform.machine()`` names it; ``None``: there is none.

    Every test is followed by its own return, so that no jump is longer than one step, but for those
    over the families of sockets and ways to allocate.
    """
    if machine not in _MACHINES:
        return None
    column, architecture = _MACHINES[machine]
    refuse, unknown = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
    ]
    steps += [(_LOAD, 0, 0, _NUMBER), (_JUMP_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, unknown)]
    for table, answer in ((_REFUSED, refuse), (_UNKNOWN, unknown)):
        for numbers in table.values():
            if (number := numbers[column]) is not None:
                steps += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]
    whole = _whole_files()
    steps += [(_JUMP_EQUAL, 0, len(whole), _FALLOCATE[column]), *whole]
    families = _families()
    for call in _SOCKETS:
        steps += [(_JUMP_EQUAL, 0, len(families), call[column]), *families]
    steps += [(_JUMP_EQUAL, 1, 0, _CLONE[column]), (_RETURN, 0, 0, _ALLOW)]
    steps += [(_LOAD, 0, 0, _FIRST_ARGUMENT), (_JUMP_ANY_BIT, 0, 1, _NAMESPACES)]
    steps += [(_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _families() -> list[tuple[int, int, int, int]]:
    """Return the steps that let a socket be of a known family alone."""
    steps = [(_LOAD, 0, 0, _FIRST_ARGUMENT)]
    for family in _FAMILIES:
        steps += [(_JUMP_EQUAL, 0, 1, int(family)), (_RETURN, 0, 0, _ALLOW)]
    return [*steps, (_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT)]


def _whole_files() -> list[tuple[int, int, int, int]]:
    """Return the steps that let a file grow in plain sight alone: space that is kept behind its end
    has no limit by RLIMIT_FSIZE and no size, and a replica's log lies on the host's disk."""
    steps = [(_LOAD, 0, 0, _SECOND_ARGUMENT), (_JUMP_EQUAL, 0, 1, 0), (_RETURN, 0, 0, _ALLOW)]
    return [*steps, (_RETURN, 0, 0, _ERRNO | errno.EOPNOTSUPP)]


@cache
def path() -> str:
    """Return where programs that we start can read the filter of this machine; '' without one."""
    found = program(platform.machine())
    if found is None:
        return ""
    handle = os.memfd_create("placet-seccomp")
    os.write(handle, found)
    return f"/proc/{os.getpid()}/fd/{handle}"

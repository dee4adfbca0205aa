"""Entering the network namespace of a replica, and giving up every privilege for good."""

import ctypes
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from placet_agent.process.procs import ProcessRef

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_GET_OWNER = 0xB701  # NS_GET_USERNS
_CAPBSET_DROP, _NO_NEW_PRIVS, _AMBIENT, _AMBIENT_CLEAR = 24, 38, 47, 4
_CAPABILITY_VERSION = 0x20080522
_CAPABILITIES = 64
_CAPABILITY_LINES = ("CapInh", "CapPrm", "CapEff", "CapAmb")

_libc = ctypes.CDLL(None, use_errno=True)


class NotEntered(Exception):
    """A namespace cannot be entered, or a privilege not be given up; the sentence says why."""


class NetworkNamespace:
    """The network namespace of one process: open, so that it stays that one's."""

    def __init__(self, ref: ProcessRef) -> None:
        """Open it. Raises ``NotEntered`` if the process is gone, or has the host's network."""
        try:
            self.handle = os.open(f"/proc/{ref.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise NotEntered(f"the network of process {ref.pid} is closed: {error}") from error
        self.owner = -1
        try:
            if not ref.alive:  # asked with the namespace open: it is not a later process's
                raise NotEntered(f"process {ref.pid} has ended")
            if _same(self.handle, "net"):
                raise NotEntered("the replica has the host's network, none of its own")
            self.owner = fcntl.ioctl(self.handle, _GET_OWNER)
            os.set_inheritable(self.owner, False)
        except BaseException:
            self.close()
            raise

    def enter(self) -> None:
        """Go there, through the user namespace that owns it when that is not our own.

        Raises ``NotEntered``. The process must have one thread only.
        """
        try:
            if not _same(self.owner, "user"):
                _check(_libc.setns(self.owner, _NEWUSER))
            _check(_libc.setns(self.handle, _NEWNET))
        except OSError as error:
            raise NotEntered(f"the replica's network cannot be entered: {error}") from error

    def close(self) -> None:
        """Close it; who has entered stays inside."""
        for handle in (self.handle, self.owner):
            if handle >= 0:
                os.close(handle)
        self.handle = self.owner = -1


def _same(handle: int, kind: str) -> bool:
    """Whether a namespace is the one that this process is in."""
    mine, other = Path(f"/proc/self/ns/{kind}").stat(), os.fstat(handle)
    return (mine.st_dev, mine.st_ino) == (other.st_dev, other.st_ino)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _prctl(option: int, *values: int) -> None:
    words = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _check(_libc.prctl(option, *words))


def demand_user(uid: int | None) -> None:
    """Raise ``NotEntered`` if this process would stay root.

    Asked before it enters anything: in a user namespace an ordinary user may be called 0.
    """
    if uid is None and os.geteuid() == 0:
        raise NotEntered("root must become another user: say which")


def drop(uid: int | None) -> None:
    """Become ``uid`` (``None``: stay who we are) without any capability, for good.

    Raises ``NotEntered`` if anything is left; the caller must end then. An ordinary user cannot
    empty its bounding set, and needs not: with no-new-privileges nothing in it can be had.
    """
    try:
        _prctl(_AMBIENT, _AMBIENT_CLEAR)
        _empty_bounding_set()
        if uid is not None:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
        _check(_libc.capset(header, (ctypes.c_uint32 * 6)()))
        _prctl(_NO_NEW_PRIVS, 1)
    except OSError as error:
        raise NotEntered(f"privileges cannot be given up: {error}") from error
    left = _left(bounded=uid is not None)
    if left or (uid is not None and os.getresuid() != (uid, uid, uid)):
        raise NotEntered(f"privileges are left: {' '.join(left)}")


def _empty_bounding_set() -> None:
    for number in range(_CAPABILITIES):
        with suppress(OSError):  # not ours to drop, or the kernel has none of this number
            _prctl(_CAPBSET_DROP, number)


def _left(*, bounded: bool) -> list[str]:
    """Return what of this process's privileges is left, as the kernel shows it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines if line.startswith(("Cap", "NoNewPrivs")))
    names = [*_CAPABILITY_LINES, "CapBnd"] if bounded else _CAPABILITY_LINES
    left = [f"{name} {fields[name]}" for name in names if int(fields[name], 16)]
    return left if fields["NoNewPrivs"] == "1" else [*left, "NoNewPrivs 0"]

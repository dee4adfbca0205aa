"""Keeps the listening sockets of a node's replicas while agents come and go.

One small process per node. It outlives the agent as HAProxy does, so that a socket is there as
long as its replica is meant to be, whoever of the two ends first. Run as
``python -m placet_agent.holder FOLDER``; the agent's side is ``placet_agent.process.holding``.

It listens on ``FOLDER/holder.sock`` (a SOCK_SEQPACKET socket, 0600) and answers only who has its
own user id. One message is one JSON object, answered by one: ``{"do": "keep", "name": …}`` with
one socket as SCM_RIGHTS, ``give`` (the answer carries the socket), ``drop``, and ``names`` with
``after`` (a page at a time). A refusal is ``{"error": sentence}``. No peer can make it wait:
nothing here blocks but the wait for the next event. It ends by SIGTERM, never by itself.
"""

import array
import fcntl
import json
import os
import resource
import select
import signal
import socket
import stat
import struct
import sys
from typing import Any

SOCKET = "holder.sock"
LOCK = "holder.lock"
MAX_NAMES = 4096
HANDLES = 65536  # what the unit of the agent has
MAX_CLIENTS = 64
MESSAGE_BYTES = 16384
NAME_CHARACTERS = 100
PAGE = 100  # names in one answer: 100 × 100 characters fit into a message
_SPARE = MAX_CLIENTS + 32  # descriptors that are not kept sockets
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
# Room for exactly one descriptor: the kernel does not even install a second one.
_ONE = socket.CMSG_LEN(array.array("i").itemsize)


class RequestRefused(Exception):
    """A request that is answered by a sentence."""


class SocketKeeper:
    """The sockets by name, and what may be asked about them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.kept: dict[str, int] = {}

    def answer(self, text: bytes, descriptors: list[int]) -> tuple[dict[str, Any], int | None]:
        """Do what a message asks; return the answer and the descriptor to send with it.

        What it takes out of ``descriptors`` it keeps; the rest is the caller's to close.
        """
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            raise RequestRefused("this is not JSON") from None
        if not isinstance(message, dict):
            raise RequestRefused("this is not an object")
        if message.get("do") == "names":
            return self._names(message.get("after", "")), None
        name = _name(message.get("name"))
        if message.get("do") == "keep":
            return self._keep(name, descriptors), None
        if message.get("do") not in ("give", "drop"):
            raise RequestRefused("one can ask to keep, give, drop, or for names")
        if name not in self.kept:
            raise RequestRefused(f"nothing is kept under {name}")
        if message["do"] == "give":
            return {"ok": True}, self.kept[name]
        os.close(self.kept.pop(name))
        return {"ok": True}, None

    def _keep(self, name: str, descriptors: list[int]) -> dict[str, Any]:
        if len(descriptors) != 1 or not stat.S_ISSOCK(os.fstat(descriptors[0]).st_mode):
            raise RequestRefused("one socket must come with the name")
        if name in self.kept:
            raise RequestRefused(f"another socket is kept under {name}")
        if len(self.kept) >= self.limit:
            raise RequestRefused(f"no more than {self.limit} sockets are kept")
        self.kept[name] = descriptors.pop()
        return {"ok": True}

    def _names(self, after: object) -> dict[str, Any]:
        if not isinstance(after, str):
            raise RequestRefused("'after' is a name")
        rest = sorted(name for name in self.kept if name > after)
        return {"names": rest[:PAGE], "more": len(rest) > PAGE}


def _name(value: object) -> str:
    fits = isinstance(value, str) and 0 < len(value) <= NAME_CHARACTERS
    if not fits or not _CHARACTERS.issuperset(str(value)):
        raise RequestRefused(f"a name has 1 to {NAME_CHARACTERS} letters, digits, '-', '_' or '.'")
    return str(value)


class SocketServer:
    """One thread, one wait, many clients."""

    def __init__(self, listener: socket.socket, keeper: SocketKeeper) -> None:
        self.listener = listener
        self.keeper = keeper
        self.clients: dict[int, socket.socket] = {}  # who was heard longest ago comes first
        self.events = select.epoll()
        self.events.register(listener, select.EPOLLIN)

    def run(self) -> None:
        """Serve for ever."""
        while True:
            for number, _ in self.events.poll():
                if number == self.listener.fileno():
                    self._accept()
                elif number in self.clients:
                    self._serve(number)

    def _accept(self) -> None:
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        if _peer(client) != os.geteuid():
            client.close()
            return
        if len(self.clients) >= MAX_CLIENTS:
            self._part(next(iter(self.clients)))
        client.setblocking(False)
        self.clients[client.fileno()] = client
        self.events.register(client, select.EPOLLIN)

    def _serve(self, number: int) -> None:
        client = self.clients[number] = self.clients.pop(number)
        descriptors: list[int] = []
        try:
            text, descriptors, whole = _receive(client)
            if not text:
                raise ConnectionAbortedError("it left")
            self._send(client, *self._answer(text, descriptors, whole))
        except Exception:  # whatever a peer can cause ends that peer, and nobody else
            self._part(number)
        finally:
            for handle in descriptors:
                os.close(handle)

    def _answer(
        self, text: bytes, descriptors: list[int], whole: bool
    ) -> tuple[dict[str, Any], int | None]:
        try:
            if not whole:
                raise RequestRefused(
                    f"a message has {MESSAGE_BYTES} bytes and one descriptor at most"
                )
            return self.keeper.answer(text, descriptors)
        except RequestRefused as refusal:
            return {"error": str(refusal)}, None

    def _send(self, client: socket.socket, answer: dict[str, Any], handle: int | None) -> None:
        """Send; nothing waits here, and one who does not read its answers is left."""
        rights = [] if handle is None else [_rights(handle)]
        client.sendmsg([json.dumps(answer).encode()], rights)

    def _part(self, number: int) -> None:
        client = self.clients.pop(number)
        self.events.unregister(client)
        client.close()


def _rights(handle: int) -> tuple[int, int, "array.array[int]"]:
    return socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle])


def _receive(client: socket.socket) -> tuple[bytes, list[int], bool]:
    """Return a message, the descriptors that came with it, and whether nothing was cut off."""
    text, parts, flags, _ = client.recvmsg(MESSAGE_BYTES, _ONE, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, data in parts:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return text, list(descriptors), not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)


def _peer(client: socket.socket) -> int:
    """Return the user id of who connected."""
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def open_socket(folder: str) -> socket.socket | None:
    """Listen in ``folder``, where this process stays; ``None`` while another holder is there."""
    os.chdir(folder)  # a socket's path may have 107 bytes only: it is named from here
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held until this process ends
    except BlockingIOError:
        os.close(lock)
        return None
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    os.fchmod(listener.fileno(), 0o600)  # before bind: the file never has another mode
    fresh = f".{SOCKET}.new"
    if os.path.lexists(fresh):
        os.unlink(fresh)  # noqa: PTH108 - pathlib would double what this process imports
    listener.bind(fresh)
    listener.listen(MAX_CLIENTS)
    os.rename(fresh, SOCKET)  # noqa: PTH104
    return listener


def raise_handles(wanted: int = HANDLES) -> int:
    """Raise the limit of descriptors as far as it goes, to ``wanted`` at most; return it.

    An ordinary user can hand over none once more are under way in Unix sockets of all its programs
    together than this limit says: each of its replicas may keep 8192 there.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    best = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < best:
        resource.setrlimit(resource.RLIMIT_NOFILE, (best, hard))
        soft = best
    return wanted if soft == resource.RLIM_INFINITY else soft


def _room() -> int:
    """Return how many sockets can be kept."""
    return min(MAX_NAMES, raise_handles() - _SPARE)


def main(arguments: list[str]) -> None:
    """Hold sockets for the agent of ``FOLDER``; say ``ready`` on ``--ready FD`` once it listens."""
    folder, *rest = arguments
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener = open_socket(folder)
    if rest[:1] == ["--ready"]:
        message = b"ready" if listener else b"another holder already runs here"
        os.write(int(rest[1]), message)
        os.close(int(rest[1]))
    if listener is None:
        sys.exit("another holder already runs here")
    SocketServer(listener, SocketKeeper(_room())).run()


if __name__ == "__main__":
    main(sys.argv[1:])

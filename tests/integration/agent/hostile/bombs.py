"""Attempts to use up what a host has: each in processes of its own, for some seconds."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

Told = dict[str, str]

CHUNK = b"x" * (1 << 20)
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE
MOST_MB = 1536  # who gets so much has no limit
BOUNDED_MB = 256  # who leaves more in the kernel's TCP buffers has none; other tests share those


def in_child(act: Callable[[], str]) -> str:
    """Do something in a child; its answer, or the name of the signal that ended it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            said = act()
        except MemoryError:
            said = "MemoryError"
        except OSError as error:
            said = os.strerror(error.errno or 0)
        except RuntimeError as error:
            said = str(error)
        with suppress(OSError):
            os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read().decode()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return text


def processes(count: int, act: Callable[[], None], seconds: float) -> int:
    """Have so many processes do something for some seconds; return how many could be begun.

    They are a group of their own, so that one call ends all, however busy they keep this one.
    """
    reader, writer = os.pipe()
    leader = os.fork()
    if leader == 0:
        os.setsid()
        begun = 0
        with suppress(OSError):
            while begun < count:
                if os.fork() == 0:
                    os.close(writer)
                    try:
                        act()
                    finally:
                        os._exit(0)
                begun += 1
        os.write(writer, str(begun).encode())
        signal.pause()
    os.close(writer)
    begun = int(os.read(reader, 20) or 0)
    os.close(reader)
    time.sleep(seconds)
    os.killpg(leader, signal.SIGKILL)
    os.waitpid(leader, 0)
    return begun


def spin() -> None:
    """Use the processor for ever."""
    while True:
        pass


def endless_loops(told: Told) -> str:
    """Loop in 64 processes."""
    return f"{processes(64, spin, float(told['seconds']))} loops"


def eat(told: Told) -> str:
    """Hold ever more memory."""

    def act() -> str:
        held = [bytearray(CHUNK) for _ in range(MOST_MB)]
        return f"had {len(held)} MB"

    return in_child(act)


def fill(folder: str) -> Callable[[Told], str]:
    """Write ever more into a file system that is memory."""

    def attempt(told: Told) -> str:
        path = Path(folder, "filled")

        def act() -> str:
            with path.open("wb", buffering=0) as stream:
                for _ in range(MOST_MB):
                    stream.write(CHUNK)
            return f"wrote {MOST_MB} MB"

        try:
            return in_child(act)
        finally:
            path.unlink(missing_ok=True)

    return attempt


def memfd(told: Told) -> str:
    """Write ever more into files that have no name."""

    def act() -> str:
        held = []
        for number in range(MOST_MB // 64):
            handle = os.memfd_create(str(number))
            held.append(handle)
            for _ in range(64):
                os.write(handle, CHUNK)
        return f"wrote {MOST_MB} MB"

    return in_child(act)


def buffers(pair: Callable[[], tuple[int, int]]) -> Callable[[Told], str]:
    """Leave ever more bytes in the kernel that nobody reads."""

    def attempt(told: Told) -> str:
        def act() -> str:
            held, total = [], 0
            while total < MOST_MB << 20:
                reader, writer = pair()
                held += [reader, writer]
                os.set_blocking(writer, False)
                with suppress(BlockingIOError):
                    while True:
                        total += os.write(writer, CHUNK)
            return f"left {total >> 20} MB"

        return in_child(act)

    return attempt


def sockets() -> tuple[int, int]:
    """Return a pair of connected sockets with large buffers."""
    one, other = socket.socketpair()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    return one.detach(), other.detach()


def tcp(told: Told) -> str:
    """Leave ever more bytes in connections of its own that nobody reads."""

    def act() -> str:
        listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        return left([listener.getsockname()[:2]] * 500, float(told["seconds"]))

    return in_child(act)


def through_the_relay(told: Told) -> str:
    """Leave ever more bytes in connections to an approved destination, which reads nothing."""
    to = (told["to"], int(told["greeter"]))
    return in_child(lambda: left([to] * 250, float(told["seconds"])))


def left(places: list[tuple[str, int]], seconds: float) -> str:
    """Write into connections until none takes any more for so long; say what they took.

    No more than shows that nothing bounds it: a kernel whose TCP memory is used up resets the
    connections of everybody on the machine.
    """
    held, total = [], 0
    for place in places:
        held.append(socket.create_connection(place, timeout=10))
        held[-1].setblocking(False)
    end = time.monotonic() + seconds
    while time.monotonic() < end and total <= BOUNDED_MB << 20:
        for one in held:
            with suppress(OSError):
                total += one.send(CHUNK)
                end = time.monotonic() + seconds
    return f"left {total >> 20} MB" if total > BOUNDED_MB << 20 else "bounded"


def fork(told: Told) -> str:
    """Begin processes until none can be begun, and keep them: small ones, so that memory lasts."""
    script = "exec 9<&0; i=0; while [ $i -lt 2500 ]; do read x <&9 & i=$((i+1)); done; echo $i"
    with subprocess.Popen(
        ["/bin/sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        child.wait()
        time.sleep(float(told["seconds"]))
        os.killpg(child.pid, signal.SIGKILL)
        begun = child.stdout.read() if child.stdout else b""
    return f"{begun.decode().strip()} processes" if begun else "bounded"


def fork_faster(told: Told) -> str:
    """Begin and end processes as fast as can be."""

    def act() -> None:
        while True:
            with suppress(OSError):
                child = os.fork()
                if child == 0:
                    os._exit(0)
                os.waitpid(child, 0)

    return f"{processes(32, act, float(told['seconds']))} forking"


def threads(told: Told) -> str:
    """Begin threads until none can be begun."""

    def act() -> str:
        end = threading.Event()
        threading.stack_size(65536)
        begun: list[threading.Thread] = []
        try:
            for _ in range(5000):
                begun.append(threading.Thread(target=end.wait, daemon=True))
                begun[-1].start()
        except RuntimeError:
            return "bounded" if len(begun) < 2049 else f"{len(begun)} threads"
        return f"{len(begun)} threads"

    return in_child(act)


def descriptors(told: Told) -> str:
    """Open files until none can be opened, in 16 processes, and keep them."""

    def most() -> None:
        with suppress(OSError):
            while True:
                os.open("/dev/null", os.O_RDONLY)
        signal.pause()

    def act() -> str:
        while True:
            os.open("/dev/null", os.O_RDONLY)

    processes(16, most, float(told["seconds"]))
    return in_child(act)


def log(told: Told) -> str:
    """Write into the log as fast as can be."""

    def act() -> str:
        end, total = time.monotonic() + float(told["seconds"]), 0
        while time.monotonic() < end:
            total += os.write(1, CHUNK)
            if total > MOST_MB << 20:
                return "more than any bound"
        return f"wrote {total >> 20} MB"

    return in_child(act)


def sparse_log(told: Told) -> str:
    """Make the log seem as long as can be."""
    os.ftruncate(1, 1 << 40)
    return "a terabyte"


def space_behind_the_log(told: Told) -> str:
    """Take the disk's space for the log and leave its size as it is: 1 GB, twice its bound."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(1, _KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(1 << 30)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return f"{os.fstat(1).st_blocks >> 11} MB"


def connections(told: Told) -> str:
    """Open connections to an approved destination until it gives none."""

    def act() -> str:
        held = []
        for _ in range(1200):
            held.append(socket.create_connection((told["to"], int(told["greeter"])), timeout=10))
        time.sleep(float(told["seconds"]))
        open_still = 0
        for one in held:
            one.setblocking(False)
            try:
                open_still += one.recv(100) != b""
            except BlockingIOError:
                open_still += 1
            except OSError:
                continue
        return "bounded" if open_still <= 256 else f"{open_still} connections"

    return in_child(act)


def deaf(told: Told) -> str:
    """Make the own socket refuse everybody for good."""
    socket.socket(fileno=os.dup(int(sys.argv[1].removeprefix("fd:")))).shutdown(socket.SHUT_RDWR)
    return "deaf"


ATTEMPTS: dict[str, Callable[[Told], str]] = {
    "loop_in_64_processes": endless_loops,
    "take_memory": eat,
    "fill_tmp": fill("/tmp"),
    "fill_shared_memory": fill("/dev/shm"),
    "fill_nameless_files": memfd,
    "fill_pipes": buffers(os.pipe),
    "fill_sockets": buffers(sockets),
    "fill_connections": tcp,
    "fill_the_relay": through_the_relay,
    "begin_processes": fork,
    "begin_and_end_processes": fork_faster,
    "begin_threads": threads,
    "open_files": descriptors,
    "flood_the_log": log,
    "make_the_log_a_terabyte": sparse_log,
    "take_space_behind_the_log": space_behind_the_log,
    "open_connections": connections,
    "shut_its_own_socket": deaf,
}


def garbage(handler: BaseHTTPRequestHandler, kind: str) -> None:
    """Answer a request as no server should."""
    out = handler.connection
    handler.close_connection = True
    if kind == "noise":
        out.sendall(os.urandom(65536))
    elif kind == "huge_headers":
        line = b"X-Long: " + b"y" * 8000 + b"\r\n"
        out.sendall(b"HTTP/1.1 200 OK\r\n" + line * 100 + b"\r\n")
    elif kind == "line_breaks":
        out.sendall(
            b"HTTP/1.1 200 OK\r\nX-Placet-Revision: a\nrev_9 b\r\nContent-Length: 0\r\n\r\n"
        )
    elif kind == "two_lengths":
        out.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 9\r\n\r\nab")
    elif kind == "half":
        out.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    elif kind == "another_answer":
        more = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nSECOND"
        out.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + more)

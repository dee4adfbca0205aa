"""Clients that send half of a request, or one without end, hold no thread from others: over the
real gunicorn, which needs no database for this."""

import os
import resource
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.integration.agent.conftest import free_port
from tests.integration.deploy.test_web import ROOT, gunicorn, wait_listening
from tests.support.certificates import Authority
from tests.support.processes import until

HALF = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: b"
ASKED = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
SHEET = b"GET /static/vendor/tabler.min.css HTTP/1.1\r\nHost: localhost\r\n\r\n"  # 635 kB
POST = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
CLIENTS, TIMES = 40, 16


@dataclass
class Web:
    """A web process with two threads, and where it listens."""

    port: int
    pid: int
    ends: ExitStack
    tls: ssl.SSLContext | None = None

    def client(self, *, takes: int = 0, breaks: bool = False) -> socket.socket:
        """Return a new connection, whose client's kernel holds so many bytes for it; it is closed
        in the end. Where it ``breaks`` off under TLS, that is no end: Python 3.11 makes one of it.
        """
        one = socket.socket()
        one.settimeout(60)
        if takes:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes)
        one.connect(("127.0.0.1", self.port))
        if self.tls:
            one = self.tls.wrap_socket(
                one, server_hostname="localhost", suppress_ragged_eofs=not breaks
            )
        return self.ends.enter_context(one)


@contextmanager
def served(data: Path, **more: str) -> Iterator[Web]:
    """Start one that needs no database; nothing of it may fail unforeseen."""
    where = free_port()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
    process = gunicorn(
        clean
        | {
            "PLACET_PROCESS": "web",
            "WEB_CONCURRENCY": "1",
            "PLACET_WEB_THREADS": "2",
            "PLACET_DATA_DIR": str(data),
            "PYTHONWARNINGS": "ignore",
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "PLACET_LISTEN": f"127.0.0.1:{where}",
            "PLACET_DATABASE_URL": "postgresql://placet@127.0.0.1:1/placet",
            **more,
        }
    )
    try:
        wait_listening(process, where)
        asks(where, "https" if "PLACET_TLS_CERT" in more else "http")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        with ExitStack() as ends:
            yield Web(where, int(children[0]), ends)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said, said


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where one listens that all may use that leave it as it was."""
    with served(tmp_path_factory.mktemp("data")) as web:
        yield web.port


def asks(port: int, scheme: str = "http") -> float:
    """Ask whether it lives; return the seconds that the answer took."""
    begun, url = time.monotonic(), f"{scheme}://127.0.0.1:{port}/livez"
    assert httpx.get(url, timeout=60, verify=False).json() == {"status": "ok"}
    return time.monotonic() - begun


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One that speaks TLS, which all may use that leave it as it was."""
    folder = tmp_path_factory.mktemp("secure")
    with served(folder / "data", **certified(folder)) as web:
        web.tls = ssl.create_default_context(cafile=str(folder / "tls/ca.pem"))
        yield web


def certified(folder: Path) -> dict[str, str]:
    """Return the settings of one that speaks TLS."""
    chain, key, _ = Authority(folder / "tls").issue("web")
    return {"PLACET_TLS_CERT": str(chain), "PLACET_TLS_KEY": str(key)}


@pytest.fixture
def many(port: int) -> Iterator[list[socket.socket]]:
    """Clients of which each has a connection."""
    found = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(CLIENTS)]
    yield found
    for one in found:
        one.close()


@pytest.mark.parametrize("before", [b"", ASKED], ids=["at once", "behind a request"])
def test_who_sends_half_a_head_holds_no_thread(
    port: int, many: list[socket.socket], before: bytes
) -> None:
    asks(port)
    for one in many:
        one.sendall(before + HALF)
    assert asks(port) < 5
    for one in many:  # and each is answered when its head is whole
        one.sendall(b"\r\n\r\n")
        said = b""
        while said.count(b'{"status": "ok"}') < 1 + bool(before):
            said += (more := one.recv(65536))
            assert more, said


@pytest.mark.parametrize("begun", ["nothing", "a byte", "a handshake", "half a head"])
def test_who_begins_with_tls_and_goes_no_further_holds_no_thread(secure: Web, begun: str) -> None:
    trusted, secure.tls = secure.tls, None
    assert trusted
    many = [secure.client() for _ in range(CLIENTS)]
    secure.tls = trusted
    for at, one in enumerate(many):
        if begun == "a byte":
            one.sendall(b"\x16")
        elif begun != "nothing":
            many[at] = secure.ends.enter_context(
                trusted.wrap_socket(one, server_hostname="localhost")
            )
            many[at].sendall(HALF * (begun == "half a head"))
    asks(secure.port, "https")
    assert not any(ended(one) for one in many), "nobody waited for their end"
    if begun == "half a head":
        for one in many:  # and each is answered when its head is whole
            one.settimeout(60)
            one.sendall(b"\r\n\r\n")
            assert one.recv(65536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("first", [8192, 16384, 20000])
def test_what_tls_brings_in_one_piece_is_seen_to_its_end(secure: Web, first: int) -> None:
    """The poller sees nothing of what TLS has decrypted already."""
    one = secure.client()
    begun = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 4000 + b"\r\n"
    for name in (b"X-B: ", b"X-C: ", b"X-D: "):
        if (left := first - len(begun) - 4) > 0:
            begun += name + b"b" * min(left - len(name), 7000) + b"\r\n"
    one.sendall(begun + b"\r\n" + LAST)
    assert gathered(one).count(b'{"status": "ok"}') == 2


@pytest.mark.parametrize("more", [b"", b"X-Z: " + b"a" * 4000 + b"\r\n"], ids=["half", "on and on"])
def test_a_head_of_more_than_64_kb_is_refused_without_a_thread(port: int, more: bytes) -> None:
    with ExitStack() as ends:
        many = []
        for _ in range(CLIENTS):
            one = socket.create_connection(("127.0.0.1", port), timeout=30)
            many.append(ends.enter_context(one))
            one.sendall(HALF + b"b\r\n" + 66 * (b"X-B: " + b"b" * 1000 + b"\r\n"))
        asks(port)
        for one in many:
            with suppress(ConnectionError):
                one.sendall(more)
            assert one.recv(65536).startswith(b"HTTP/1.1 431 ")


def test_what_comes_in_one_piece_with_the_end_of_a_body_is_seen_too(secure: Web) -> None:
    one, begun = secure.client(), b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    size = 16384 + 8192 - len(begun) - len(b"24000\r\n\r\n")  # a record, and what a thread reads
    one.sendall(begun + b"%d\r\n\r\n" % size + b" " * size + LAST)
    assert gathered(one).count(b'{"status": "ok"}') == 2


def test_a_head_may_come_in_pieces(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        for byte in ASKED:
            one.sendall(bytes([byte]))
        assert one.recv(65536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("after", [b"", b"1;", b"0\r\nX: "], ids=["size", "extension", "trailer"])
def test_a_line_between_chunks_has_an_end(port: int, after: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        one.sendall(CHUNKED + after)
        with pytest.raises(OSError):
            for _ in range(2000):  # 128 MB
                one.sendall(b"0" * 65536)
    assert asks(port) < 5


def test_a_line_feed_alone_ends_no_line_between_chunks(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        one.sendall(CHUNKED + b'1;a="\n"\r\nx\r\n0\r\n\r\n' + ASKED)
        assert b"\r\nConnection: close\r\n" in one.recv(65536)


def ended(one: socket.socket) -> bool:
    """Tell whether the server has ended a connection of which all answers were taken."""
    one.setblocking(False)
    try:
        return one.recv(65536) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_who_ends_with_a_request_and_stays_keeps_nobody_waiting(tmp_path: Path, tls: bool) -> None:
    more = certified(tmp_path) if tls else {}
    with served(tmp_path / "data", **more) as web:
        if tls:
            web.tls = ssl.create_default_context(cafile=str(tmp_path / "tls/ca.pem"))
        many = []
        for _ in range(CLIENTS):
            many.append(web.client())
            many[-1].sendall(LAST)
        took = sum(asks(web.port, "https" if tls else "http") for _ in range(3))
        assert took < CLIENTS / 2, "each was waited for in turn"
        for one in many:
            assert b'{"status": "ok"}' in gathered(one), "and each has its answer to the end"


def gathered(one: socket.socket) -> bytes:
    """Take all until the server ends."""
    said = b""
    while more := one.recv(65536):
        said += more
    return said


def test_who_asks_for_much_and_takes_nothing_leaves_others_a_thread(tmp_path: Path) -> None:
    with served(tmp_path) as web:
        many = [web.client(takes=4096) for _ in range(8)]
        for one in many:
            one.sendall(SHEET * TIMES)
        for _ in range(TIMES + 1):  # each client's next request stands before ours meanwhile
            asks(web.port)
        honest = web.client()  # and who takes it, gets it whole
        honest.sendall(SHEET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        head, _, sheet = gathered(honest).partition(b"\r\n\r\n")
        assert f"Content-Length: {len(sheet)}\r\n".encode() in head + b"\r\n"
        assert len(sheet) > 600_000


def test_half_heads_and_kept_connections_leave_room_for_others_together(tmp_path: Path) -> None:
    with served(tmp_path, GUNICORN_CMD_ARGS="--worker-connections 40") as web:
        kept = [web.client() for _ in range(15)]  # one more would be told to go
        for one in kept:
            one.sendall(ASKED)
            assert one.recv(65536)
        heads = [web.client() for _ in range(20)]
        for one in heads:
            one.sendall(HALF)
        # which of them rested first is for the threads that answered them to say
        until(lambda: any(map(ended, kept)), what="some that are kept went")
        asks(web.port)
        assert not ended(kept[-1])
        assert not ended(heads[-1])


def test_a_process_without_a_file_for_another_connection_goes_on(tmp_path: Path) -> None:
    with served(tmp_path) as web:
        now = len(list(Path(f"/proc/{web.pid}/fd").iterdir()))
        _, hard = resource.prlimit(web.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(web.pid, resource.RLIMIT_NOFILE, (now + 30, hard))
        many = [web.client() for _ in range(60)]
        for one in many:
            one.sendall(HALF)
        until(lambda: all(ended(one) for one in many[:20]), what="the oldest gave their files")
        for one in many[-5:]:
            one.settimeout(60)
            one.sendall(b"\r\nConnection: close\r\n\r\n")
            assert b'{"status": "ok"}' in gathered(one)
        resource.prlimit(web.pid, resource.RLIMIT_NOFILE, (now, hard))
        waiting = web.client()
        waiting.sendall(LAST)
        until(lambda: all(ended(one) for one in many), what="all gave theirs, and none is free")
        resource.prlimit(web.pid, resource.RLIMIT_NOFILE, (now + 30, hard))
        assert b'{"status": "ok"}' in gathered(waiting)
        assert Path(f"/proc/{web.pid}").exists(), "it is the same process"


def test_over_tls_who_breaks_off_spoils_nothing_for_who_comes_next(tmp_path: Path) -> None:
    """OpenSSL keeps what went wrong in a list of the thread, where the next connection finds it."""
    with served(tmp_path / "data", **certified(tmp_path)) as web:
        web.tls = ssl.create_default_context(cafile=str(tmp_path / "tls/ca.pem"))
        for _ in range(8):
            rude = web.client(takes=4096)
            rude.sendall(SHEET)
            assert rude.recv(4096)
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            rude.close()
        for _ in range(8):
            honest = web.client()
            honest.sendall(POST)
            honest.sendall(b"x" * 100)
            assert honest.recv(12).startswith(b"HTTP/1.1 4")  # it is told what is wrong with it
            reader = web.client(takes=4096)
            reader.sendall(SHEET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            size = 0
            while piece := reader.recv(65536):
                size += len(piece)
            assert size > 600_000


def test_an_address_that_is_too_long_is_refused_with_a_page(port: int) -> None:
    for length, status in ((8000, b"HTTP/1.1 200 "), (8200, b"HTTP/1.1 414 ")):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
            one.sendall(b"GET /livez?q=" + b"a" * length + b" HTTP/1.1\r\nHost: localhost\r\n")
            one.sendall(b"Connection: close\r\n\r\n")
            answer = gathered(one)
        assert answer.startswith(status)
        assert (b"Go back, shorten what you typed" in answer) == (length > 8190)

"""Half of an answer never passes for a whole one, nor the next one for its rest: over the real
gunicorn, plain and with TLS."""

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.agent.conftest import free_port
from tests.integration.deploy import breaking
from tests.integration.deploy.breaking import PIECE, PROMISED
from tests.integration.deploy.test_slow_clients import Web, certified, gathered
from tests.integration.deploy.test_web import ROOT, wait_listening
from tests.support.processes import until

BROKEN = (ConnectionResetError, ssl.SSLEOFError)  # Python 3.11 has the second word for both


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def web(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Web]:
    """A web process whose answers break off."""
    port, more = free_port(), certified(tmp_path) if request.param else {}
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
    settings = {
        "PLACET_PROCESS": "web",
        "WEB_CONCURRENCY": "1",
        "PLACET_WEB_THREADS": "2",
        "PLACET_LISTEN": f"127.0.0.1:{port}",
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "PLACET_DATA_DIR": str(tmp_path / "data"),
    }
    conf, what = ROOT / "platform/deploy/gunicorn.conf.py", f"{breaking.__name__}:answer"
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", str(conf), what],
        cwd=ROOT,
        env=clean | settings | more,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    trust = ssl.create_default_context(cafile=str(tmp_path / "tls/ca.pem")) if more else None
    try:
        wait_listening(process, port)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        until(children.read_text, 60, "a process that answers")
        with ExitStack() as ends:
            yield Web(port, int(children.read_text().split()[0]), ends, trust)
    finally:
        process.terminate()
        process.wait(60)


def asks(web: Web, *paths: str, version: str = "1.0", breaks: bool = False) -> socket.socket:
    """Return a connection on which these are asked, at once."""
    one = web.client(breaks=breaks)
    more = "Connection: keep-alive\r\n" if version == "1.0" and len(paths) > 1 else ""
    heads = (f"GET {path} HTTP/{version}\r\nHost: localhost\r\n{more}\r\n" for path in paths)
    one.sendall("".join(heads).encode())
    return one


@pytest.mark.parametrize("path", ["/value", "/os"])
def test_what_breaks_off_is_no_end(web: Web, path: str) -> None:
    with pytest.raises(BROKEN):
        gathered(asks(web, path, breaks=True))
    assert gathered(asks(web, "/whole")).endswith(b"\r\n\r\n" + PIECE)


def test_what_is_cut_by_the_end_of_its_process_is_no_end(web: Web) -> None:
    one, said = asks(web, "/endless", breaks=True), b""
    while PIECE not in said:
        said += one.recv(65536)
    os.kill(web.pid, signal.SIGKILL)  # as the one that started it does where one does not stop
    with pytest.raises(BROKEN):
        gathered(one)


@pytest.mark.parametrize("path", ["/whole/short", "/file/short", "/file/short/real"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_what_falls_short_of_its_length_is_the_last_of_its_connection(
    web: Web, path: str, version: str
) -> None:
    head, _, rest = gathered(asks(web, path, "/whole", version=version)).partition(b"\r\n\r\n")
    assert f"\r\nContent-Length: {PROMISED}\r\n".encode() in head + b"\r\n"
    assert rest == PIECE


@pytest.mark.parametrize("path", ["/file", "/file/real", "/file/empty", "/file/empty/real"])
def test_a_file_without_a_length_ends_once(web: Web, path: str) -> None:
    one = asks(web, path, "/value", version="1.1")
    _, rest, last = gathered(one).split(b"\r\n\r\n", 2)
    body = b"" if "empty" in path else b"%X\r\n%b\r\n" % (len(PIECE), PIECE)
    assert rest == body + b"0"
    assert last.startswith(b"HTTP/1.1 200 OK\r\n")

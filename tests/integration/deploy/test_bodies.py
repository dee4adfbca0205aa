"""What the web process makes of bodies that are cut or too large: real gunicorn, no database."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.deploy.test_slow_clients import Web, gathered, served

HEAD = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n"
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"
FILE = b'--a\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web process."""
    with served(tmp_path_factory.mktemp("data")) as made:
        yield made


def head(path: str, kind: str, length: int) -> bytes:
    """Return what stands before a body."""
    return HEAD.format(path, kind, length).encode()


@pytest.mark.parametrize("path", ["/accounts/login/", "/api/v1/projects", "/agent/v1/join"])
def test_a_body_that_breaks_off_is_refused(web: Web, path: str) -> None:
    one = web.client()
    one.sendall(head(path, FORM, 20) + b"login=ada@example")
    one.shutdown(socket.SHUT_WR)
    said = gathered(one)
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n"), said
    assert b"\r\nConnection: close\r\n" in said


@pytest.mark.parametrize("kind", [FORM, PARTS])
@pytest.mark.parametrize("path", ["/accounts/login/", "/api/v1/projects", "/nowhere"])
def test_a_body_too_large_for_anything_is_not_waited_for(web: Web, path: str, kind: str) -> None:
    one = web.client()
    one.sendall(head(path, kind, 3 << 20) + FILE + bytes((3 << 20) - len(FILE)))
    assert one.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_file_in_a_form_is_written_nowhere(tmp_path: Path) -> None:
    body = FILE + bytes(4 << 20) + b"\r\n--a--\r\n"  # Django keeps 2.5 MB in memory, by itself
    (folder := tmp_path / "temporary").mkdir()
    more = {"TMPDIR": str(folder), "PLACET_MAX_BODY_BYTES": str(8 << 20)}
    with served(tmp_path / "data", **more) as web:
        before, one = folder.stat().st_mtime_ns, web.client()
        one.sendall(head("/accounts/login/", PARTS, len(body)) + body)
        assert one.recv(65536).startswith(b"HTTP/1.1 403 ")  # read, and it has no token
        assert folder.stat().st_mtime_ns == before, "something was put there"

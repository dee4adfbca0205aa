"""A server whose certificate is of an authority of one's own."""

import io
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from placet_client import Client, Unreachable, login
from placet_client.cli import main
from tests.support.certificates import Authority

ME = {
    "kind": "person",
    "id": "per_1",
    "name": "Dana",
    "accountable": "per_1",
    "token": "tok_1",
    "second_factor": True,
    "grants": [],
    "withheld_roles": [],
}


class Server(BaseHTTPRequestHandler):
    """Tells everybody that they are Dana, who holds no role."""

    def do_GET(self) -> None:
        """Answer."""
        answer = ME if self.path.endswith("/whoami") else {"items": [], "next": None}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Who vouches for the server; and a home without a login."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("PLACET_URL", "PLACET_TOKEN", "PLACET_CA"):
        monkeypatch.delenv(name, raising=False)
    return Authority(tmp_path / "authority")


@pytest.fixture
def url(authority: Authority) -> Iterator[str]:
    """A server that answers https alone."""
    chain, key, _ = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_authority_is_given_once_and_remembered_for_its_server_alone(
    url: str,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a-token\n"))
    assert main(["login", url, "--token-stdin", "--ca", str(authority.ca)]) == 0
    assert main(["whoami", "-o", "json"]) == 0
    assert '"Dana"' in capsys.readouterr().out
    assert login.current() == login.Login(url, "a-token", str(authority.ca))

    monkeypatch.setenv("PLACET_URL", "https://elsewhere.example")
    monkeypatch.setenv("PLACET_TOKEN", "another")
    assert login.current().ca == ""


def test_a_pipeline_names_the_authority_in_a_variable(
    url: str,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PLACET_URL", url)
    monkeypatch.setenv("PLACET_TOKEN", "a-token")
    monkeypatch.setenv("PLACET_CA", str(authority.ca))
    assert main(["whoami", "-o", "json"]) == 0
    assert '"Dana"' in capsys.readouterr().out


def test_nobody_else_is_believed(url: str, tmp_path: Path, authority: Authority) -> None:
    stranger = Authority(tmp_path / "stranger", "Somebody else")
    for ca in ("", str(stranger.ca)):
        with (
            Client(url, "a-token", ca=ca, sleep=lambda _: None) as client,
            pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            client.whoami()


def test_a_file_without_an_authority_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        (tmp_path / "empty.pem").touch()
        with pytest.raises(Unreachable, match=path.name):
            Client("https://localhost:1", "a-token", ca=str(path))

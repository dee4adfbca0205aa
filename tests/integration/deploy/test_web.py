"""The web process as production runs it: gunicorn with its own configuration, TLS from files."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.agent.conftest import free_port
from tests.integration.agent.test_tls import shown, wait_shown
from tests.support.certificates import ROOT, Authority

SECRETS = {
    "secret_key": "3mJx8Qv2LrW9tYp6ZkNc4BdHs7FgUa5TeXi0OoRyPqMwVzCbDl",
    "token_key": "Lq7Zr2Wm9Xc4Vb6Nn8Aa1Ss3Dd5Ff7Gg9Hh2Jj4Kk6Pp8Oo0Ii",
    "database_url": "postgresql://placet@127.0.0.1:1/placet",
    "broker_url": "redis://127.0.0.1:1/0",
}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who signed the certificate."""
    return Authority(tmp_path / "tls")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Production, its secrets in files."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, value in SECRETS.items():
        (folder / f"placet_{name}").write_text(value + "\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
    return clean | {
        "PLACET_MODE": "production",
        "PLACET_PROCESS": "web",
        "WEB_CONCURRENCY": "1",
        "PLACET_SECRETS_DIR": str(folder),
        "PLACET_DATA_DIR": str(tmp_path / "data"),
        "PLACET_PUBLIC_URL": "https://localhost",
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "PLACET_LISTEN": f"127.0.0.1:{free_port()}",
        "PYTHONWARNINGS": "ignore",
    }


def gunicorn(environment: dict[str, str]) -> "subprocess.Popen[str]":
    """Start it as the image and the unit do."""
    return subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "platform/deploy/gunicorn.conf.py")],
        env=environment,
        cwd=ROOT,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_listening(process: "subprocess.Popen[str]", port: int) -> None:
    """Wait until it takes connections."""
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < end, "it does not listen"
            time.sleep(0.05)


@pytest.fixture
def secure(environment: dict[str, str], authority: Authority) -> Iterator[tuple[int, int]]:
    """A web process with a certificate: its port, the certificate's serial number."""
    chain, key, serial = authority.issue("web")
    environment |= {"PLACET_TLS_CERT": str(chain), "PLACET_TLS_KEY": str(key)}
    process = gunicorn(environment)
    port = int(environment["PLACET_LISTEN"].rpartition(":")[2])
    wait_listening(process, port)
    yield port, serial
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert "Traceback" not in said


def test_the_pages_come_over_tls_from_certificate_files_and_a_renewed_one_needs_no_restart(
    secure: tuple[int, int], authority: Authority, environment: dict[str, str]
) -> None:
    port, first = secure
    trusted = ssl.create_default_context(cafile=str(authority.ca))
    url = f"https://localhost:{port}/livez"

    assert httpx.get(url, verify=trusted, timeout=60).json() == {"status": "ok"}
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(url)
    with pytest.raises(httpx.HTTPError):
        httpx.get(url.replace("https", "http")).raise_for_status()
    assert shown(port) == first

    _, _, second = authority.issue("web")
    wait_shown(port, second)

    # the health check asks over TLS, too; without a database web is not ready, sooner or later
    check = [sys.executable, str(ROOT / "platform/deploy/health.py"), "web"]
    done = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "/readyz answers 503" in done.stderr or "timed out" in done.stderr


@pytest.mark.parametrize("address", ["0.0.0.0:{}", "[::]:{}", ":{}"])
def test_plain_http_is_served_to_this_machine_alone(
    environment: dict[str, str], address: str
) -> None:
    environment["PLACET_LISTEN"] = address.format(free_port())
    process = gunicorn(environment)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "would serve plain http to other machines" in said


def test_a_secret_file_that_is_weak_is_refused_like_any_other(
    environment: dict[str, str],
) -> None:
    Path(environment["PLACET_SECRETS_DIR"], "placet_token_key").write_text("short")
    process = gunicorn(environment)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "PLACET_TOKEN_KEY must be at least 50 characters" in said
    assert SECRETS["secret_key"] not in said

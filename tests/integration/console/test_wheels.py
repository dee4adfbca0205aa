"""What the server hands out to other machines under ``/wheels/``, installed as its page says."""

import os
import re
import subprocess
import sys
import venv
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client

from apps.console import built_files
from placet.kernel.config import config
from tests.support.web import serving

COMMANDS = {"agent": "placet-agent", "client": "placet"}


def bare(folder: Path) -> Path:
    """Make an environment with nothing in it; return its interpreter."""
    venv.create(folder, with_pip=False)
    return folder / "bin" / "python"


def pip(python: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run pip for that environment; it brings an index of its own, or a folder."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    return subprocess.run(
        [*command, *words],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": ""},
    )


@pytest.mark.parametrize("short", ["agent", "client"])
def test_the_command_on_the_page_installs_what_runs(short: str, tmp_path: Path) -> None:
    python = bare(tmp_path / "host")
    with serving() as url:
        page = unescape(httpx.get(f"{url}/wheels/").text)
        command = re.search(rf"pip (install --require-hashes -r {url}/wheels/{short}\.txt)", page)
        assert command, page
        done = pip(python, *command[1].split())
    assert done.returncode == 0, done.stderr
    program = python.with_name(COMMANDS[short])
    said = subprocess.run(
        [program, "--help"], capture_output=True, text=True, timeout=60, cwd=tmp_path, env={}
    )
    assert said.returncode == 0, said.stderr
    assert "Usage" in said.stdout


def test_a_wheel_that_was_changed_on_its_way_is_refused(tmp_path: Path) -> None:
    python = bare(tmp_path / "host")
    with serving() as url:
        text = httpx.get(f"{url}/wheels/agent.txt").text
        first = text.splitlines()[0]
        wrong = tmp_path / "agent.txt"
        wrong.write_text(re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, first))
        done = pip(python, "install", "--no-deps", "--require-hashes", "-r", str(wrong))
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_the_page_names_each_file_with_the_hash_of_what_is_served() -> None:
    page = Client().get("/wheels/").content.decode()
    names = set(re.findall(r'href="/wheels/([^"]+\.whl)"', page))
    assert {name.split("-")[0] for name in names} == {"placet_agent", "placet_client"}
    for name in names:
        served = Client().get(f"/wheels/{name}")
        assert served["Content-Type"] == "application/octet-stream"
        assert sha256(served.content).hexdigest() in page


@pytest.mark.parametrize("short", ["agent", "client"])
def test_every_line_of_what_is_installed_has_its_hash_and_ours_alone_an_address(short: str) -> None:
    client = Client(headers={"host": "localhost:8000"})
    text = client.get(f"/wheels/{short}.txt").content.decode().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines[0].startswith(f"placet-{short} @ http://localhost:8000/wheels/placet_{short}-")
    assert len(lines) > 10
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", line) for line in lines)
    assert not [line for line in lines[1:] if "://" in line or line.startswith("placet")]


def test_a_host_that_asks_by_another_allowed_name_is_led_to_that_name(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALLOWED_HOSTS = ["placet.example", "placet.internal"]
    monkeypatch.setattr(config(), "public_url", "https://placet.example")
    inside = Client(headers={"host": "placet.internal:8443"})
    text = inside.get("/wheels/agent.txt").content.decode()
    assert text.startswith("placet-agent @ https://placet.internal:8443/wheels/placet_agent-")
    page = inside.get("/wheels/").content.decode()
    assert "--require-hashes -r https://placet.internal:8443/wheels/agent.txt" in page
    assert Client(headers={"host": "evil.example"}).get("/wheels/agent.txt").status_code == 400


@pytest.mark.parametrize(
    "name",
    [
        "..%2fbuilt-from",
        "%2e%2e/built-from",
        "../built-from",
        "agent",
        "agent.txt/",
        "no.whl",
        "server.txt",
        "placet_agent-9-py3-none-any.whl",
        ".hidden",
        "%00",
        "a" * 5000,
    ],
)
def test_nothing_else_is_given_out(name: str) -> None:
    refused = 400 if "%00" in name else 404
    assert Client().get(f"/wheels/{name}").status_code == refused


def test_they_are_only_read() -> None:
    for path in ("/wheels/", "/wheels/agent.txt"):
        assert Client().post(path).status_code == 405
        assert Client().head(path).status_code == 200


def test_a_server_without_them_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built_files, "WHEELS", tmp_path)
    assert b"No wheels are built on this server" in Client().get("/wheels/").content
    assert Client().get("/wheels/agent.txt").status_code == 404
    (tmp_path / "agent.txt").write_text("httpx==1\n")  # a lock without the wheel
    assert Client().get("/wheels/agent.txt").status_code == 404

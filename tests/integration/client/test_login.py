"""`placet login` by the browser: a process of its own, and a person who confirms what it shows."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.identity.models import ApiToken
from placet_client import Client, device
from placet_client.cli import logging_in, main
from placet_client.errors import PlacetError
from placet_client.records import DeviceCode, Whoami
from tests.support.factories import browser, grant, person, token_for
from tests.support.installation import ROOT
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)
COMMAND = [sys.executable, "-m", "placet_client"]


class Terminal:
    """A command line of a machine that has no screen, and where nothing is typed."""

    def __init__(self, home: Path, *words: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
        environment |= {"XDG_CONFIG_HOME": str(home / "config"), "PYTHONPATH": "platform"}
        self.environment = environment
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def code(self) -> str:
        """Return the code that it shows."""
        assert self.process.stdout
        said = ""
        for line in self.process.stdout:
            said += line
            if found := re.search(r"confirm the code (\S+)", said):
                assert f"/device/?code={found[1]}" in said
                return found[1]
        raise AssertionError(said)

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return the exit code, and what else it said."""
        said, _ = self.process.communicate(timeout=60)
        return self.process.returncode, said


def test_a_new_person_is_logged_in_by_confirming_what_the_terminal_shows(
    world: World, live_server: Any, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, "login", live_server.url)
    form = {"code": terminal.code(), "name": "laptop", "preset": "cli", "days": "30"}
    page = browser(world.people["Ada"]).post("/device/confirm", form)
    assert "Return to your terminal" in page.content.decode()
    code, said = terminal.ended()
    assert code == 0, said
    assert "Logged in as Ada" in said
    assert "placet model register" in said
    kept = json.loads((tmp_path / "config/placet/config.json").read_text())
    assert kept["url"] == live_server.url
    assert kept["token"] not in said
    code, said = Terminal(tmp_path, "model", "create", "risk", "age").ended()
    assert code == 0, said


def test_who_denies_it_ends_the_command(world: World, live_server: Any, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "login", live_server.url, "--no-browser")
    browser(world.people["Ada"]).post("/device/deny", {"code": terminal.code()})
    code, said = terminal.ended()
    assert code == 3
    assert "denied" in said
    assert not (tmp_path / "config/placet/config.json").exists()


def test_a_pipeline_logs_in_with_the_token_that_it_has(
    world: World, home: Path, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_for(world.people["Ada"])
    before = ApiToken.objects.count()
    monkeypatch.setenv("PLACET_URL", live_server.url + "/")
    monkeypatch.setenv("PLACET_TOKEN", token)
    assert main(["login", live_server.url]) == 0
    path = home / "config/placet/config.json"
    assert json.loads(path.read_text())["token"] == token
    monkeypatch.delenv("PLACET_TOKEN")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["login", live_server.url, "--token-stdin"]) == 2
    assert ApiToken.objects.count() == before


def test_who_holds_no_role_is_told_so_and_who_gives_one(
    world: World, home: Path, live_server: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def said(**made: Any) -> str:
        monkeypatch.setenv("PLACET_TOKEN", token_for(nina, **made))
        assert main(["login", live_server.url]) == 0
        printed = capsys.readouterr()
        return " ".join((printed.out + printed.err).split())

    nina = person("Nina")
    monkeypatch.setenv("PLACET_URL", live_server.url)
    told = said()
    assert "You hold no role yet and see nothing: an access administrator gives roles" in told
    assert "Next: ask one for a role in your project, for Nina" in told
    grant(nina, {"viewer": world.project})
    assert "no role" not in said()
    told = said(scopes=["audit.view"])
    assert "You see nothing with this token: it covers nothing that your roles allow" in told


def test_whose_roles_wait_for_a_second_factor_is_told_that() -> None:
    told = {"kind": "person", "id": "per_1", "name": "Nina", "accountable": "per_1", "token": None}
    me = Whoami.read({**told, "second_factor": False, "withheld_roles": ["reviewer"], "grants": []})
    first, then = logging_in.next_steps(me, holds_roles=True)
    assert first == "You see nothing yet: your role reviewer waits for a second factor of yours"
    assert then.startswith("Next: add one under")


def test_a_token_of_another_server_is_not_sent_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_URL", "https://other.example")
    monkeypatch.setenv("PLACET_TOKEN", "plc_other")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert logging_in.given_token("https://other.example", False) == "plc_other"
    assert logging_in.given_token("https://here.example", False) == ""


def waiting(*codes: str) -> tuple[Client, list[float]]:
    """A client whose server refuses with each of ``codes`` in turn, and how long it waited."""
    pauses: list[float] = []
    refusals = iter(codes)

    def answer(request: httpx.Request) -> httpx.Response:
        body = {"code": next(refusals), "detail": "No", "errors": []}
        return httpx.Response(400, json=body)

    transport = httpx.MockTransport(answer)
    return Client("http://x", "", transport=transport, sleep=pauses.append), pauses


def codes(**changes: Any) -> DeviceCode:
    body = {"device_code": "d", "user_code": "u", "verification_uri": "http://x"}
    more = {"verification_uri_complete": "http://x", "expires_in": 600, "interval": 3}
    return DeviceCode.read(body | more | changes)


def test_the_command_waits_as_long_as_the_server_says() -> None:
    client, pauses = waiting("authorization_pending", "slow_down", "expired_token")
    with pytest.raises(TimeoutError, match="run `placet login` again"):
        device.wait_for_token(client, codes())
    assert pauses == [3, 8]
    with pytest.raises(PlacetError, match="No"):
        device.wait_for_token(waiting("invalid_grant")[0], codes())
    with pytest.raises(TimeoutError):
        device.wait_for_token(waiting()[0], codes(expires_in=0))


@pytest.mark.parametrize(
    ("environment", "address", "opened"),
    [
        ({"DISPLAY": ":0"}, "http://x/device/", True),
        ({"WAYLAND_DISPLAY": "w"}, "https://x/device/", True),
        ({"DISPLAY": ":0"}, "file:///etc/passwd", False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "x"}, "http://x/device/", False),
        ({}, "http://x/device/", False),
    ],
)
def test_a_browser_is_opened_where_somebody_sees_it(
    environment: Mapping[str, str], address: str, opened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda page: not seen.append(page))
    monkeypatch.setattr("sys.stderr", type("Screen", (io.StringIO,), {"isatty": lambda _: True})())
    monkeypatch.setattr("sys.platform", "linux")
    assert device.open_page(address, environment) is opened
    assert seen == [address] * opened

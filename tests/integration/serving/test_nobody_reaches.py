"""Where the HAProxy of a node does not answer, nobody reaches what serves there: all say so."""

import json
import signal
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from apps.governance.models import Release
from apps.monitoring.models import Alert
from apps.monitoring.reconciler import watch_endpoints
from apps.serving.actions import start_endpoint, stop_endpoint
from apps.serving.models import Node
from placet.kernel.clock import now, rfc3339
from placet_agent.front import Front
from placet_agent.haproxy import process
from placet_agent.haproxy.config import Settings
from placet_agent.haproxy.process import find_binary
from placet_agent.haproxy.proxy import Proxy
from placet_agent.observed import Errors
from placet_agent.process import procs
from placet_client.cli import main
from tests.integration.agent.conftest import free_port
from tests.support.commands import answer, become
from tests.support.factories import browser
from tests.support.nodes import PLATFORM
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db


class Gate:
    """The node's own HAProxy, by which clients reach what the simulated node says it serves."""

    def __init__(self, story: Story, folder: Path) -> None:
        self.story, self.port = story, free_port()
        settings = Settings(port=self.port, bind="127.0.0.1")
        self.errors = Errors()
        self.front = Front(Proxy(folder, settings, find_binary()), self.errors)

    def tell(self) -> None:
        """Have the agent look once, and the node report what it saw."""
        self.errors.begin()
        self.front.keep_running()
        platform, node = {**PLATFORM, "port": self.port}, self.story.node
        told = node.report(platform=platform, proxy=self.front.report, errors=self.errors.now)
        assert told.status_code == 200, told.content

    def end(self, number: int) -> None:
        """Send HAProxy a signal."""
        ref = self.front.proxy.process.ref
        assert ref is not None
        ref.signal(number)
        if number == signal.SIGKILL:
            assert procs.wait_gone(ref, 5)


@pytest.fixture
def gate(story: Story, first_release: Release, tmp_path: Path) -> Iterator[Gate]:
    """It runs, and is told of."""
    gate = Gate(story, tmp_path / "haproxy")
    story.node.a_minute_later()
    gate.tell()
    yield gate
    gate.front.proxy.process.stop()


def taken(gate: Gate) -> socket.socket:
    """Have HAProxy end and another program take its port; return what that listens on."""
    gate.end(signal.SIGKILL)
    listener = socket.create_server(("127.0.0.1", gate.port))
    gate.tell()
    return listener


def page(story: Story, path: str, who: str = "Otto") -> str:
    """Return what a page says to somebody."""
    shown = browser(story.people[who]).get(path)
    assert shown.status_code == 200, shown.content
    return " | ".join(text_of(shown.content.decode()).splitlines())


def api(story: Story, path: str, who: str = "Otto") -> Any:
    """Return what the API answers somebody."""
    return json.loads(b"".join(browser(story.people[who]).get(f"/api/v1{path}")))


def test_an_endpoint_whose_port_is_taken_is_down_and_nobody_can_reach_it_wherever_it_is_said(
    story: Story, first_release: Release, gate: Gate
) -> None:
    own = f"/endpoints/{first_release.endpoint_id}"
    places = ("/", "/endpoints/", f"{own}/")
    for path in places:
        assert "● Healthy" in page(story, path), path
    with taken(gate):
        why = f"port {gate.port} is taken"
        for path in places:
            said = page(story, path)
            assert "✕ Down" in said and "Healthy" not in said, path
            assert f"Nobody can reach it: {why} on local" in said, path
        assert "nobody can reach it" in page(story, f"{own}/revisions/")
        assert "nobody can reach it" in page(story, "/deployments/")
        one = api(story, own)
        assert one["health"] == "down"
        assert one["troubles"] == [f"Nobody can reach it: {why} on local"]
        (row,) = api(story, "/exports/endpoints?format=json")
        assert (row["health"], row["troubles"]) == ("down", one["troubles"])
        for path in ("/targets/", "/targets/local/"):
            said = page(story, path)
            assert "✕ Unreachable" in said and "Online" not in said
            assert f"Nobody can reach its endpoints: {why}" in said
        assert api(story, "/targets/local")["node"]["unreached"] == why
    gate.front._retry_at = 0.0
    gate.tell()
    for path in places:
        assert "● Healthy" in page(story, path), path
    assert api(story, "/targets/local")["node"]["unreached"] == ""


def test_a_haproxy_that_stands_still_answers_nobody(
    story: Story, first_release: Release, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ASK_EVERY", 0.0)
    monkeypatch.setattr(process, "ASK_SECONDS", 0.5)
    gate.end(signal.SIGSTOP)
    gate.tell()
    (trouble,) = api(story, f"/endpoints/{first_release.endpoint_id}")["troubles"]
    assert trouble == "Nobody can reach it: HAProxy does not answer on local"
    gate.end(signal.SIGCONT)
    gate.tell()
    assert api(story, f"/endpoints/{first_release.endpoint_id}")["health"] == "healthy"


def test_an_endpoint_that_nobody_can_reach_is_not_starting_and_what_is_stopped_or_silent_says_so(
    story: Story, first_release: Release, gate: Gate
) -> None:
    own = f"/endpoints/{first_release.endpoint_id}"
    stop_endpoint(first_release.endpoint, reason="", actor=story.otto)
    story.settle()
    with taken(gate):
        assert api(story, own)["health"] == "stopped"
        start_endpoint(first_release.endpoint, actor=story.otto)
        story.run_jobs()
        gate.tell()
        assert api(story, own)["health"] == "down"
        Node.objects.update(last_report_at=now() - timedelta(seconds=20))
        assert api(story, own)["health"] == "unknown"
        assert "Unreachable" not in page(story, "/targets/")
        assert api(story, "/targets/local")["node"]["unreached"] == ""


def test_after_a_minute_replicas_fail_and_the_alert_names_the_port(
    story: Story, first_release: Release, gate: Gate
) -> None:
    with taken(gate):
        watch_endpoints()
        assert not Alert.objects.exists()
        with time_machine.travel(now() + timedelta(seconds=61), tick=False):
            gate.tell()
            watch_endpoints()
        alerts = dict(Alert.objects.values_list("kind", "summary"))
        assert alerts["replicas"] == (
            f"churn:1 on local: nobody can reach it: port {gate.port} is taken"
        )
        assert f"haproxy: port {gate.port} is taken by " in alerts["node_error"]
    gate.front._retry_at = 0.0
    gate.tell()
    watch_endpoints()
    assert set(Alert.objects.values_list("state", flat=True)) == {"resolved"}


def test_at_a_past_date_it_is_said_that_an_alert_was_open(
    story: Story, first_release: Release, gate: Gate
) -> None:
    begin = now()

    def then(seconds: int) -> str:
        return page(story, f"/deployments/?at={rfc3339(begin + timedelta(seconds=seconds))}")

    with taken(gate), time_machine.travel(begin + timedelta(seconds=70), tick=False):
        gate.tell()
        watch_endpoints()
    gate.front._retry_at = 0.0
    with time_machine.travel(begin + timedelta(seconds=120), tick=False):
        gate.tell()
        watch_endpoints()
        said = "An alert was open then: churn:1 on local: nobody can reach it: port"
        assert said in " ".join(then(90).split())
        for other in (60, 120):
            assert "100%" in then(other) and "An alert was open then" not in then(other)
            assert "Whether requests got an answer then is not in the log" in then(other)


@pytest.mark.django_db(transaction=True)
def test_the_command_line_says_so_too(
    story: Story,
    first_release: Release,
    gate: Gate,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    become(story.world, "Otto", live_server.url, monkeypatch)
    why = f"port {gate.port} is taken"
    with taken(gate):
        assert main(["endpoint", "list", "--output", "json"]) == 0
        (row,) = answer(capsys)
        assert (row["health"], row["troubles"]) == (
            "down",
            [f"Nobody can reach it: {why} on local"],
        )
        assert main(["endpoint", "show", "risk/development/churn"]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "health down" in said and f"Nobody can reach it: {why}" in said
        assert main(["target", "list"]) == 0
        assert why in " ".join(capsys.readouterr().out.split())
        assert main(["target", "show", "local", "--output", "json"]) == 0
        assert answer(capsys)["node"]["unreached"] == why

"""HAProxy reads a name and nothing else, and one endpoint costs the others nothing."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.governance import plans
from placet_agent.haproxy import config
from placet_agent.haproxy.admin import ServerState
from placet_agent.haproxy.process import HaproxyError, find_binary
from placet_agent.haproxy.proxy import Proxy, coming
from placet_agent.haproxy.table import Server, Table
from placet_agent.protocol import HeaderRoute
from tests.integration.agent.conftest import free_port

OUT = ServerState(port=1, up=False, drained=False, maintenance=True)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """A HAProxy that runs and has no endpoint yet."""
    settings = config.Settings(port=free_port(), bind="127.0.0.1")
    made = Proxy(tmp_path / "haproxy", settings, find_binary())
    made.ensure_running()
    yield made
    made.process.stop()


def with_testers(table: Table, value: str) -> Table:
    """Add an endpoint whose testers send this value in a header."""
    entry = table.ensure_endpoint("end_1", "/theirs/production/score")
    table.ensure_server(entry, "rev_1", "replica-1", 20001)
    entry.stable = entry.tested = "rev_1"
    entry.header = HeaderRoute("X-Try", value)
    return table


def judged(table: Table, folder: Path) -> str:
    """Return what ``haproxy -c`` has against a table."""
    config.write_files(folder)
    (folder / "haproxy.cfg").write_text(config.render(table, config.Settings(port=18080)))
    for name, entries in config.maps(table).items():
        (folder / name).write_text(config.map_text(entries))
    os.mkfifo(folder / "log.fifo")
    start = 'exec 3<>log.fifo; exec "$0" -c -f haproxy.cfg'
    done = subprocess.run(
        ["/bin/sh", "-c", start, find_binary()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    alerts = [line.partition(" : ")[2] for line in done.stderr.splitlines() if "ALERT" in line]
    return f"exit {done.returncode} {' / '.join(alerts)}" if done.returncode else ""


@pytest.mark.parametrize("value", ["-f", "-m", "-u"])
def test_a_testers_value_is_a_value_or_is_refused(tmp_path: Path, value: str) -> None:
    route = {"set_header_route": {"header": "X-Try", "value": value}}
    try:
        plans.plan({"strategy": "canary", "steps": [route, {"set_weight": 5}]})
    except plans.DocumentFault:
        return
    assert judged(with_testers(Table(), value), tmp_path) == ""


def test_an_endpoint_at_fault_keeps_no_other_from_being_applied(proxy: Proxy) -> None:
    with_testers(proxy.table, "-f").ensure_endpoint("end_2", "/ours/production/score")
    with suppress(HaproxyError):
        proxy.apply()

    answer = httpx.get(f"http://127.0.0.1:{proxy.settings.port}/ours/production/score/x")
    assert answer.json()["code"] == "nothing_live"  # no revision of it serves yet


def test_haproxy_starts_again_beside_an_endpoint_at_fault(proxy: Proxy) -> None:
    with_testers(proxy.table, "-f")
    with suppress(HaproxyError):
        proxy.apply()
    proxy.process.stop()

    why = ""
    try:
        proxy.ensure_running()
    except HaproxyError as error:
        why = str(error)
    assert proxy.process.alive, why


def test_endpoints_behind_which_nothing_serves_get_no_back_ends() -> None:
    table, settings = Table(), config.Settings(port=18080)
    before = config.render(table, settings).count("\nbackend e")
    for number in range(1_000):
        table.ensure_endpoint(f"end_{number}", f"/p/production/e{number}")
    assert config.render(table, settings).count("\nbackend e") == before


def test_nothing_is_rendered_while_nothing_changes(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.apply()
    render, rendered = config.render, []

    def counted(*of: Any) -> str:
        rendered.append(of)
        return render(*of)

    monkeypatch.setattr(config, "render", counted)
    proxy.apply()
    assert len(rendered) == 0


@pytest.mark.parametrize("value", ["v\nk w", "v\n"])
def test_a_line_of_a_map_is_one_key_and_its_value(value: str) -> None:
    with pytest.raises(ValueError):
        config.map_text({"k": value})


def test_a_command_on_the_socket_is_one_command() -> None:
    with pytest.raises(ValueError):
        coming("e000r0/s0 state ready; disable frontend clients", Server("one", 20001), OUT)

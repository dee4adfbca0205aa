"""Which of HAProxy's backends and servers belongs to whom, and what a change of that costs."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from placet_agent.haproxy import config, sockets
from placet_agent.haproxy.config import Settings, render
from placet_agent.haproxy.process import HaproxyError, HaproxyProcess, find_binary
from placet_agent.haproxy.table import FIRST_GROUPS, REST_SECONDS, RoutingTable
from placet_agent.state import files
from placet_protocol.state import HeaderRoute
from placet_verify.units import WHOLE
from tests.integration.agent.conftest import PATH, free_port
from tests.integration.agent.load import Load
from tests.integration.agent.sockets import USER, Gateway, SocketReplica, wait


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with ExitStack() as stack:
        made = Gateway(tmp_path / "haproxy", stack)  # HAProxy ends after its replicas
        yield made


def test_more_endpoints_than_there_are_backends_are_served_by_a_reload_that_loses_nothing(
    gateway: Gateway,
) -> None:
    gateway.replica("rev_1", "one")
    gateway.serve()
    before = gateway.proxy.process.ref
    load = Load(gateway.port, f"{PATH}/who").start()
    gateway.stack.callback(load.stop)
    table = gateway.proxy.table

    for number in range(2, FIRST_GROUPS + 2):
        name = f"replica-{number}"
        gateway.stack.callback(SocketReplica(gateway.folder, name).stop)
        entry = table.ensure_endpoint(f"end_{number}", f"/cancer/production/e{number}")
        table.ensure_server(entry, f"rev_{number}", name, sockets.socket_of(name))
        entry.stable = f"rev_{number}"
        gateway.proxy.apply()
        assert (gateway.proxy.process.ref == before) == (number <= FIRST_GROUPS)
        url = f"http://127.0.0.1:{gateway.port}{entry.path}/who"
        assert httpx.get(url).json() == {"name": name}
    load.until(load.sent + 40)
    load.stop()

    assert load.failures == []
    assert set(load.names) == {"one"}


def test_backends_rest_before_they_are_anothers(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.replica("rev_1", "one")
    gateway.serve()
    table = gateway.proxy.table
    group = gateway.entry.group
    table.drop_server("one")
    table.drop_revision(gateway.entry, "rev_1")
    other = table.ensure_endpoint("end_2", "/cancer/production/other")
    table.ensure_revision(other, "rev_2")
    assert other.group != group  # HAProxy still leads requests there
    gateway.entry.stable = ""
    gateway.proxy.apply()
    third = table.ensure_endpoint("end_3", "/cancer/production/third")
    table.ensure_revision(third, "rev_3")
    assert third.group not in {group, other.group}  # a request may still wait there
    gateway.proxy.apply()

    later = time.time() + REST_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)
    again = gateway.again().table  # an agent that starts anew knows it too
    again.ensure_revision(again.ensure_endpoint("end_4", "/cancer/production/fourth"), "rev_4")
    assert again.endpoints["end_4"].group == group


def test_backends_rest_longer_than_a_haproxy_lives_that_was_replaced() -> None:
    """It leads what is asked on connections that it keeps by the table of before."""
    (ends,) = re.findall(r"hard-stop-after (\d+)s", render(RoutingTable(), Settings(port=1)))
    assert int(ends) < REST_SECONDS


def test_who_kept_a_connection_over_a_reload_gets_no_revision_that_came_since(
    gateway: Gateway,
) -> None:
    """The former HAProxy leads them to the backend of a revision that left, and counts it there."""
    gateway.replica("rev_1", "stable")
    gateway.replica("rev_2", "candidate")
    gateway.entry.candidate, gateway.entry.weight = "rev_2", WHOLE
    gateway.serve()
    former = gateway.proxy.process.ref
    kept = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    gateway.stack.callback(kept.close)
    kept.connect()
    kept.auto_open = 0  # this very connection, or an error
    assert ask(kept) == (200, b'{"name": "candidate"}')
    gateway.entry.candidate, gateway.entry.weight = "", 0
    gateway.entry.header = HeaderRoute("X-Try", "v2")  # a rule more
    gateway.proxy.apply()
    assert gateway.proxy.process.ref != former
    gateway.proxy.table.drop_server("candidate")
    gateway.proxy.table.drop_revision(gateway.entry, "rev_2")
    gateway.proxy.apply()

    gateway.again()  # the agent has started anew
    later = gateway.replica("rev_3", "later")
    gateway.serve()
    status, _ = ask(kept)
    assert (status, later.seen) == (503, [])


def ask(kept: HTTPConnection) -> tuple[int, bytes]:
    """Return status and body of the answer over a connection that is kept."""
    kept.request("GET", f"{PATH}/who")
    answer = kept.getresponse()
    return answer.status, answer.read()


def test_haproxy_starts_with_what_it_served_when_what_is_wanted_cannot_be(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.replica("rev_1", "one")
    gateway.serve()
    before = (gateway.folder / "haproxy.cfg").read_bytes()
    ref = gateway.proxy.process.ref
    assert ref is not None
    ref.signal(9)
    wait(lambda: not ref.alive)
    again = gateway.again()
    monkeypatch.setattr(again, "settings", replace(again.settings, bind="no address!"))
    again.table.ensure_endpoint("end_2", "/cancer/production/other")

    assert again.ensure_running()
    with pytest.raises(HaproxyError, match="bind"):
        again.apply()

    assert gateway.who() == "one"
    assert (gateway.folder / "haproxy.cfg").read_bytes() == before
    asked = again.judge.checks
    with pytest.raises(HaproxyError, match="bind"):
        again.apply()
    assert again.judge.checks == asked  # nothing changed, nobody is asked


def test_a_path_never_leads_to_the_endpoint_that_got_its_slot(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HAProxy is asked between the steps in which it is told: before the route, before the path."""
    gateway.replica("rev_1", "one")
    gateway.serve()
    table = gateway.proxy.table
    table.drop_endpoint("end_1")  # and the pass that would have told HAProxy fails
    other = table.ensure_endpoint("end_2", "/cancer/production/other")
    assert other.number == 0
    table.ensure_server(other, "rev_2", "other", sockets.socket_of("other"))
    gateway.stack.callback(SocketReplica(gateway.folder, "other").stop)
    other.stable = "rev_2"
    answers = set[str]()
    replace_map = gateway.proxy.admin.replace_map

    def asking(name: str, entries: dict[str, str]) -> None:
        replace_map(name, entries)
        answers.add(httpx.get(gateway.url()).text)

    monkeypatch.setattr(gateway.proxy.admin, "replace_map", asking)
    gateway.proxy.apply()

    assert {json.loads(answer).get("code") for answer in answers} == {"not_found"}


FORMER = Path(__file__).with_name("former")  # what an agent of 5a35692 left in HAProxy's folder


def test_the_haproxy_of_an_older_agent_is_replaced_under_load_and_its_replica_serves_on(
    gateway: Gateway,
) -> None:
    server, port = gateway.folder.with_name("server.py"), free_port()
    server.write_bytes(FORMER.with_name("replica_server.py").read_bytes())
    server.with_name("name.txt").write_text("old")
    replica = subprocess.Popen(
        [sys.executable, "-I", str(server), str(port)], env={"PLACET_REVISION": "rev_1"}
    )
    gateway.stack.callback(lambda: (replica.kill(), replica.wait()))
    folder = gateway.folder
    folder.chmod(0o700)
    text = (FORMER / "haproxy.cfg").read_text().replace(":20001", f":{port}")
    text = text.replace(":18080", f":{gateway.port}")
    if USER is not None:
        text = text.replace("global\n", f"global\n  uid {USER}\n  gid {USER}\n", 1)
    (folder / "haproxy.cfg").write_text(text)
    table = (FORMER / "table.json").read_text().replace("20001", str(port))
    (folder / "table.json").write_text(table)
    config.write_files(folder)
    for name, entries in config.maps(RoutingTable.from_json(json.loads(table))).items():
        (folder / name).write_text(config.map_text(entries))
    older = HaproxyProcess(folder, find_binary())
    older.start()
    gateway.stack.callback(older.stop)
    wait(lambda: gateway.answers() == 200)
    load = Load(gateway.port, f"{PATH}/who").start()
    gateway.stack.callback(load.stop)
    load.until(100)

    proxy = gateway.again()
    assert not proxy.ensure_running()
    assert proxy.process.ref == older.ref
    proxy.apply()
    load.until(load.sent + 100)
    assert proxy.process.ref != older.ref
    assert older.ref is not None
    gateway.replica("rev_1", "new")
    proxy.apply()
    gateway.leave("rev_1-0ld")
    proxy.apply()
    wait(lambda: proxy.sessions("rev_1-0ld") == 0)
    proxy.table.drop_server("rev_1-0ld")
    proxy.apply()
    load.until(load.sent + 100)
    load.stop()

    assert load.failures == []
    assert set(load.names) == {"old", "new"}
    assert gateway.who() == "new"
    assert f":{port}" not in (folder / "haproxy.cfg").read_text()


@pytest.mark.parametrize(
    "value", ["-f", "-u", "--", "}", "{", "'", '"', "\\", "#", "a;b", "%[src]", "$x"]
)
def test_only_the_very_value_leads_to_the_candidate(gateway: Gateway, value: str) -> None:
    gateway.replica("rev_1", "stable")
    gateway.replica("rev_2", "tried")
    gateway.entry.header, gateway.entry.tested = HeaderRoute("X-Try", value), "rev_2"
    gateway.serve()

    def answer(sent: str) -> object:
        return httpx.get(gateway.url(), headers={"X-Try": sent}).json()["name"]

    assert answer(value) == "tried"
    assert {answer(other) for other in ("", "x", f"{value}x", f"'{value}'")} == {"stable"}


def test_what_an_older_table_says_of_ports_is_read(gateway: Gateway) -> None:
    gateway.proxy.table.ensure_server(gateway.entry, "rev_1", "older", 20001)
    gateway.proxy.write()
    stored = files.read_json(gateway.folder / "table.json")

    assert stored["endpoints"]["end_1"]["servers"] == {"0": {"0": ["older", 20001, False, False]}}
    assert gateway.again().table.backends()["e000r0"][0].port == 20001

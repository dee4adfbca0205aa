"""One endpoint of which HAProxy would die stops no other endpoint of its node."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from placet_agent.haproxy import config, quoting
from placet_agent.haproxy.table import RoutingTable
from placet_agent.state import files
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.support.permits import SERVING

OTHER = "/cancer/production/other"


def other(platform: Platform, number: int, name: str, **changes: Any) -> dict[str, Any]:
    """Return a revision of the endpoint that somebody else has on the same node."""
    bento, release = platform.build(name), f"rel_{number}"
    case = platform.case(bento, release, endpoint="end_2", serving={**SERVING, "variables": {}})
    permit = case.document(platform.keys["decision"])
    return platform.revision(number, bento, permit=permit, **changes)


def publish(platform: Platform, value: str) -> None:
    """Serve two endpoints, one of which has testers with this value in their header."""
    route = {"header": "X-Try", "value": value}
    live = other(platform, 2, "theirs", weight=10_000)
    tried = other(platform, 3, "tried", header_route=route)
    neighbour = platform.endpoint(platform.revision(1, platform.build("ours"), weight=10_000))
    poisoned = platform.endpoint(live, tried, id="end_2", name="other", path=OTHER, stable="rev_2")
    platform.endpoints = [neighbour, poisoned]
    platform.publish()


def theirs(node: NodeUnderTest, **headers: str) -> httpx.Response:
    """Call the endpoint of the others."""
    return httpx.get(f"http://127.0.0.1:{node.port}{OTHER}/who", headers=headers, timeout=20)


def kill_haproxy(node: NodeUnderTest) -> None:
    """End HAProxy as the kernel does when memory is short."""
    ref = node.agent.proxy.process.ref
    assert ref is not None
    ref.signal(9)


@pytest.mark.parametrize("value", ["-f", "-m", "-u", "--"])
def test_a_value_that_looks_like_a_flag_is_a_value_and_the_neighbour_survives_haproxys_death(
    platform: Platform, node: NodeUnderTest, value: str
) -> None:
    publish(platform, value)
    platform.wait_phase("rev_1", "serving")
    platform.wait(lambda: len(node.agent.replicas.all) == 3)
    platform.wait(lambda: all(r.record.ready for r in node.agent.replicas.all.values()))
    kill_haproxy(node)

    platform.wait(lambda: serves(node))
    platform.wait(lambda: theirs(node).json().get("name") == "theirs")
    platform.wait(lambda: theirs(node, **{"X-Try": value}).json().get("name") == "tried")


def serves(node: NodeUnderTest) -> bool:
    """Whether the neighbour's endpoint answers."""
    try:
        return node.who() == "ours"
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(("value", "why"), [("-f", "pattern file"), ("-m", "matching method")])
def test_an_endpoint_that_haproxy_refuses_is_left_out_and_named(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch, value: str, why: str
) -> None:
    patterns = quoting.patterns
    monkeypatch.setattr(quoting, "patterns", lambda *values: " ".join(values))  # as it was once
    publish(platform, value)
    platform.wait_phase("rev_1", "serving")
    platform.wait_phase("rev_3", "failed")
    kill_haproxy(node)
    said = len(platform.reports)
    platform.wait(lambda: serves(node))

    assert theirs(node).json()["code"] == "nothing_live"
    for report in platform.reports[said:]:  # while HAProxy was away too
        assert {r["phase"] for r in report["revisions"] if r["id"] == "rev_3"} == {"failed"}
    platform.wait(lambda: "endpoint_left_out" in str(platform.reports[-1]["errors"]))
    assert OTHER in platform.seen("rev_3")["detail"]
    assert platform.seen("rev_2")["weight"] == 0
    errors = [e for e in platform.reports[-1]["errors"] if e["code"] == "endpoint_left_out"]
    assert len(errors) == 1
    assert OTHER in errors[0]["detail"]
    assert why in errors[0]["detail"]
    asked = node.agent.proxy.judge.checks
    platform.publish()
    platform.wait(lambda: node.agent.reconciler.observed.applied[1] == platform.number)
    assert node.agent.proxy.judge.checks == asked  # what is known is not asked again

    monkeypatch.setattr(quoting, "patterns", patterns)
    publish(platform, "v2")
    platform.wait(lambda: theirs(node).status_code == 200)
    platform.wait_phase("rev_2", "serving")
    assert theirs(node, **{"X-Try": "v2"}).json()["name"] == "tried"


def test_a_node_that_an_older_agent_left_with_a_file_that_never_starts_serves_again(
    platform: Platform, node: NodeUnderTest
) -> None:
    publish(platform, "v2")
    platform.wait_phase("rev_1", "serving")
    platform.wait(lambda: theirs(node, **{"X-Try": "v2"}).json().get("name") == "tried")
    node.stop()
    kill_haproxy(node)
    poison(node.agent.proxy.folder)

    publish(platform, "-u")
    node.start()
    platform.wait(lambda: serves(node))

    platform.wait(lambda: theirs(node).json().get("name") == "theirs")


def poison(folder: Path) -> None:
    """Leave what an older agent wrote of ``-u``: HAProxy crashes of it."""
    stored = files.read_json(folder / "table.json")
    assert stored["endpoints"]["end_2"]["header"] == ["X-Try", "v2"]
    stored["endpoints"]["end_2"]["header"] = ["X-Try", "-u"]
    for entry in stored["endpoints"].values():  # a slot was a group of backends then
        entry["slot"] = entry.pop("group")
    stored.pop("resting")
    files.write_json(folder / "table.json", stored)
    text = config.render(RoutingTable.from_json(stored), config.Settings(port=1))
    condition = "{ req.fhdr(X-Try) -m str -u }"
    poisoned = re.sub(r"(if \{ [^}]*\}) tester_e00\d\n", rf"\1 {condition}\n", text)
    assert condition in poisoned
    (folder / "haproxy.cfg").write_text(poisoned)

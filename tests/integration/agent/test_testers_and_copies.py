"""What goes to a candidate beside the split: testers, and copies of requests."""

import http.client
import json
import time
from typing import Any

import httpx
import pytest

from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.load import Load

TRY = {"X-Try": "v2"}
ROUTE = {"header": "X-Try", "value": "v2"}


def serve(platform: Platform, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Publish a stable revision and a candidate of no weight, and wait until both are ready."""
    old = platform.revision(1, platform.build("stable"), weight=10_000)
    new = platform.revision(2, platform.build("candidate"), **changes)
    platform.serve(old, new, stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    platform.wait_phase("rev_2", "ready")
    return old, new


def windows(platform: Platform, revision: str) -> list[dict[str, Any]]:
    """Return the windows that were reported of a revision."""
    found = [w for report in list(platform.reports) for w in report["metrics"]]
    return [w for w in found if w["revision"] == revision]


def apart(platform: Platform, cohort: str, name: str = "status_2xx") -> int:
    """Return what was counted apart for the candidate."""
    parts = [w.get("apart", {}).get(cohort, {}) for w in windows(platform, "rev_2")]
    return sum(part.get(name, 0) for part in parts)


def drawn(platform: Platform, revision: str) -> int:
    """Return the requests that the split decided on."""
    return sum(sum(w["latency"].values()) for w in windows(platform, revision))


def test_a_testers_header_leads_to_the_candidate_and_is_counted_apart(
    platform: Platform, node: NodeUnderTest
) -> None:
    old, new = serve(platform, header_route=ROUTE)
    platform.wait(lambda: node.get(headers=TRY).json()["name"] == "candidate")

    for headers in ({}, {"X-Try": "v3"}, {"X-Try": ""}, {"X-Other": "v2"}):
        assert node.get(headers=headers).json()["name"] == "stable"
    url, forged = f"http://127.0.0.1:{node.port}{PATH}/predict", {"X-Placet-Cohort": "mirrored"}
    tried = httpx.post(url, content=b"1", headers=TRY | forged).json()["headers"]
    assert tried["x-placet-cohort"] == "overridden"  # for what is captured of it
    usual = httpx.post(url, content=b"1", headers=forged).json()["headers"]
    assert "x-placet-cohort" not in {name.lower() for name in usual}
    new["weight"], old["weight"] = 5_000, 5_000
    platform.serve(old, new, stable="rev_1")
    platform.wait(lambda: platform.seen("rev_2")["weight"] == 5_000)
    names = []
    for _ in range(20):
        assert node.get(headers=TRY).json()["name"] == "candidate"
        names.append(node.who())

    assert abs(names.count("candidate") - 10) <= 1  # testers move no accumulator
    platform.wait(lambda: apart(platform, "overridden") >= 21)
    platform.wait(lambda: drawn(platform, "rev_2") == names.count("candidate"))

    platform.serve(old, {**new, "weight": 0, "header_route": None}, stable="rev_1")
    platform.wait(lambda: node.get(headers=TRY).json()["name"] == "stable")


def test_a_tester_gets_stable_while_the_candidate_is_away(
    platform: Platform, node: NodeUnderTest
) -> None:
    old = platform.revision(1, platform.build("stable"), weight=10_000)
    never = {"READY_AFTER": "600"}
    new = platform.revision(2, platform.build("slow"), header_route=ROUTE, variables=never)
    platform.serve(old, new, stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    platform.wait_phase("rev_2", "starting")

    assert node.get(headers=TRY).json()["name"] == "stable"


def test_copies_reach_the_candidate_and_nobody_gets_its_answers(
    platform: Platform, node: NodeUnderTest
) -> None:
    serve(platform, mirror=2_500)
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
    for number in range(200):
        body = json.dumps({"n": number, "pad": "x" * (number * 20)})
        connection.request("POST", f"{PATH}/predict?n={number}", body)
        answer = json.loads(connection.getresponse().read())
        assert (answer["name"], answer["size"]) == ("stable", len(body))
    connection.close()

    platform.wait(lambda: apart(platform, "mirrored") == 50)
    platform.wait(lambda: drawn(platform, "rev_1") == 200)
    assert drawn(platform, "rev_2") == 0
    assert not any("error" in w for w in windows(platform, "rev_1") + windows(platform, "rev_2"))


def test_ready_is_reported_only_by_a_pass_that_led_requests_there(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconciler, proxy = node.agent.reconciler, node.agent.proxy
    apply, observe, seen = proxy.apply, reconciler._observe, list[bool]()

    def slow_apply() -> None:
        apply()
        for replica in node.agent.replicas.all.values():  # answers meanwhile, not before
            platform.wait(lambda replica=replica: replica.record.ready)

    def noting_observe() -> None:
        observe()
        rows = reconciler.observed.revisions
        if any(row["id"] == "rev_2" and row["phase"] == "ready" for row in rows):
            seen.append(bool(proxy.admin.map("mirror.map")))

    monkeypatch.setattr(proxy, "apply", slow_apply)
    monkeypatch.setattr(reconciler, "_observe", noting_observe)
    serve(platform, mirror=10_000)

    assert seen
    assert all(seen)


def test_a_copy_is_the_request_itself(platform: Platform, node: NodeUnderTest) -> None:
    serve(platform, mirror=10_000, header_route=ROUTE)
    body, url = b"\x00\xff{}", f"http://127.0.0.1:{node.port}{PATH}/predict?x=1"
    more = {"X-More": "a, b", "X-Placet-Cohort": "no_unit"}
    own = httpx.post(url, content=body, headers=more).json()["headers"]

    platform.wait(lambda: node.get("/last", headers=TRY).json())
    copy = node.get("/last", headers=TRY).json()
    headers = {name.lower(): value for name, value in copy["headers"].items()}
    assert (copy["path"], copy["body"]) == ("/predict?x=1", body.hex())
    assert (headers["x-more"], headers["x-placet-cohort"]) == ("a, b", "mirrored")
    assert headers["x-request-id"] in own.values()


def test_a_candidate_that_hangs_or_dies_harms_no_client(
    platform: Platform, node: NodeUnderTest
) -> None:
    serve(platform, mirror=10_000, variables={"ANSWER_AFTER": "30"})
    load = Load(node.port, f"{PATH}/who").start()
    load.until(400)
    for replica in list(node.agent.replicas.all.values()):
        if replica.record.revision == "rev_2":
            replica.refs[0].signal(9)
    load.until(800)
    load.stop()

    assert load.failures == []
    assert set(load.names) == {"stable"}


def test_a_candidate_whose_answers_trickle_is_told_of(
    platform: Platform, node: NodeUnderTest
) -> None:
    serve(platform, mirror=10_000, variables={"TRICKLE": "1"})
    # as many as may be under way; each keeps its place, and is told of after ten seconds
    platform.wait(lambda: node.who() and apart(platform, "mirrored", "status_5xx") == 32)


def test_a_body_that_haproxy_does_not_hold_is_neither_copied_nor_harmed(
    platform: Platform, node: NodeUnderTest
) -> None:
    serve(platform, mirror=10_000)
    url = f"http://127.0.0.1:{node.port}{PATH}/predict"

    assert httpx.post(url, content=b"x" * 600_000).json()["size"] == 600_000
    assert httpx.post(url, content=b"x").json()["size"] == 1

    platform.wait(lambda: drawn(platform, "rev_1") == 2)
    platform.wait(lambda: apart(platform, "mirrored") == 1)


def test_nobody_waits_for_a_copy(platform: Platform, node: NodeUnderTest) -> None:
    serve(platform, mirror=10_000, variables={"ANSWER_AFTER": "30"})

    begun = time.monotonic()
    names = {node.who() for _ in range(40)}  # more than may be under way at once

    assert names == {"stable"}
    assert time.monotonic() - begun < 20

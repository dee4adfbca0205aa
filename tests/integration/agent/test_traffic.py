"""What clients of an endpoint see while revisions change: no request is lost."""

import hashlib
import http.client
import threading
from collections import Counter

import httpx
import pytest

from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.load import Load
from tests.integration.agent.test_lifecycle import place, records_of


def test_a_client_reaches_the_approved_bento_at_the_stable_path(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))

    report = platform.wait_phase("rev_1", "serving")

    answer = node.get("/predict?x=1")
    assert answer.json() == {"name": "one", "path": "/predict?x=1"}
    assert answer.headers["X-Placet-Revision"] == "rev_1"
    assert (report["weight"], report["ready_replicas"], report["isolation"]) == (
        10_000,
        1,
        "socket",
    )


def test_nobody_loses_a_request_while_a_new_revision_takes_over_and_the_old_one_is_stopped(
    platform: Platform, node: NodeUnderTest
) -> None:
    old = platform.revision(1, platform.build("old"), weight=10_000)
    new = platform.revision(2, platform.build("new"))
    platform.serve(old)
    platform.wait_phase("rev_1", "serving")
    load = Load(node.port, f"{PATH}/who?ms=2").start()

    load.until(500)
    platform.serve(old, new)
    platform.wait_phase("rev_2", "ready")
    platform.serve({**old, "weight": 0}, {**new, "weight": 10_000})
    platform.wait_phase("rev_2", "serving")
    platform.serve({**old, "weight": 0, "wanted": "drain"}, {**new, "weight": 10_000})
    platform.wait_phase("rev_1", "drained")
    platform.serve({**new, "weight": 10_000})
    platform.wait(lambda: platform.seen("rev_1")["phase"] == "")
    load.until(2_500)
    load.stop()

    assert load.failures == []
    assert load.sent >= 2_500
    assert load.names["old"] > 0 and load.names["new"] > 0
    assert load.changes <= load.connections  # nobody went back to the old one


def test_a_slow_request_is_finished_before_its_replica_is_stopped(
    platform: Platform, node: NodeUnderTest
) -> None:
    old = platform.revision(1, platform.build("old"), weight=10_000)
    new = platform.revision(2, platform.build("new"))
    platform.serve(old, new)
    platform.wait_phase("rev_1", "serving")
    platform.wait_phase("rev_2", "ready")
    answers: list[httpx.Response] = []
    slow = threading.Thread(target=lambda: answers.append(node.get("/who?ms=1500")))
    slow.start()
    server = place(node, records_of(node, "rev_1")["id"])
    platform.wait(lambda: node.agent.proxy.admin.sessions(server) == 1)

    platform.serve({**old, "weight": 0, "wanted": "stop"}, {**new, "weight": 10_000})
    platform.wait_phase("rev_2", "serving")
    assert platform.seen("rev_1")["phase"] == "drained"
    slow.join()

    assert answers[0].json()["name"] == "old"
    platform.wait_phase("rev_1", "stopped")


@pytest.mark.parametrize(
    ("weight", "count"), [(100, 20), (1_000, 200), (3_333, 666), (5_000, 1_000)]
)
def test_the_split_is_exact(
    platform: Platform, node: NodeUnderTest, weight: int, count: int
) -> None:
    stable = platform.revision(1, platform.build("stable"), weight=10_000 - weight)
    candidate = platform.revision(2, platform.build("candidate"), weight=weight)
    platform.serve(stable, candidate)
    platform.wait(lambda: platform.seen("rev_2")["weight"] == weight)

    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
    names: Counter[bytes] = Counter()
    for _ in range(2_000):
        connection.request("GET", f"{PATH}/who")
        names[connection.getresponse().read().split(b'"')[3]] += 1
    connection.close()

    # what served before the candidate was ready may have left a part in the accumulator
    assert abs(names[b"candidate"] - count) <= 1
    assert names[b"stable"] + names[b"candidate"] == 2_000


def test_a_weight_changes_without_a_lost_request(platform: Platform, node: NodeUnderTest) -> None:
    one = platform.revision(1, platform.build("one"), weight=10_000)
    two = platform.revision(2, platform.build("two"))
    platform.serve(one, two)
    platform.wait_phase("rev_1", "serving")
    platform.wait_phase("rev_2", "ready")
    load = Load(node.port, f"{PATH}/who").start()

    for weight in (500, 2_500, 5_000, 7_500, 10_000, 0):
        platform.serve({**one, "weight": 10_000 - weight}, {**two, "weight": weight})
        platform.wait(lambda weight=weight: platform.seen("rev_2")["weight"] == weight)
    load.until(1_000)
    load.stop()

    assert load.failures == []
    assert node.who() == "one"


def test_an_endpoint_with_keys_turns_away_whoever_has_none(
    platform: Platform, node: NodeUnderTest
) -> None:
    revision = platform.revision(1, platform.build("one"), weight=10_000)
    digest = hashlib.sha256(b"open-sesame").hexdigest()
    platform.serve(revision, api_key_required=True, keys=[digest])
    platform.wait_phase("rev_1", "serving")

    without = node.get()
    assert without.status_code == 401
    assert without.headers["Content-Type"] == "application/problem+json"
    assert without.json()["code"] == "unauthorized"
    assert node.get(headers={"X-API-Key": "open-barley"}).status_code == 401
    assert node.get(headers={"Authorization": "Bearer " + digest}).status_code == 401
    assert node.get(headers={"X-API-Key": "open-sesame"}).status_code == 200
    assert node.get(headers={"Authorization": "Bearer open-sesame"}).status_code == 200

    platform.serve(revision, api_key_required=True, keys=[])
    platform.wait(lambda: node.get(headers={"X-API-Key": "open-sesame"}).status_code == 401)
    files = [p.read_bytes() for p in (node.home.folder / "haproxy").glob("*.*") if p.is_file()]
    assert not any(b"open-sesame" in content for content in files)


def test_a_key_is_not_passed_on_to_the_replica(platform: Platform, node: NodeUnderTest) -> None:
    digest = hashlib.sha256(b"open-sesame").hexdigest()
    revision = platform.revision(1, platform.build("one"), weight=10_000)
    platform.serve(revision, api_key_required=True, keys=[digest])
    platform.wait_phase("rev_1", "serving")

    url = f"http://127.0.0.1:{node.port}{PATH}/predict"
    answer = httpx.post(url, headers={"X-API-Key": "open-sesame"}, json={"x": 1})

    assert answer.json()["size"] == 7
    assert "open-sesame" not in answer.text


def test_clients_get_problem_details_for_what_is_not_there(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one")))
    platform.wait_phase("rev_1", "ready")
    base = f"http://127.0.0.1:{node.port}"

    unknown, idle = httpx.get(f"{base}/no/such/endpoint"), node.get()
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (idle.status_code, idle.json()["code"]) == (503, "nothing_live")
    assert idle.json()["request_id"] == idle.headers["X-Request-Id"]
    assert httpx.get(f"{base}/healthz").json() == {"status": "ok"}


def test_a_body_over_the_limit_is_refused(platform: Platform, node: NodeUnderTest) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    url = f"http://127.0.0.1:{node.port}{PATH}/predict"

    assert httpx.post(url, content=b"x" * (1 << 20)).json()["size"] == 1 << 20
    large = httpx.post(url, content=b"x" * ((1 << 20) + 1))
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    endless = httpx.post(url, content=iter([b"x", b"y"]))
    assert (endless.status_code, endless.json()["code"]) == (411, "length_required")


def test_an_endpoint_that_is_taken_away_is_unknown(platform: Platform, node: NodeUnderTest) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")

    platform.endpoints = []
    platform.publish()

    platform.wait(lambda: node.get().status_code == 404)


def test_endpoints_behind_which_nothing_serves_answer_so_and_cost_no_reload(
    platform: Platform, node: NodeUnderTest
) -> None:
    first = platform.endpoint(platform.revision(1, platform.build("one"), weight=10_000))
    platform.endpoints = [first]
    platform.publish()
    platform.wait_phase("rev_1", "serving")
    before = node.agent.proxy.process.ref
    load = Load(node.port, f"{PATH}/who").start()

    for number in range(2, 22):
        platform.endpoints.append(
            {
                **first,
                "id": f"end_{number}",
                "name": f"e{number}",
                "revisions": [],
                "path": f"/cancer/production/e{number}",
            }
        )
    platform.publish()
    url = f"http://127.0.0.1:{node.port}/cancer/production/e21/x"
    platform.wait(lambda: httpx.get(url).json()["code"] == "nothing_live")
    load.until(load.sent + 500)
    load.stop()

    assert load.failures == []
    assert node.agent.proxy.process.ref == before

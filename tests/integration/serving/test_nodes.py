"""What a node may ask and say: joining, pulling its state, reporting, fetching what it needs."""

import base64
import json
import time
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pytest

from apps.audit.actions import plain_state, row_key
from apps.audit.models import Event, LogHead
from apps.audit.queries import replay
from apps.builds.models import Runtime
from apps.governance.actions import update_environment
from apps.jobs.models import Job
from apps.monitoring.models import MetricWindow
from apps.monitoring.queries import recent
from apps.registry.store import Store
from apps.serving.actions import issue_join_token, prefetch
from apps.serving.desired import publish, publish_running_out, sign_state, together
from apps.serving.drivers.kinds import driver_for
from apps.serving.drivers.node import driver
from apps.serving.models import DesiredState, JoinToken, Node, Revision, Target
from apps.serving.rules import serving_config
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.keystore import root_public, signer
from placet_protocol.signing import sign_request
from placet_verify.log import checkpoint
from placet_verify.signing.keys import PrivateKey
from tests.support.nodes import PLATFORM, SimulatedNode
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
RunJobs = Callable[..., int]


@pytest.fixture
def target(world: World) -> Target:
    """A target that waits for its node."""
    return world.target


@pytest.fixture
def node(node: SimulatedNode, run_jobs: RunJobs) -> SimulatedNode:
    """A node that has joined, pulled its first state and reported."""
    run_jobs("control")
    node.step()
    return node


def a_minute_later(node: SimulatedNode) -> None:
    """Let a minute pass since anything was logged of the node."""
    noted = {what: rfc3339(now() - timedelta(seconds=61)) for what in node.row.noted}
    Node.objects.filter(pk=node.id).update(noted=noted)


# --- joining ------------------------------------------------------------------------------------


def test_a_token_carries_the_fingerprint_of_the_root_and_only_its_hash_is_stored(
    target: Target,
) -> None:
    token = issue_join_token(target, actor=SYSTEM)
    secret, fingerprint = token.split(".")
    assert "sha256:" + fingerprint == root_public().fingerprint
    assert secret not in str(list(JoinToken.objects.values()))
    assert secret not in "".join(Event.objects.values_list("body", flat=True))


def test_a_token_lets_one_node_join_once(target: Target) -> None:
    token = issue_join_token(target, actor=SYSTEM)
    first, second = SimulatedNode(), SimulatedNode()
    assert first.join(token).status_code == 201
    assert first.join(token).json()["node"] == first.id, "a lost reply is answered again"
    assert second.join(token).status_code == 403
    assert Node.objects.get().public_key == first.key.public.to_base64()


@pytest.mark.parametrize("spoil", ["unknown", "expired"])
def test_an_unknown_or_expired_token_is_refused_alike(target: Target, spoil: str) -> None:
    token = issue_join_token(target, actor=SYSTEM)
    if spoil == "unknown":
        token = "x" + token
    JoinToken.objects.update(expires_at=now() - timedelta(seconds=spoil == "expired"))
    answer = SimulatedNode().join(token)
    assert (answer.status_code, answer.json()["code"]) == (403, "join_refused")


def test_joining_proves_that_the_node_has_the_key_it_brings(target: Target) -> None:
    token, node = issue_join_token(target, actor=SYSTEM), SimulatedNode()
    node.key.public = PrivateKey.generate().public
    answer = node.join(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "node_refused")


def test_a_host_set_up_anew_takes_the_place_of_the_old_node(node: SimulatedNode) -> None:
    again = SimulatedNode.joined(node.row.target)
    assert again.id == node.id
    assert node.report().status_code == 401
    assert again.report().status_code == 200


# --- signed requests ----------------------------------------------------------------------------


def test_a_request_of_nobody_is_refused(node: SimulatedNode) -> None:
    for path in ("state?epoch=0&number=0&wait=0", "blobs/" + "0" * 64, "runtimes/" + "0" * 64):
        answer = node.client.get(f"/agent/v1/{path}")
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"


def test_a_request_from_another_time_is_refused(node: SimulatedNode) -> None:
    path = "/agent/v1/state?epoch=0&number=0&wait=0"
    assert node.call("GET", path, ago=60).status_code == 200
    for ago in (121, -121):
        assert node.call("GET", path, ago=ago).status_code == 401


def test_a_signature_covers_path_query_and_body(node: SimulatedNode) -> None:
    signed = "/agent/v1/state?epoch=0&number=0&wait=0"
    headers = sign_request(node.key, "GET", signed, b"", node=node.id, at=now())
    other = node.client.get("/agent/v1/state?epoch=9&number=0&wait=0", headers=headers)
    assert other.status_code == 401
    assert node.client.get(signed, headers=headers).status_code == 200


def test_the_keys_are_open_to_everybody(node: SimulatedNode) -> None:
    body = node.client.get("/agent/v1/keys").json()
    assert base64.b64decode(body["root_public"]) == root_public().raw


# --- the state ----------------------------------------------------------------------------------


def test_a_node_that_has_the_state_is_told_nothing(node: SimulatedNode) -> None:
    assert not node.pull()


def test_signing_equal_wishes_keeps_the_number(node: SimulatedNode) -> None:
    first = sign_state(node.row.target_id)
    assert sign_state(node.row.target_id) == first


def test_a_state_is_signed_again_before_it_runs_out(story: Story) -> None:
    before = story.node.applied
    assert publish_running_out() == 0
    DesiredState.objects.update(signed_at=now() - timedelta(hours=13))
    assert publish_running_out() == 1
    story.run_jobs("control")
    assert story.node.pull()
    assert story.node.applied == before + 1


def test_what_is_published_together_is_signed_by_one_job_and_a_fault_keeps_no_other(
    node: SimulatedNode, world: World, run_jobs: RunJobs
) -> None:
    other = world.another_target("edge")
    run_jobs("control")
    fine, gone = node.row.target_id, other.pk
    before = DesiredState.objects.get(target=fine).number
    DesiredState.objects.update(content_digest="")
    Target.objects.filter(pk=gone).update(driver="nothing")
    Job.objects.all().delete()
    with together():
        for target in (gone, fine, gone):
            publish(target)
    assert [(job.kind, job.args) for job in Job.objects.all()] == [
        ("serving.publish_all", {"targets": sorted([fine, gone])})
    ]
    run_jobs("control", limit=3)
    assert DesiredState.objects.get(target=fine).number == before + 1
    again = Job.objects.get(kind="serving.publish")
    assert (again.key, again.state) == (gone, "queued"), "tried again by itself"


def test_where_no_request_can_wait_a_node_is_told_to_come_again_and_no_thread_is_held(
    node: SimulatedNode,
) -> None:
    assert not node.pull(), "it does not want to wait"
    begun = time.monotonic()
    path = f"/agent/v1/state?epoch={node.epoch}&number={node.applied}&wait=25"
    answer = node.call("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (503, "cannot_wait")
    assert answer["Retry-After"]
    assert time.monotonic() - begun < 10
    DesiredState.objects.update(content_digest="")
    sign_state(node.row.target_id)
    assert node.pull(wait=25), "what is new comes without a wait"


# --- reports ------------------------------------------------------------------------------------


def test_a_report_of_another_key_is_refused(node: SimulatedNode) -> None:
    assert node.report(key=PrivateKey.generate()).status_code == 401


def test_an_old_report_is_refused_and_says_which_number_was_the_last(node: SimulatedNode) -> None:
    last = node.row.report_number
    answer = node.report(number=last)
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_report")
    assert answer.json()["number"] == last


def test_a_report_in_the_name_of_another_node_is_refused(node: SimulatedNode) -> None:
    assert node.report(node="nod_other").status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"revisions": [{"id": 1}]},
        {"revisions": [{"id": "rev_1", "phase": "dancing"}]},
        {"applied": {"epoch": -1, "number": 0}},
        {"metrics": [{"revision": "rev_1", "started_at": "yesterday"}]},
        {"errors": [{"code": "<script>", "detail": ""}]},
        {"v": 2},
    ],
)
def test_a_malformed_report_changes_nothing(
    node: SimulatedNode, changes: dict[str, object]
) -> None:
    before = node.row.report
    assert node.report(**changes).status_code == 400
    assert node.row.report == before


def test_an_error_that_lasts_is_logged_once(node: SimulatedNode) -> None:
    node.errors = [{"code": "state_refused", "detail": "2.1 after 3.0"}]
    node.report()
    node.report()
    events = Event.objects.filter(kind="node.reported_error.v1")
    assert [json.loads(e.body)["data"] for e in events] == [{"code": "state_refused"}]
    assert "2.1 after" not in events.get().body


def test_a_checkpoint_that_the_log_does_not_contain_is_noticed(node: SimulatedNode) -> None:
    size = LogHead.objects.get().size + 1000
    node.checkpoint = checkpoint.make("placet.test/log", size, b"\x01" * 32, signer("log"))
    node.report()
    node.report()
    assert Event.objects.filter(kind="node.checkpoint_ahead.v1").count() == 1
    assert node.row.fault == "checkpoint_ahead"
    node.checkpoint = None
    a_minute_later(node)
    node.report()
    assert node.row.fault == ""


@pytest.mark.parametrize("size", [2**53, 10**19 - 1])
def test_a_checkpoint_of_a_size_that_the_log_cannot_write_is_refused(
    node: SimulatedNode, size: int
) -> None:
    node.checkpoint = checkpoint.make("placet.test/log", size, b"\x01" * 32, signer("log"))
    answer = node.report()
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        [{"pointer": "/checkpoint", "detail": "Must be of at most 9007199254740991 leaves"}],
    )


def test_a_node_that_is_ahead_of_a_restored_database_raises_the_epoch(story: Story) -> None:
    story.node.report(applied={"epoch": 1, "number": 4000})
    story.run_jobs("control")
    assert Event.objects.filter(kind="node.state_ahead.v1").count() == 1
    assert story.node.pull()
    assert (story.node.epoch, story.node.applied) == (2, 1)


@pytest.mark.parametrize("lie", [102, 2**31 - 2, 2**31 - 1, 2**53 - 1])
def test_a_lie_about_the_epoch_changes_nothing_and_honest_reports_go_on(
    story: Story, lie: int
) -> None:
    state = DesiredState.objects.get(target=story.world.target)
    assert state.epoch == 1
    assert story.node.report(applied={"epoch": lie, "number": 1}).status_code == 200
    story.run_jobs("control")
    assert DesiredState.objects.get(pk=state.pk).epoch == 1
    story.node.pull()
    assert story.node.report().status_code == 200


def test_the_last_epoch_of_a_former_lie_can_be_reported(story: Story) -> None:
    DesiredState.objects.update(epoch=2**31 - 1, number=0, content_digest="")
    publish(story.world.target.pk)
    story.run_jobs("control")
    assert story.node.pull()
    assert story.node.report().status_code == 200
    assert story.node.row.report["applied"] == {"epoch": 2**31 - 1, "number": 1}


def test_a_node_that_is_ahead_again_and_again_raises_the_epoch_once_a_minute(story: Story) -> None:
    for number in range(5):
        ahead = {"epoch": 2 + number, "number": 4000}
        assert story.node.report(applied=ahead).status_code == 200
    assert Event.objects.filter(kind="node.state_ahead.v1").count() == 1
    assert DesiredState.objects.get(target=story.world.target).epoch == 3
    a_minute_later(story.node)
    story.node.report(applied={"epoch": 103, "number": 0})
    assert DesiredState.objects.get(target=story.world.target).epoch == 104


def test_metrics_are_stored_once_and_only_for_own_revisions(story: Story) -> None:
    story.live()
    (own,) = story.node.revisions()
    window = {
        "revision": own,
        "started_at": rfc3339(now()),
        "seconds": 5.0,
        "status_2xx": 98,
        "status_3xx": 0,
        "status_4xx": 0,
        "status_5xx": 2,
        "latency": {"5": 50, "10": 45, "25": 5, "inf": 0},
    }
    story.node.metrics = [window, {**window, "revision": "rev_of_somebody_else"}]
    story.node.report()
    story.node.report()
    story.run_jobs("control")
    assert MetricWindow.objects.count() == 1
    figures = recent(own, 5)
    assert (figures.requests, figures.error_rate) == (100, 0.02)
    assert figures.p50_ms == 5.0


def test_what_no_split_decided_on_is_counted_apart_of_what_is_compared(story: Story) -> None:
    story.live()
    (own,) = story.node.revisions()
    drawn = {
        "status_2xx": 90,
        "status_3xx": 0,
        "status_4xx": 0,
        "status_5xx": 10,
        "latency": {"5": 100},
    }
    part = {**drawn, "status_2xx": 7, "status_5xx": 1, "latency": {"5": 3, "10": 5}}
    window = {"revision": own, "started_at": rfc3339(now()), "seconds": 5.0, **drawn, "first": part}
    apart = {"no_unit": part, "overridden": part, "mirrored": part, "of_a_newer_agent": {}}
    story.node.metrics = [{**window, "apart": apart}]
    story.node.report()
    story.run_jobs("control")

    stored = MetricWindow.objects.get()
    assert (stored.status_2xx, stored.status_5xx) == (90, 10)
    assert stored.first["latency"] == {"5": 3, "10": 5}
    assert set(stored.apart) == {"no_unit", "overridden", "mirrored"}
    figures = recent(own, 5)
    assert figures.requests == 108  # what clients saw: copies and testers are none of them
    assert figures.error_rate == pytest.approx(11 / 108)
    assert figures.units == 8
    assert figures.apart == {"no_unit": 8, "overridden": 8, "mirrored": 8}


@pytest.mark.parametrize(
    "spoilt",
    [
        {"apart": []},
        {"apart": {"no_unit": []}},
        {"apart": {"no_unit": {"status_2xx": -1}}},
        {"apart": {"mirrored": {"latency": {"5": "x"}}}},
        {"first": None},
        {"first": {"status_5xx": 2**31}},
    ],
)
def test_counts_that_cannot_be_are_refused(node: SimulatedNode, spoilt: dict[str, object]) -> None:
    window = {"revision": "rev_1", "started_at": rfc3339(now()), "seconds": 5.0, "latency": {}}
    node.metrics = [{**window, **spoilt}]
    assert node.report().status_code == 400


def test_the_state_says_which_revision_is_live_and_carries_the_salt(story: Story) -> None:
    story.live(serving={"unit": {"header": "X-User"}})

    (row,) = Revision.objects.all()
    (endpoint,) = story.node.state["endpoints"]
    assert endpoint["stable"] == row.pk
    assert endpoint["revisions"][0]["salt"] == row.salt
    assert len(row.salt) == 16


def test_what_a_node_runs_on_is_in_the_log_when_it_changes(node: SimulatedNode) -> None:
    weaker = {**PLATFORM, "memory_limit": "prlimit", "agent_version": "0.1.0"}
    for _ in range(2):
        assert node.report(platform=weaker, agent_version="0.1.0").status_code == 200
    (event,) = Event.objects.filter(kind="node.changed.v1")
    assert json.loads(event.body)["data"] == {"what": "agent_version, memory_limit"}
    row, logged = node.row, replay()[row_key(node.row)]
    assert (logged["platform"], logged["agent_version"]) == (row.platform, "0.1.0")
    assert {k: logged[k] for k in plain_state(row)} == plain_state(row)


def test_a_node_whose_agent_is_too_old_is_given_nothing_that_is_split_by_unit(story: Story) -> None:
    story.node.report(platform={**PLATFORM, "features": []})
    bento = story.world.bento(story.world.version())
    wish = serving_config({"unit": {"header": "X-User"}})

    (problem,) = driver_for(story.node.row.target).validate(story.node.row.target, bento, wish)

    assert "splits per request only, and not by unit: upgrade it" in problem
    a_minute_later(story.node)
    story.node.report()
    assert driver_for(story.node.row.target).validate(story.node.row.target, bento, wish) == []


def test_a_node_is_given_no_more_than_it_tells_of_and_has_users_for(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.lived()
    target, bento = story.node.row.target, story.world.bento(story.world.version())
    validate = driver_for(target).validate
    most = serving_config({"replicas": 1, "memory_mb": 64})
    monkeypatch.setattr(driver, "MAX_ROWS", 2)
    monkeypatch.setattr(driver, "MAX_REPLICAS", 2)
    assert validate(target, bento, most) == []

    monkeypatch.setattr(driver, "MAX_ROWS", 1)
    monkeypatch.setattr(driver, "MAX_REPLICAS", 1)
    assert validate(target, bento, most) == [
        f"{target.name} has 1 revisions, and a node tells of no more",
        f"2 replicas are wanted on {target.name}, and a node has users for 1",
    ]


def test_a_node_that_keeps_nothing_apart_is_given_only_what_was_approved_before(
    story: Story,
) -> None:
    story.node.upgraded(features=[name for name in PLATFORM["features"] if name != "apart"])
    bento, driver = story.world.bento(story.world.version()), driver_for(story.node.row.target)

    (problem,) = driver.validate(story.node.row.target, bento, serving_config({"egress": []}))

    assert "cannot keep a replica from the network and its neighbours: upgrade it" in problem
    assert driver.validate(story.node.row.target, bento, serving_config({})) == []
    story.node.upgraded()
    assert driver.validate(story.node.row.target, bento, serving_config({"egress": []})) == []


def test_a_report_that_says_nothing_new_rings_nobody(node: SimulatedNode) -> None:
    Job.objects.all().delete()
    node.report()
    assert not Job.objects.exists()


# --- blobs and runtimes -------------------------------------------------------------------------


def test_a_node_fetches_what_its_state_needs_and_nothing_else(
    world: World, node: SimulatedNode
) -> None:
    store = Store()
    bento = world.bento(world.version())
    wheel, size = store.put_stream(BytesIO(b"wheel"), limit=100)
    secret, _ = store.put_stream(BytesIO(b"of another target"), limit=100)
    wheels = [{"name": "numpy.whl", "sha256": wheel, "size": size}]
    Runtime.objects.filter(pk=bento.runtime_id).update(wheels=wheels)
    digest = bento.runtime_id.removeprefix("sha256:")
    for path in (f"blobs/{wheel}", f"runtimes/{digest}"):
        assert node.call("GET", f"/agent/v1/{path}").status_code == 404
    prefetch(node.row.target, bento=bento, holder="rel_1", actor=SYSTEM)
    answer = node.call("GET", f"/agent/v1/blobs/{wheel}")
    assert b"".join(answer.streaming_content) == b"wheel"
    rest = node.call("GET", f"/agent/v1/blobs/{wheel}", Range="bytes=2-")
    assert (rest.status_code, b"".join(rest.streaming_content)) == (206, b"eel")
    assert node.call("GET", f"/agent/v1/runtimes/{digest}").json()["wheels"] == wheels
    for path in (f"blobs/{secret}", "blobs/../../etc/passwd", "blobs/" + "0" * 64):
        assert node.call("GET", f"/agent/v1/{path}").status_code == 404


# --- past the end of a state --------------------------------------------------------------------


def test_a_node_stops_past_its_states_end_if_an_environment_on_it_says_so(story: Story) -> None:
    story.release("development")
    story.settle(rounds=1)
    assert story.node.state["on_expired"] == "serve"
    update_environment(story.world.environment("production"), on_state_expired="stop", actor=SYSTEM)
    update_environment(
        story.world.environment("development"), on_state_expired="stop", actor=SYSTEM
    )
    story.run_jobs("control")
    assert story.node.pull()
    assert story.node.state["on_expired"] == "stop"

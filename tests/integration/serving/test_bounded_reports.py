"""A node can neither fill the log nor write into it what it likes.

What went wrong at 5a35692 is shown there by ``proofs/faults.py``.
"""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from apps.audit.actions import plain_state, row_key
from apps.audit.models import Event
from apps.audit.queries import replay
from apps.jobs.actions.lease import claim
from apps.jobs.models import Job
from apps.monitoring.actions import windows
from apps.monitoring.models import MetricWindow
from apps.rollouts.models import Rollout
from apps.serving.actions import delete_endpoint, issue_join_token, stop_endpoint
from apps.serving.models import Node, Revision
from apps.serving.windows import PORTION, PORTIONS_A_MINUTE
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.config import config
from placet_protocol.report.windows import MAX_COUNT
from tests.support.factories import api
from tests.support.nodes import PLATFORM, SimulatedNode
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
JANE = "Mrs Jane Doe of 1 Main Street"


def bodies() -> str:
    """Return all that the log holds, as text."""
    return "".join(Event.objects.values_list("body", flat=True))


def changes() -> list[str]:
    """Return what the log says changed of the node, in order."""
    events = Event.objects.filter(kind="node.changed.v1").order_by("index")
    return [json.loads(event.body)["data"]["what"] for event in events]


def later(node: SimulatedNode, seconds: float = 61) -> None:
    """Let so much time pass since anything was logged of the node."""
    noted = {what: rfc3339(now() - timedelta(seconds=seconds)) for what in node.row.noted}
    Node.objects.filter(pk=node.id).update(noted=noted)


@pytest.mark.parametrize("name", [*PLATFORM, "of_nobody"])
@pytest.mark.parametrize("said", [JANE, JANE * 40_000, [JANE] * 1000], ids=["text", "1 MB", "list"])
def test_nothing_that_a_node_says_of_its_host_gets_into_the_log(
    node: SimulatedNode, name: str, said: Any
) -> None:
    before = len(bodies())
    node.report(platform={**PLATFORM, name: said})

    assert "Jane" not in bodies()
    assert len(bodies()) - before < 5000
    assert "Jane" not in json.dumps(node.row.platform)


def test_nothing_that_a_node_says_when_it_joins_gets_into_the_log(world: World) -> None:
    node, token = SimulatedNode(), issue_join_token(world.target, actor=SYSTEM)
    body = {
        "v": 1,
        "token": token.partition(".")[0],
        "public_key": node.key.public.to_base64(),
        "agent_version": JANE,
        "platform": {**PLATFORM, "machine": JANE * 1000, "more": JANE},
    }
    before = len(bodies())
    answer = node.call("POST", "/agent/v1/join", json.dumps(body).encode())

    assert "Jane" not in bodies()
    assert len(bodies()) - before < 5000
    assert answer.status_code == 201
    assert Node.objects.get().platform["machine"] == ""


# --- how often ----------------------------------------------------------------------------------


def test_a_change_is_logged_once_a_minute_and_the_row_is_always_what_the_log_has(
    node: SimulatedNode,
) -> None:
    weaker = {**PLATFORM, "memory_limit": "prlimit"}
    for number in range(10):
        assert node.report(platform=weaker if number % 2 == 0 else PLATFORM).status_code == 200
        row, logged = node.row, replay()[row_key(node.row)]
        assert {k: logged[k] for k in plain_state(row)} == plain_state(row)
    assert changes() == ["memory_limit"]
    assert node.row.platform["memory_limit"] == "prlimit"

    later(node, 59)
    node.report()
    assert changes() == ["memory_limit"]
    later(node)
    node.report()
    assert changes() == ["memory_limit", "memory_limit"]
    assert node.row.platform == PLATFORM


def test_a_code_that_a_node_makes_up_is_shown_and_not_logged(node: SimulatedNode) -> None:
    node.errors = [{"code": "Jane_Doe", "detail": JANE}, {"code": "haproxy", "detail": ""}]
    node.report()

    events = Event.objects.filter(kind="node.reported_error.v1").order_by("index")
    assert [json.loads(e.body)["data"]["code"] for e in events] == ["haproxy", "other"]
    assert "Jane" not in bodies()
    assert node.row.report["errors"][0]["code"] == "Jane_Doe"


def test_an_error_that_comes_and_goes_is_logged_once_a_minute(node: SimulatedNode) -> None:
    for number in range(10):
        node.errors = [{"code": "haproxy", "detail": ""}] if number % 2 == 0 else []
        node.report()
    assert Event.objects.filter(kind="node.reported_error.v1").count() == 1
    later(node)
    node.errors = [{"code": "haproxy", "detail": ""}]
    node.report()
    assert Event.objects.filter(kind="node.reported_error.v1").count() == 2


def test_a_refusal_and_an_abort_that_come_and_go_are_logged_once_a_minute(story: Story) -> None:
    story.live()
    (own,) = story.node.revisions()
    abort = {
        "endpoint": "",
        "revision": own,
        "stable": "",
        "rule": "latency",
        "detail": JANE,
        "at": "",
        "state": {"epoch": 1, "number": 1},
    }
    for number in range(6):
        story.node.phase[own] = ("refused", JANE) if number % 2 == 0 else ("serving", "")
        story.node.aborts = [abort] if number % 2 == 0 else []
        assert story.node.report().status_code == 200
    assert Event.objects.filter(kind="revision.refused.v1").count() == 1
    assert Event.objects.filter(kind="revision.requests_taken_back.v1").count() == 1
    assert "Jane" not in bodies()


def test_of_a_deleted_endpoint_a_refusal_and_an_abort_are_logged_once(story: Story) -> None:
    live = story.live()
    row = story.node.report_body()["revisions"][0]
    endpoint = stop_endpoint(live.endpoint, actor=story.otto)
    story.settle()
    endpoint.refresh_from_db()
    delete_endpoint(endpoint, if_generation=endpoint.generation, actor=story.otto)
    story.settle()
    for _ in range(3):
        later(story.node)
        for phase in ("refused", "stopped"):
            abort = {
                "endpoint": "",
                "revision": row["id"],
                "stable": "",
                "rule": "latency",
                "detail": "",
                "at": "",
                "state": {"epoch": 1, "number": 1},
            }
            story.node.aborts = [abort] if phase == "refused" else []
            assert story.node.report(revisions=[{**row, "phase": phase}]).status_code == 200
    assert Event.objects.filter(kind="revision.refused.v1").count() == 1
    assert Event.objects.filter(kind="revision.requests_taken_back.v1").count() == 1


def test_what_was_noted_does_not_grow(node: SimulatedNode) -> None:
    Node.objects.filter(pk=node.id).update(
        noted={f"old {n}": rfc3339(now() - timedelta(seconds=61)) for n in range(100)}
    )
    node.errors = [{"code": "haproxy", "detail": ""}]
    node.report()
    assert list(node.row.noted) == ["error haproxy"]


def test_a_node_that_joins_anew_begins_anew(node: SimulatedNode) -> None:
    node.report(platform={**PLATFORM, "memory_limit": "prlimit"})
    again = SimulatedNode.joined(node.row.target)
    again.report(platform={**PLATFORM, "memory_limit": "cgroup2"})
    assert changes() == ["memory_limit", "memory_limit"]
    assert again.row.platform["memory_limit"] == "cgroup2"


def test_what_an_older_platform_stored_of_a_node_is_replaced_without_being_repeated(
    node: SimulatedNode,
) -> None:
    Node.objects.filter(pk=node.id).update(platform={**PLATFORM, JANE: JANE})
    node.report()
    assert changes() == ["other"]
    assert "Jane" not in bodies()
    assert node.row.platform == PLATFORM


def test_a_clock_that_is_set_back_keeps_nothing_out_of_the_log(node: SimulatedNode) -> None:
    Node.objects.filter(pk=node.id).update(noted={"changed": rfc3339(now() + timedelta(hours=1))})
    node.report(platform={**PLATFORM, "memory_limit": "prlimit"})
    assert changes() == ["memory_limit"]


def window(revision: str, at: datetime) -> dict[str, Any]:
    """Return what a node measured in a second."""
    counts = {"status_2xx": 1, "status_3xx": 0, "status_4xx": 0, "status_5xx": 0}
    return {**counts, "latency": {}, "revision": revision, "started_at": rfc3339(at), "seconds": 1}


def test_the_largest_counts_and_the_oddest_offset_that_a_node_may_say_are_added_up(
    story: Story,
) -> None:
    capture = {"unit": {"header": "X-User"}, "capture": {"percent": 100, "days": 7}}
    release = story.live("staging", serving=capture)
    revision, at = Revision.objects.get().pk, now() - timedelta(seconds=30)
    most = {"status_2xx": MAX_COUNT, "latency": {"5": MAX_COUNT}}
    apart = {**window(revision, at), **most}
    odd = at.astimezone(timezone(timedelta(hours=23))).isoformat()
    said = {**window(revision, at), **most, "started_at": odd, "apart": {"no_unit": apart}}
    again = {**said, "started_at": rfc3339(at - timedelta(seconds=5))}

    assert story.node.report(metrics=[said, again]).status_code == 200
    story.run_jobs()

    assert MetricWindow.objects.filter(status_2xx=MAX_COUNT).count() == 2
    otto = api(story.people["Otto"])
    assert otto.get(f"/endpoints/{release.endpoint_id}/capture").status_code == 200
    rollout = Rollout.objects.get(release=release)
    assert otto.get(f"/rollouts/{rollout.pk}/series").status_code == 200


def test_a_node_cannot_fill_the_database_with_what_it_measures(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.lived()
    revision, at = Revision.objects.get().pk, now().replace(minute=30, second=0, microsecond=0)
    MetricWindow.objects.all().delete()
    day, hour = timedelta(days=1), timedelta(hours=1)
    for odd in (at + 3000 * day, at + hour + hour, at - 31 * day, at - 3000 * day):
        assert story.node.report(metrics=[window(revision, odd)]).status_code == 200
    story.run_jobs()
    assert not MetricWindow.objects.exists()
    monkeypatch.setattr(windows, "MOST_AN_HOUR", 30)
    for before in (2 * hour, 3 * hour):
        said = [window(revision, at - before + timedelta(seconds=n)) for n in range(25)]
        story.node.report(metrics=said)
        later_on = [window(revision, at - before + timedelta(seconds=30 + n)) for n in range(25)]
        story.node.report(metrics=later_on)
    story.run_jobs()
    assert MetricWindow.objects.filter(revision=revision).count() == 60


def measured(node: SimulatedNode, revision: str, count: int = 1, seconds: int = 0) -> Any:
    """Have ``node`` report so many windows that began one after the other, ``seconds`` ago."""
    begun = now() - timedelta(seconds=seconds)
    said = [window(revision, begun + timedelta(seconds=10 * n)) for n in range(count)]
    return node.report(metrics=said)


def ingests() -> int:
    """Return how many jobs are to store windows, or were."""
    return Job.objects.filter(kind="monitoring.ingest").count()


def test_a_node_fills_no_queue_with_what_it_measures_and_what_is_seen_is_taken_all_the_same(
    story: Story,
) -> None:
    revision, before = Revision.objects.get(release=story.lived().pk).pk, ingests()
    answers = [measured(story.node, revision) for _ in range(PORTIONS_A_MINUTE + 6)]
    assert [a.status_code for a in answers] == [200] * PORTIONS_A_MINUTE + [429] * 6
    assert (answers[-1].json()["code"], answers[-1]["Retry-After"]) == ("too_many_windows", "5")
    assert ingests() - before == PORTIONS_A_MINUTE
    number = story.node.row.report_number
    assert story.node.report().status_code == 200
    assert story.node.row.report_number > number
    story.node.a_minute_later()
    assert measured(story.node, revision).status_code == 200


def test_a_report_of_many_windows_is_as_much_as_several(story: Story) -> None:
    revision = Revision.objects.get(release=story.lived().pk).pk
    left = PORTIONS_A_MINUTE - 2
    assert {measured(story.node, revision).status_code for _ in range(left)} == {200}
    assert measured(story.node, revision, 2 * PORTION + 1, 86_400).status_code == 429
    assert measured(story.node, revision, 2 * PORTION, 86_400).status_code == 200
    assert measured(story.node, revision).status_code == 429


def test_an_agent_that_was_offline_for_hours_loses_nothing(story: Story) -> None:
    revision = Revision.objects.get(release=story.lived().pk).pk
    MetricWindow.objects.all().delete()
    for report in range(4):  # as many as an agent keeps
        sent = measured(story.node, revision, PORTION, 86_400 - 10 * PORTION * report)
        assert sent.status_code == 200
    story.run_jobs()
    assert MetricWindow.objects.filter(revision=revision).count() == 4 * PORTION


def test_a_stop_goes_before_all_that_a_node_had_stored(story: Story) -> None:
    live = story.lived()
    revision = Revision.objects.get(release=live.pk).pk
    for _ in range(PORTIONS_A_MINUTE):
        measured(story.node, revision)
    stop_endpoint(live.endpoint, actor=story.otto)
    claimed = claim(["control"])
    assert claimed is not None
    assert claimed.kind == "serving.publish"


def test_windows_stay_in_no_job_and_those_that_are_not_kept_get_into_none(story: Story) -> None:
    revision, before = Revision.objects.get(release=story.lived().pk).pk, ingests()
    assert measured(story.node, revision, 100, 400 * 86_400).status_code == 200
    assert ingests() == before
    measured(story.node, revision)
    job = Job.objects.get(kind="monitoring.ingest", state="queued")
    assert len(job.args["windows"]) == 1
    story.run_jobs()
    job.refresh_from_db()
    assert (job.state, job.result, job.args) == ("succeeded", {"stored": 1}, {})


@pytest.mark.parametrize("path", ["/agent/v1/join", "/agent/v1/report"])
def test_a_body_that_is_too_large_for_a_node_is_a_413(node: SimulatedNode, path: str) -> None:
    answer = node.call("POST", path, b" " * (config().max_body_bytes + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

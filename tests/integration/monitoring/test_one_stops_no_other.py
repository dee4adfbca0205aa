"""What one endpoint, or one line of it, is at fault with keeps nothing from the others."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from apps.jobs.actions import enqueue
from apps.jobs.models import Job
from apps.monitoring import actions, parquet, reconciler
from apps.monitoring.models import (
    Alert,
    CapturedPrediction,
    CapturePart,
    CaptureRange,
    MetricWindow,
    Outcome,
)
from apps.monitoring.rules import ObjectiveTerms
from apps.registry.store import Store, store
from apps.serving.models import Endpoint, Node, Revision
from placet.kernel.clock import now
from tests.support.captures import line, send, text
from tests.support.story import Story

pytestmark = pytest.mark.django_db
SERVING = {"unit": {"header": "X-User"}, "capture": {"percent": 100, "days": 7}}


def live(endpoint: Endpoint) -> Revision:
    """Return what serves."""
    return Revision.objects.get(endpoint=endpoint, state="live")


def alerts() -> list[tuple[str, str, str]]:
    """Return subject, kind and state of the alerts, oldest first."""
    return [(row.subject, row.kind, row.state) for row in Alert.objects.order_by("pk")]


def window(story: Story, revision: Revision) -> None:
    """Have a revision have answered."""
    MetricWindow.objects.create(
        node=story.node.id,
        revision=revision.pk,
        seconds=10.0,
        status_2xx=100,
        started_at=now(),
        latency={"5": 100},
    )


def nothing(name: str) -> dict[tuple[str, str], float]:
    """What is counted of an endpoint that answered well alone."""
    return {(name, "4xx"): 0, (name, "5xx"): 0}


def scraped() -> dict[str, dict[tuple[str, str], float]]:
    """What /metrics says, by the endpoint that it is about and its status or quantile."""
    answer = Client(raise_request_exception=False).get("/metrics")
    assert answer.status_code == 200
    return {
        family.name: {
            (s.labels.get("endpoint", ""), s.labels.get("status", s.labels.get("quantile", ""))): (
                s.value
            )
            for s in family.samples
        }
        for family in text_string_to_metric_families(answer.content.decode())
    }


@pytest.mark.parametrize("since", ["yesterday", "2026-11-28", ""])
def test_a_time_of_one_endpoint_that_cannot_be_read_stops_the_watch_over_no_other(
    story: Story, since: str
) -> None:
    """As a node of the release before had it stored."""
    first, second = (
        story.live("development", endpoint=name).endpoint for name in ("first", "second")
    )
    story.node.phase[live(first).pk] = ("failed", "killed")
    story.node.step()
    reconciler.watch_endpoints()
    assert alerts() == [(first.pk, "replicas", "open")]
    story.node.phase |= {live(first).pk: ("starting", ""), live(second).pk: ("failed", "killed")}
    story.node.step()
    node = Node.objects.get()
    (row,) = [row for row in node.report["revisions"] if row["id"] == live(first).pk]
    row["since"] = since
    node.save(update_fields=["report"])
    with pytest.raises((ValueError, TypeError)):  # the job has failed, and people are told
        reconciler.watch_endpoints()
    assert alerts() == [(first.pk, "replicas", "open"), (second.pk, "replicas", "open")]


@pytest.mark.parametrize("bad", [0, 1])
def test_windows_that_cannot_be_counted_stop_the_watch_over_no_other_endpoint(
    story: Story, bad: int
) -> None:
    endpoints = [story.live("development", endpoint=name).endpoint for name in ("first", "second")]
    for endpoint in endpoints:
        terms = ObjectiveTerms(availability=0.99, min_requests=10)
        actions.set_objective(endpoint, terms=terms, actor=story.otto)
        MetricWindow.objects.create(
            node=story.node.id,
            revision=live(endpoint).pk,
            seconds=10.0,
            status_5xx=100,
            started_at=now(),
            latency={"5": 100},
        )
    stuck = MetricWindow.objects.filter(revision=live(endpoints[bad]).pk)
    stuck.update(first={"moon_phase": 1})
    with pytest.raises(TypeError, match="moon_phase"):  # the job has failed, and people are told
        reconciler.watch_endpoints()
    assert alerts() == [(endpoints[1 - bad].pk, "objective", "open")]


@pytest.mark.parametrize("bad", [0, 1])
@pytest.mark.parametrize("fault", [{"first": {"moon_phase": 1}}, {"latency": {"5": "many"}}])
def test_windows_that_cannot_be_counted_cost_their_own_endpoint_its_figures(
    story: Story, bad: int, fault: dict[str, Any]
) -> None:
    endpoints = [story.live("development", endpoint=name).endpoint for name in ("first", "second")]
    for endpoint in endpoints:
        terms = ObjectiveTerms(availability=0.5, min_requests=10)
        actions.set_objective(endpoint, terms=terms, actor=story.otto)
        window(story, live(endpoint))
    Revision.objects.update(live_at=now() - timedelta(hours=1))
    MetricWindow.objects.filter(revision=live(endpoints[bad]).pk).update(**fault)
    good, odd = endpoints[1 - bad].name, endpoints[bad].name
    shown = scraped()
    assert shown["placet_endpoint_requests_5m"] == {(good, "2xx"): 100, **nothing(good)}
    assert {name for name, _ in shown["placet_endpoint_latency_5m_seconds"]} == {good}
    assert shown["placet_endpoint_objective"] == {(good, ""): 1, (odd, ""): -1}
    assert shown["placet_endpoints_uncounted"] == {("", ""): 1}
    assert len(shown["placet_node_report_age_seconds"]) == 1


def test_gauges_that_cannot_be_read_keep_no_others_from_being_shown(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    window(story, live(story.live("development").endpoint))
    assert scraped()["placet_node_report_age_seconds"] != {}
    monkeypatch.setattr(Node, "heard_at", None)
    shown = scraped()
    assert "placet_node_report_age_seconds" not in shown
    assert shown["placet_endpoints_uncounted"] == {("", ""): 0}
    assert "placet_alerts" in shown and "placet_audit_events" in shown


@pytest.mark.parametrize("since", ["yesterday", "2026-11-28", "2026-11-28T10:00:00", 7])
def test_a_report_with_a_time_that_nobody_can_read_is_refused_by_its_place(
    story: Story, since: object
) -> None:
    story.live()
    body = story.node.report_body()
    refusal = story.node.report(revisions=[{**body["revisions"][0], "since": since}])
    assert refusal.status_code == 400
    (fault,) = refusal.json()["errors"]
    assert fault["pointer"] == "/revisions/0/since"


def captured(story: Story) -> list[Revision]:
    """Return what is live at two endpoints that capture everything, in the order they are stored
    in."""
    found = [
        live(story.live("development", endpoint=name, serving=SERVING).endpoint)
        for name in ("first", "second")
    ]
    return sorted(found, key=lambda revision: revision.pk)


def stored() -> list[tuple[str, int]]:
    """Return of which revision how many predictions are stored."""
    rows = CapturedPrediction.objects.values_list("revision", flat=True)
    return sorted((pk, [*rows].count(pk)) for pk in {*rows})


BAD: list[dict[str, Any]] = [
    {"revision": ...},
    {"unit": [1]},
    {"unit": 7},
    {"unit": True},
    {"unit": []},
    {"unit": "\ud800"},
    {"inputs": '[{"age":"\ud800"}]'},
    {"outputs": '["\ud800"]'},
    {"outputs": '"a"'},
    {"rows": 2**70},
    {"at": 2**39},
    {"ms": 10**4000},
    {"id": 7},
    {"cohort": ["mirrored"]},
]


def test_lines_that_no_capture_writes_are_unreadable_and_stop_no_other(story: Story) -> None:
    first, second = captured(story)
    bad = [{n: v for n, v in (line(first.pk) | changes).items() if v is not ...} for changes in BAD]
    assert send(story.node, first.pk, text(*bad, line(first.pk, ms=3), line(first.pk)))[0] == 201
    assert send(story.node, second.pk, text(line(second.pk)))[0] == 201
    assert actions.store_captures() == 3
    assert stored() == [(first.pk, 2), (second.pk, 1)]
    unreadable = CaptureRange.objects.values_list("file__revision", "unreadable")
    assert dict(unreadable) == {first.pk: len(BAD), second.pk: 0}


def test_a_revision_of_which_nothing_can_be_stored_stops_no_other(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = captured(story)
    for revision in (first, second):
        assert send(story.node, revision.pk, text(line(revision.pk)))[0] == 201
    write = parquet.write

    def full(rows: Any, **after: Any) -> str:
        raise OSError("No space left on device")

    def once(*args: Any, **kwargs: Any) -> str:
        monkeypatch.setattr(parquet, "write", write)
        return full(*args, **kwargs)

    monkeypatch.setattr(parquet, "write", once)
    with pytest.raises(OSError, match="No space left"):  # the job has failed, people are told
        actions.store_captures()
    assert stored() == [(second.pk, 1)]
    assert actions.store_captures() == 1
    assert stored() == sorted([(first.pk, 1), (second.pk, 1)])


@pytest.mark.parametrize("stuck", [0, 1])
def test_a_file_that_cannot_be_deleted_stops_no_other_and_keeps_no_outcome(
    story: Story, run_jobs: Callable[..., int], monkeypatch: pytest.MonkeyPatch, stuck: int
) -> None:
    revisions = captured(story)
    for revision in revisions:
        assert send(story.node, revision.pk, text(line(revision.pk)))[0] == 201
    assert actions.store_captures() == 2
    CapturePart.objects.update(keep_until=now().date() - timedelta(days=1))
    bad, good = (CapturePart.objects.get(revision=r.pk).sha256 for r in revisions)
    bad, good = (bad, good) if stuck == 0 else (good, bad)
    Outcome.objects.create(
        endpoint=revisions[0].endpoint,
        prediction=uuid4(),
        name="churned",
        value=1.0,
        draw=0,
        reported_by="per_1",
        reported_at=now() - timedelta(days=8),
    )
    delete = Store.delete

    def held(blobs: Store, digest: str) -> None:
        if digest == bad:
            raise OSError("it is held")
        delete(blobs, digest)

    monkeypatch.setattr(Store, "delete", held)
    job = enqueue("monitoring.forget")
    run_jobs("control")
    job.refresh_from_db()
    assert (job.state, "it is held" in job.error) == ("failed", True)
    assert (store().exists(bad), store().exists(good)) == (True, False)
    assert (stored(), Outcome.objects.count()) == ([], 0)


def test_an_alert_that_cannot_be_opened_stops_none_about_another_kind_of_job(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("builds.one", "builds.two"):
        Job.objects.create(kind=kind, state="failed", due_at=now(), finished_at=now())
    open_alert = reconciler.open_alert

    def failing(finding: Any, **more: Any) -> Any:
        if finding.subject == "builds.one":
            raise RuntimeError("nobody thought of this")
        return open_alert(finding, **more)

    monkeypatch.setattr(reconciler, "open_alert", failing)
    with pytest.raises(RuntimeError, match="nobody thought"):
        reconciler.watch_jobs()
    assert alerts() == [("builds.two", "job_failed", "open")]

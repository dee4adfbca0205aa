"""An endpoint over time: requests, errors, latency, and what happened meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.monitoring.actions import open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import AlertKind, MetricWindow
from apps.rollouts.models import Rollout
from apps.rollouts.traffic import RANGES
from apps.serving.models import Endpoint
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from tests.support.factories import api, browser
from tests.support.story import Story

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(story: Story, first_release: None) -> Endpoint:
    """The endpoint that the first release of the story went to, and a second one since."""
    return story.live().endpoint


def count(endpoint: Endpoint, ago: float, number: int = 2, **changes: Any) -> None:
    """Have a node count requests of a revision so many seconds ago."""
    at = int(now().timestamp() - ago) // 10 * 10
    MetricWindow.objects.create(
        node="nod_1",
        revision=endpoint.revisions.get(number=number).pk,
        started_at=now().fromtimestamp(at, now().tzinfo),
        seconds=10,
        **{"status_2xx": 90, "status_5xx": 10, "latency": {"25": 90, "inf": 10}} | changes,
    )


def asked(story: Story, endpoint: Endpoint, query: str = "", who: str = "Otto") -> Any:
    """Return the traffic of an endpoint as somebody reads it."""
    return api(story.people[who]).get(f"/endpoints/{endpoint.pk}/traffic{query}")


def test_histograms_of_all_revisions_are_merged(story: Story, endpoint: Endpoint) -> None:
    """A percentile is read from the sum, and what no client was given is not in it."""
    fast = {"status_2xx": 100, "status_5xx": 0, "latency": {"5": 100}}
    apart = {
        "no_unit": {"status_2xx": 100, "latency": {"5": 100}},
        "mirrored": {"status_5xx": 900, "latency": {"inf": 900}},
        "overridden": {"status_5xx": 900, "latency": {"inf": 900}},
    }
    count(endpoint, 7200, 1, **fast, apart=apart)
    count(endpoint, 7200, 2)
    client = api(story.people["Otto"])
    with CaptureQueriesContext(connection) as caught:
        body = client.get(f"/endpoints/{endpoint.pk}/traffic?range=24h").json()
    assert len(caught) <= 10
    with CaptureQueriesContext(connection) as again:
        kept = client.get(f"/endpoints/{endpoint.pk}/traffic?range=24h").json()
    if kept["until"] == body["until"]:  # the next 30 s had not begun
        assert kept == body
        assert not any("monitoring_metricwindow" in q["sql"] for q in again.captured_queries)
    (point,) = body["points"]
    assert (point["requests"], point["per_second"]) == (300, 1)
    assert (point["error_rate"], point["client_error_rate"]) == (10 / 300, 0)
    assert point["p50_ms"] == pytest.approx(3.75)  # 150 of the 200 up to 5 ms
    assert 20 < point["p95_ms"] < 25
    assert point["p99_ms"] == 10_000  # the open-ended bucket: longer than the last bound


def test_a_range_has_at_most_300_stretches(story: Story, endpoint: Endpoint) -> None:
    count(endpoint, 60)
    count(endpoint, 10)  # may still be on its way: not drawn yet
    for chosen in RANGES.values():
        body = asked(story, endpoint, f"?range={chosen.name}").json()
        assert (body["range"], body["seconds"]) == (chosen.name, chosen.seconds)
        assert [row["requests"] for row in body["points"]] == [100]
        assert body["points"][0]["per_second"] >= 100 / chosen.seconds
        since, until = (now().fromisoformat(body[end]) for end in ("since", "until"))
        assert (until - since) / timedelta(seconds=chosen.seconds) <= 300
    answer = asked(story, endpoint, "?range=2y")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error == {"pointer": "range", "detail": "One of 1h, 6h, 24h, 7d, 30d"}
    page = browser(story.people["Otto"]).get(f"/endpoints/{endpoint.pk}/?range=2y")
    assert page.status_code == 400
    assert "One of 1h, 6h, 24h, 7d, 30d" in page.content.decode()


def test_what_happened_is_marked_in_words(story: Story, endpoint: Endpoint) -> None:
    """Rollouts and alerts of the time, the oldest first, and nothing from before it."""
    finding = AlertFinding(AlertKind.REPLICAS, endpoint.pk, "it", "1 of 2 answer", endpoint)
    alert = open_alert(finding, actor=SYSTEM)
    assert alert is not None
    body = asked(story, endpoint).json()
    assert [mark["says"] for mark in body["marks"]] == [
        "Rollout of revision 1 started",
        "Rollout of revision 1 finished",
        "Rollout of revision 2 started",
        "Rollout of revision 2 finished",
        "Alert: Replicas fail",
    ]
    assert body["marks"][-1] == {
        "at": rfc3339(alert.opened_at),
        "kind": "alert",
        "says": "Alert: Replicas fail",
        "id": alert.pk,
    }
    long_ago = now() - timedelta(hours=3)
    Rollout.objects.update(created_at=long_ago, finished_at=long_ago)
    assert [mark["kind"] for mark in asked(story, endpoint).json()["marks"]] == ["alert"]
    assert len(asked(story, endpoint, "?range=6h").json()["marks"]) == 5


def test_requests_of_two_half_minutes_stand_in_the_later_one(
    story: Story, endpoint: Endpoint
) -> None:
    """The first of them may have been made at the end of the window that counted them."""
    begin = int(now().timestamp() - 300) // 30 * 30
    MetricWindow.objects.create(
        node="nod_1",
        revision=endpoint.revisions.get(number=2).pk,
        started_at=now().fromtimestamp(begin + 29, now().tzinfo),
        seconds=10,
        status_2xx=29,
        latency={"25": 29},
    )
    (point,) = asked(story, endpoint).json()["points"]
    at = now().fromisoformat(point["at"]).timestamp()
    assert (at, point["requests"]) == (begin + 30, 29)

"""What one endpoint, or one line of it, is at fault with keeps nothing from the others."""

import pytest

from apps.monitoring import reconciler
from apps.monitoring.models import Alert
from apps.serving.models import Endpoint, Node, Revision
from tests.support.story import Story

pytestmark = pytest.mark.django_db


def live(endpoint: Endpoint) -> Revision:
    """Return what serves."""
    return Revision.objects.get(endpoint=endpoint, state="live")


def alerts() -> list[tuple[str, str, str]]:
    """Return subject, kind and state of the alerts, oldest first."""
    return [(row.subject, row.kind, row.state) for row in Alert.objects.order_by("pk")]


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

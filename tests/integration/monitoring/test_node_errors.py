"""What a node says that it cannot do is an alert once it has said so for a minute."""

from datetime import timedelta

import pytest

from apps.monitoring import reconciler
from apps.monitoring.models import Alert
from apps.serving.models import Node
from placet.kernel.clock import now, rfc3339
from tests.support.story import Story

pytestmark = pytest.mark.django_db
TOLD = {"code": "haproxy", "detail": "port 8080 is another program's"}


def alerts() -> list[tuple[str, str]]:
    """Return each alert, the first first, as kind and state."""
    return list(Alert.objects.order_by("pk").values_list("kind", "state"))


def said_for(seconds: float) -> str:
    """Have the node's error be as old as that, and return since when it is."""
    since = rfc3339(now() - timedelta(seconds=seconds))
    Node.objects.update(errors_since={TOLD["code"]: since})
    return since


def test_an_error_that_stays_is_an_alert_until_no_report_names_it(story: Story) -> None:
    story.node.errors = [TOLD]
    story.node.step()
    reconciler.watch_endpoints()
    assert alerts() == []
    since = said_for(61)
    story.node.step()
    assert Node.objects.get().errors_since == {"haproxy": since}
    reconciler.watch_endpoints()
    assert alerts() == [("node_error", "open")]
    alert = Alert.objects.get()
    assert alert.project is None
    assert alert.summary.endswith(" says haproxy: port 8080 is another program's")
    story.node.errors = []
    story.node.step()
    assert Node.objects.get().errors_since == {}
    reconciler.watch_endpoints()
    assert alerts() == [("node_error", "resolved")]


def test_an_error_that_was_away_begins_anew(story: Story) -> None:
    story.node.step()
    since = said_for(61)
    story.node.step()
    story.node.errors = [TOLD]
    story.node.step()
    reconciler.watch_endpoints()
    assert alerts() == []
    assert Node.objects.get().errors_since["haproxy"] > since


def test_what_a_silent_node_said_last_ends_nothing(story: Story) -> None:
    story.node.errors = [TOLD]
    story.node.step()
    said_for(90)
    reconciler.watch_endpoints()
    Node.objects.update(last_report_at=now() - timedelta(seconds=61))
    reconciler.watch_endpoints()
    assert alerts() == [("node_error", "open"), ("node_silent", "open")]


def test_what_cannot_be_put_into_a_state_is_an_alert_at_once(story: Story) -> None:
    story.node.step()
    Node.objects.update(left_out=[{"code": "endpoint_left_out", "detail": "its name is no name"}])
    reconciler.watch_endpoints()
    assert alerts() == [("node_error", "open")]

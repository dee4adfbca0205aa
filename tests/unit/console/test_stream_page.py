"""What the page of a stream says, and what it lets its reader do."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from apps.console.queries.streams import DeliveryRow, StreamPage, StreamRow
from apps.identity.models import Project
from apps.integrations.models import Delivery, Stream
from placet.kernel.actor import INSTANCE, Actor, Grant

AT = datetime(2026, 11, 28, tzinfo=UTC)
MANAGE, EXPORT = "stream.manage", "audit.export"


def stream(*permissions: str, project: Project | None = None, **members: Any) -> StreamPage:
    """Return a stream that waits, as somebody with these permissions sees it."""
    row = Stream(**{"name": "siem", "state": "paused", "project": project} | members)
    found: Any = SimpleNamespace(events=0)
    actor = Actor("person", "per_1", grants=frozenset(Grant(p, INSTANCE) for p in permissions))
    return StreamPage(StreamRow(row, found, ""), actor, [], {})


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (stream(), []),
        (stream(MANAGE), ["Send a test", "Rewind…", "Remove…"]),
        (stream(EXPORT), ["Start"]),
        (stream(EXPORT, started_by="per_2"), ["Resume"]),
        (stream(EXPORT, started_by="per_2", state="blocked"), ["Retry now"]),
        (
            stream(MANAGE, EXPORT, started_by="per_2", state="running"),
            ["Send a test", "Rewind…", "Pause", "Remove…"],
        ),
    ],
)
def test_what_can_be_done_with_a_stream_is_what_its_reader_may(
    view: StreamPage, said: list[str]
) -> None:
    assert [button.text for button in view.buttons] == said


@pytest.mark.parametrize(
    ("state", "retry_at", "said"),
    [
        ("blocked", AT, "Event 5 was refused. Forwarding is blocked so that no event is skipped"),
        ("paused", AT, "The last attempt failed"),
        ("failing", None, "Delivery fails"),
        ("failing", AT, "Delivery fails, next attempt"),
    ],
)
def test_a_stream_says_what_its_error_means(
    state: str, retry_at: datetime | None, said: str
) -> None:
    view = stream(state=state, retry_at=retry_at, cursor=5)
    assert view.fault == said
    assert (view.retry_at is not None) == said.endswith("attempt")


def test_a_stream_that_nobody_let_begin_says_whose_it_is_to_begin() -> None:
    clinic = Project(name="Clinic")
    assert [b.text for b in stream(project=clinic).banners] == [
        "Not started: someone with permission to export the log of Clinic has to start it."
    ]
    assert "export the whole log has" in stream().banners[0].text
    assert not stream(started_by="per_2").banners
    assert stream(project=clinic).carries == "Clinic, only hashes of other events"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"test": True, "events": 0}, "Test"),
        ({"events": 0}, "Checkpoint"),
        ({"events": 1}, "Event 12"),
        ({"events": 1500}, "1,500 events from 12"),
    ],
)
def test_a_delivery_says_what_was_sent(sent: dict[str, Any], said: str) -> None:
    assert DeliveryRow(Delivery(first=12, accepted=True, **sent)).what == said

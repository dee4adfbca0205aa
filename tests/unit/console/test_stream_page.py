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
        (stream(EXPORT), ["Let it begin"]),
        (stream(EXPORT, started_by="per_2"), ["Resume"]),
        (stream(EXPORT, started_by="per_2", state="blocked"), ["Try again now"]),
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
        ("blocked", AT, "Event 5 was refused, and nothing is left out: it waits for a person"),
        ("paused", AT, "The last attempt failed"),
        ("failing", None, "It does not get through"),
        ("failing", AT, "It does not get through and tries again"),
    ],
)
def test_a_stream_says_what_its_error_means(
    state: str, retry_at: datetime | None, said: str
) -> None:
    view = stream(state=state, retry_at=retry_at, cursor=5)
    assert view.fault == said
    assert (view.retry_at is not None) == said.endswith("again")


def test_a_stream_that_nobody_let_begin_says_whose_it_is_to_begin() -> None:
    clinic = Project(name="Clinic")
    assert [b.text for b in stream(project=clinic).banners] == [
        "It sends nothing until somebody who may export the log of Clinic has let it begin."
    ]
    assert "export the whole log has" in stream().banners[0].text
    assert not stream(started_by="per_2").banners
    assert stream(project=clinic).carries == "Clinic; of all else the hash"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"test": True, "events": 0}, "Test"),
        ({"events": 0}, "Checkpoint"),
        ({"events": 1}, "Event 12"),
        ({"events": 1500}, "1\u202f500 events from 12"),
    ],
)
def test_a_delivery_says_what_was_sent(sent: dict[str, Any], said: str) -> None:
    assert DeliveryRow(Delivery(first=12, accepted=True, **sent)).what == said

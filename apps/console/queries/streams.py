"""Streams of the log as their pages show them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from apps.console.queries.actor_names import actor_names
from apps.console.queries.models import projects_of
from apps.console.queries.page_parts import Banner, Button, Sign
from apps.console.queries.paging import keyed
from apps.console.templatetags.placet import number, sees_a_part
from apps.integrations.models import Delivery, Stream, StreamState
from apps.integrations.queries import (
    StreamLag,
    get_stream,
    last_deliveries,
    standings,
    visible_streams,
)
from apps.integrations.standing import StreamStanding, stream_standing
from placet.kernel.actor import Actor, Scope

STARTS = (("now", "Now on"), ("0", "The first event on"))


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream and how far it is; ``state`` is the word that people read."""

    stream: Stream
    found: StreamLag
    state: str

    @property
    def behind(self) -> str:
        """How many events were not sent yet; nothing where there are none."""
        return counted(self.found.events) if self.found.events else ""


@dataclass(frozen=True, slots=True)
class StreamListPage:
    """All that the page of streams shows."""

    rows: list[StreamRow]
    key: str  # to go on after
    may_add: bool
    may_start: bool
    projects: list[tuple[str, str]]  # whose events a new stream may carry alone
    partial: bool = False  # whether there may be others that the reader does not see
    starts: tuple[tuple[str, str], ...] = STARTS

    @property
    def empty_title(self) -> str:
        """What an empty page says."""
        return "No log forwarding that you may see" if self.partial else "No log forwarding"


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One attempt to send something."""

    delivery: Delivery

    @property
    def what(self) -> str:
        """What was sent."""
        sent = self.delivery
        if sent.test:
            return "Test"
        if sent.events == 0:
            return "Checkpoint"
        if sent.events == 1:
            return f"Event {number(sent.first)}"
        return f"{number(sent.events)} events from {number(sent.first)}"

    @property
    def sign(self) -> Sign:
        """What came of it."""
        if self.delivery.accepted:
            return Sign("pass", "✓", "Accepted")
        return Sign("fail", "✕", "Not taken")


@dataclass(frozen=True, slots=True)
class StreamPage:
    """All that the page of one stream shows."""

    row: StreamRow
    actor: Actor
    deliveries: list[DeliveryRow]
    names: dict[str, str]

    def may(self, permission: str) -> bool:
        """Tell whether the reader holds ``permission`` at the stream."""
        stream = self.row.stream
        return self.actor.can(permission, Scope(stream.project_scope(), stream.environment_scope()))

    @property
    def may_manage(self) -> bool:
        """Whether the reader may change or remove it."""
        return self.may("stream.manage")

    @property
    def buttons(self) -> list[Button]:
        """What the reader can do with it now."""
        return list(buttons(self))

    @property
    def banners(self) -> list[Banner]:
        """What it waits for before it sends anything."""
        stream = self.row.stream
        if stream.started_by:
            return []
        log = f"the log of {stream.project.name}" if stream.project else "the whole log"
        who = f"someone with permission to export {log}"
        return [Banner("info", f"Not started: {who} has to start it.")]

    @property
    def carries(self) -> str:
        """What it sends of the log."""
        project = self.row.stream.project
        return f"{project.name}, only hashes of other events" if project else "Everything"

    @property
    def removal(self) -> str:
        """What stands above the dialog that removes it."""
        return f"Remove {self.row.stream.name}?"

    @property
    def fault(self) -> str:
        """What its last error means, before when it tries again."""
        stream = self.row.stream
        if stream.state == StreamState.BLOCKED:
            event = f"Event {number(stream.cursor)}"
            return f"{event} was refused. Forwarding is blocked so that no event is skipped"
        if stream.state == StreamState.PAUSED:
            return "The last attempt failed"
        again = ", next attempt" if self.retry_at else ""
        return f"Delivery fails{again}"

    @property
    def retry_at(self) -> datetime | None:
        """When it tries again by itself."""
        stream = self.row.stream
        waits = stream.state in (StreamState.BLOCKED, StreamState.PAUSED)
        return None if waits else stream.retry_at


def counted(events: int) -> str:
    """Return so many events in words."""
    return f"{number(events)} event{'' if events == 1 else 's'}"


def buttons(page: StreamPage) -> Iterator[Button]:
    """Yield what the reader can do with a stream now, the usual thing last."""
    stream = page.row.stream

    def address(verb: str) -> str:
        return reverse("stream-do", args=[stream.pk, verb])

    if page.may_manage:
        yield Button("Send a test", post=address("test"))
        yield Button("Rewind…", dialog="rewind")
        if stream.state != StreamState.PAUSED:
            yield Button("Pause", post=address("pause"))
        yield Button("Remove…", dialog="remove", tone="outline-danger")
    if stream.state != StreamState.RUNNING and page.may("audit.export"):
        paused = "Resume" if stream.state == StreamState.PAUSED else "Retry now"
        text = paused if stream.started_by else "Start"
        yield Button(text, post=address("resume"), tone="primary")


def stream_list_page(actor: Actor, *, after: str = "") -> StreamListPage:
    """Return one page of streams by name."""
    rows, key = keyed(visible_streams(actor), ("name", "id"), after)
    return StreamListPage(
        rows=_rows(rows),
        key=key,
        may_add=actor.can_somewhere("stream.manage"),
        may_start=actor.can_somewhere("audit.export"),
        projects=[(p.slug, f"{p.name}, only hashes of other events") for p in projects_of(actor)],
        partial=sees_a_part(actor, "stream.view"),
    )


def stream_page(stream_id: str, actor: Actor) -> StreamPage:
    """Return one stream, or raise :class:`NotFound`."""
    stream = get_stream(stream_id, actor)
    (row,) = _rows([stream])
    names = actor_names({stream.created_by, stream.started_by} - {""})
    return StreamPage(row, actor, [DeliveryRow(d) for d in last_deliveries(stream)], names)


def _rows(streams: Iterable[Stream]) -> list[StreamRow]:
    return [StreamRow(lag.stream, lag, _word(lag.stream)) for lag in standings(streams)]


def _word(stream: Stream) -> str:
    standing = stream_standing(stream)
    if standing == StreamStanding.RUNNING:
        return "streaming"
    return standing if stream.started_by else "not_begun"

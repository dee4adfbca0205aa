"""Streams of the log as their pages show them."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.console.queries.names import actor_names
from apps.console.queries.paging import keyed
from apps.integrations.models import Delivery, Stream, StreamState
from apps.integrations.queries import (
    Standing,
    get_stream,
    last_deliveries,
    standings,
    visible_streams,
)
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream and how far it is; ``state`` is the word that people read."""

    stream: Stream
    found: Standing
    state: str


@dataclass(frozen=True, slots=True)
class StreamView:
    """All that the page of one stream shows."""

    row: StreamRow
    deliveries: list[Delivery]
    names: dict[str, str]


def stream_page(actor: Actor, after: str = "") -> tuple[list[StreamRow], str]:
    """Return one page of streams by name, and the name to go on after."""
    rows, key = keyed(visible_streams(actor), ("name",), after)
    return _rows(rows), key


def stream_view(actor: Actor, stream_id: str) -> StreamView:
    """Return one stream, or raise :class:`NotFound`."""
    stream = get_stream(stream_id, actor)
    (row,) = _rows([stream])
    names = actor_names({stream.created_by, stream.started_by} - {""})
    return StreamView(row, last_deliveries(stream), names)


def _rows(streams: Iterable[Stream]) -> list[StreamRow]:
    return [StreamRow(found.stream, found, _word(found.stream)) for found in standings(streams)]


def _word(stream: Stream) -> str:
    if stream.state == StreamState.RUNNING:
        return "failing" if stream.error else "streaming"
    return "not_begun" if not stream.started_by else stream.state

"""Streams as an actor may see them, how far they are, and what they send next."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db.models import F, Q, QuerySet, Subquery

from apps.audit.hooks import Follower
from apps.audit.models import ArchivedLeaf, Checkpoint, Event, LogHead
from apps.audit.names import origin
from apps.audit.queries import log_size
from apps.audit.queries.archived import in_order
from apps.identity.whole_projects import visible_whole
from apps.integrations.formats import Batch, StreamedEvent, StreamedHead
from apps.integrations.models import SENDING, Delivery, Stream
from apps.integrations.rules import scope_holds
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import NotFound

MOST_EVENTS = 500
MOST_BYTES = 1024 * 1024  # of bodies in one batch; one that is larger goes alone
COLUMNS = (
    "index",
    "leaf_hash",
    "body",
    "at",
    "kind",
    "actor_id",
    "subject",
    "project",
    "environment",
)


class EventMissing(Exception):
    """The log lacks an event below its size: somebody removed it."""


@dataclass(frozen=True, slots=True)
class StreamLag:
    """A stream and how far it is behind the log, which has ``size`` events."""

    stream: Stream
    size: int
    oldest_at: datetime | None  # when the first event was logged that was not sent yet
    seconds: float

    @property
    def events(self) -> int:
        """How many events were not sent yet."""
        return max(0, self.size - self.stream.cursor)


def visible_streams(actor: Actor) -> QuerySet[Stream]:
    """Return the streams of the projects, or of the instance, where ``actor`` sees them."""
    return visible_whole(Stream.objects.select_related("project"), actor, view="stream.view")


def get_stream(stream_id: str, actor: Actor) -> Stream:
    """Return one stream, or raise :class:`NotFound`."""
    stream = visible_streams(actor).filter(pk=stream_id).first()
    if stream is None:
        raise NotFound
    return stream


def standings(streams: Iterable[Stream]) -> list[StreamLag]:
    """Return how far each of ``streams`` is (two queries)."""
    rows, size, at = list(streams), log_size(), now()
    behind = Event.objects.filter(index__in={row.cursor for row in rows if row.cursor < size})
    times = dict(behind.values_list("index", "at"))
    lags = []
    for row in rows:
        text = times.get(row.cursor)
        oldest = datetime.fromisoformat(text) if text else None
        lag = max(0.0, (at - oldest).total_seconds()) if oldest else 0.0
        lags.append(StreamLag(row, size, oldest, lag))
    return lags


def following() -> list[Follower]:
    """Return how far each stream of the instance is, for who archives old events: a paused one
    holds them too. One of a project does not: who manages it must not stop the archiving of all."""
    rows = Stream.objects.filter(project=None)
    return [Follower(f"stream {row.name}", row.cursor) for row in rows]


def last_deliveries(stream: Stream, limit: int = 20) -> list[Delivery]:
    """Return the last attempts, newest first."""
    return list(stream.deliveries.order_by("-pk")[:limit])


def due() -> QuerySet[Stream]:
    """Return the streams that have something to send, or to try again, now."""
    size = Subquery(LogHead.objects.values("size")[:1])
    newest = Checkpoint.objects.order_by("-size").values("size")
    free = Q(retry_at__isnull=True) | Q(retry_at__lte=now())
    rows = Stream.objects.filter(free, state__in=SENDING).alias(signed=Subquery(newest[:1]))
    head = Q(checkpoint__lt=F("signed"), cursor__gte=F("signed"))
    return rows.filter(Q(cursor__lt=size) | head).order_by("pk")


def next_batch(stream: Stream) -> Batch | None:
    """Return what comes next, at most :data:`MOST_EVENTS`; ``None`` when all was sent.

    Commit order is leaf order, so what is there has no gap. Raises :class:`EventMissing` when
    there is one all the same.
    """
    leaves = tuple(_leaves(stream))
    end = stream.cursor + len(leaves)
    heads = Checkpoint.objects.filter(size__gt=stream.checkpoint, size__lte=end)
    head = heads.order_by("-size").first()
    if not leaves and head is None:
        return None
    signed = StreamedHead(head.size, bytes(head.root), head.note) if head else None
    return Batch(origin(), stream.cursor, leaves, signed)


def _leaves(stream: Stream) -> list[StreamedEvent]:
    limit = min(MOST_EVENTS, stream.batch_limit or MOST_EVENTS)
    events = Event.objects.filter(index__gte=stream.cursor).order_by("index")
    archived = ArchivedLeaf.objects.filter(index__gte=stream.cursor).order_by("index")
    rows = in_order(events.only(*COLUMNS)[:limit], archived[:limit])
    leaves: list[StreamedEvent] = []
    room = MOST_BYTES
    for row in islice(rows, limit):
        if row.index != stream.cursor + len(leaves):
            raise EventMissing(f"The log has no event {stream.cursor + len(leaves)}: verify it")
        leaf = leaf_of(row, stream.project_id)
        room -= len(leaf.body or "")
        if leaves and room < 0:
            break
        leaves.append(leaf)
    return leaves


def leaf_of(row: Event | ArchivedLeaf, project: str | None) -> StreamedEvent:
    """Return an event as what belongs to ``project`` carries it: of other projects, and of what was
    archived, the hash alone."""
    if not isinstance(row, Event):
        return StreamedEvent(row.index, bytes(row.leaf_hash), None)
    if not scope_holds(project, row.project):
        return StreamedEvent(row.index, bytes(row.leaf_hash), None)
    return StreamedEvent(
        row.index,
        bytes(row.leaf_hash),
        row.body,
        row.at,
        row.kind,
        row.actor_id,
        row.subject or "",
        row.project,
        row.environment,
    )


def test_batch() -> Batch:
    """Return a batch that holds nothing of the log."""
    return Batch(origin(), 0, (), test=True)

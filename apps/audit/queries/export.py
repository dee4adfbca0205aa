"""The log as lines: JSON for programs and verifiers, CSV for spreadsheets."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice, repeat
from operator import attrgetter

from django.db.models import QuerySet

from apps.audit.hooks import teller
from apps.audit.models import ArchivedLeaf, Event
from apps.audit.queries.archived import Leaf, in_order
from apps.audit.queries.bodies import body_of
from apps.audit.queries.events import entry_of
from apps.audit.queries.proofs import tree
from placet.kernel.actor import Actor
from placet.kernel.csv_cells import csv_row
from placet_verify.bundle.export import log_line
from placet_verify.log.merkle import TILE_HEIGHT, TILE_WIDTH
from placet_verify.log.tiles import path

COLUMNS = (
    "index",
    "at",
    "kind",
    "actor_kind",
    "actor",
    "accountable",
    "token",
    "subject",
    "project",
    "environment",
    "request",
    "job",
    "data",
    "leaf_hash",
)
TOLD = ("sentence", "actor_name", "about_name", "project_name")  # of apps.audit.hooks.Told
BATCH = 500


def every_event(size: int) -> Iterator[Leaf]:
    """Yield the first ``size`` events, in order, without holding them in memory; those that were
    archived as what is left of them."""
    events = Event.objects.filter(index__lt=size).order_by("index").iterator(chunk_size=BATCH)
    archived = ArchivedLeaf.objects.filter(index__lt=size).order_by("index")
    return in_order(events, archived.iterator(chunk_size=BATCH))


def streamed(events: QuerySet[Event]) -> Iterator[Event]:
    """Yield ``events`` in order, without holding them in memory."""
    return events.order_by("index").iterator(chunk_size=BATCH)


def jsonl_lines(events: Iterable[Leaf]) -> Iterator[str]:
    """Yield one line of JSON for each event. ``body`` is the very text that was hashed."""
    for event in events:
        yield log_line(event.index, event.body, bytes(event.leaf_hash)).decode("utf-8")


def csv_lines(events: Iterable[Leaf], reader: Actor | None = None) -> Iterator[str]:
    """Yield a header and one row for each event; no cell starts a formula. With a ``reader`` it
    ends with what pages tell them of it: without one the table holds no name, as the log does."""
    yield csv_row(COLUMNS if reader is None else (*COLUMNS, *TOLD))
    here = (event for event in events if event.body is not None)  # archived ones have no line
    while batch := list(islice(here, BATCH)):
        told: Iterable[tuple[str, ...]] = repeat(())
        if reader is not None:
            told = map(attrgetter(*TOLD), teller()([entry_of(event) for event in batch], reader))
        for event, names in zip(batch, told, strict=False):
            yield csv_row((*_cells(event), *names))


def _cells(event: Event) -> tuple[object, ...]:
    body = body_of(event.body)
    actor, cause = body["actor"], body["cause"]
    return (
        event.index,
        body["at"],
        body["kind"],
        actor["kind"],
        actor["id"],
        actor["accountable"],
        actor["token"],
        body["subject"],
        body["project"],
        body["environment"],
        cause.get("request"),
        cause.get("job"),
        json.dumps(body["data"], ensure_ascii=False, sort_keys=True),
        bytes(event.leaf_hash).hex(),
    )


def tiles_of(size: int) -> Iterator[tuple[str, bytes]]:
    """Yield every tile of the tree of ``size`` leaves as (path, bytes), the partial ones too."""
    source, level = tree(size), 0
    while count := size >> (TILE_HEIGHT * level):
        for index in range(-(-count // TILE_WIDTH)):
            hashes = source.tile(level, index)
            yield path(level, index, len(hashes)), b"".join(hashes)
        level += 1

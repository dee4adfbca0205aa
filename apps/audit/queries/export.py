"""The log as lines: JSON for programs and verifiers, CSV for spreadsheets."""

import json
from collections.abc import Iterable, Iterator

from django.db.models import QuerySet

from apps.audit.models import ArchivedLeaf, Event
from apps.audit.queries.archived import Leaf, in_order
from apps.audit.queries.bodies import body_of
from apps.audit.queries.proofs import tree
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


def every_event(size: int) -> Iterator[Leaf]:
    """Yield the first ``size`` events, in order, without holding them in memory; those that were
    archived as what is left of them."""
    events = Event.objects.filter(index__lt=size).order_by("index").iterator(chunk_size=500)
    archived = ArchivedLeaf.objects.filter(index__lt=size).order_by("index")
    return in_order(events, archived.iterator(chunk_size=500))


def streamed(events: QuerySet[Event]) -> Iterator[Event]:
    """Yield ``events`` in order, without holding them in memory."""
    return events.order_by("index").iterator(chunk_size=500)


def jsonl_lines(events: Iterable[Leaf]) -> Iterator[str]:
    """Yield one line of JSON for each event. ``body`` is the very text that was hashed."""
    for event in events:
        yield log_line(event.index, event.body, bytes(event.leaf_hash)).decode("utf-8")


def csv_lines(events: Iterable[Leaf]) -> Iterator[str]:
    """Yield a header and one row for each event; no cell starts a formula."""
    yield csv_row(COLUMNS)
    for event in events:
        if event.body is None:  # archived: a table of what happened has no line for it
            continue
        body = body_of(event.body)
        actor, cause = body["actor"], body["cause"]
        yield csv_row(
            (
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
        )


def tiles_of(size: int) -> Iterator[tuple[str, bytes]]:
    """Yield every tile of the tree of ``size`` leaves as (path, bytes), the partial ones too."""
    source, level = tree(size), 0
    while count := size >> (TILE_HEIGHT * level):
        for index in range(-(-count // TILE_WIDTH)):
            hashes = source.tile(level, index)
            yield path(level, index, len(hashes)), b"".join(hashes)
        level += 1

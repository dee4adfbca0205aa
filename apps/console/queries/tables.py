"""A list that can be taken away, and how it is written as CSV and as JSON."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from apps.governance.queries.named_filters import named
from placet.kernel.actor import Actor
from placet.kernel.clock import rfc3339
from placet.kernel.csv_cells import csv_row
from placet.kernel.filters import refuse_unknown

Filters = Mapping[str, str]
Values = tuple[Any, ...]
BATCH = 500


@dataclass(frozen=True, slots=True)
class ListTable:
    """A list that can be taken away: its columns, its filters, and where its rows come from.

    Each column reads its value from what ``read`` yields for a row. What is listed is seen by the
    permission ``view``; of the filters ``words`` are all that some may be, ``ids`` the rows that
    others name, and ``parse`` refuses what else is wrong in them.
    """

    columns: Mapping[str, Callable[..., Any]]
    filters: tuple[str, ...]
    read: Callable[[Actor, Filters], Iterator[tuple[Any, ...]]]
    view: str = "project.view"
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ids: Mapping[str, Callable[[Actor], QuerySet[Any]]] = field(default_factory=dict)
    parse: Callable[[Filters], object] = bool

    def check(self, actor: Actor, given: Filters) -> None:
        """Refuse filters that name nothing, before the first line is sent."""
        self.parse(given)
        refuse_unknown(
            given,
            words=self.words,
            called=named(given, actor, self.view),
            ids={name: rows(actor) for name, rows in self.ids.items()},
        )

    def rows(self, actor: Actor, given: Filters) -> Iterator[Values]:
        """Yield the values of each row that somebody may see, in the order of the columns."""
        for parts in self.read(actor, given):
            yield tuple(value(*parts) for value in self.columns.values())


def in_batches(rows: QuerySet[Any]) -> Iterator[Sequence[Any]]:
    """Yield rows by the hundreds, without holding them all in memory."""
    read = rows.iterator(chunk_size=BATCH)
    while batch := list(islice(read, BATCH)):
        yield batch


def csv_lines(table: ListTable, rows: Iterable[Values]) -> Iterator[str]:
    """Yield a header and one line for each row; no cell starts a formula."""
    yield csv_row(table.columns)
    for row in rows:
        yield csv_row(_text(value) for value in row)


def json_lines(table: ListTable, rows: Iterable[Values]) -> Iterator[str]:
    """Yield one JSON array of objects, a line for each row."""
    before = "[\n"
    for row in rows:
        yield before + json.dumps(dict(zip(table.columns, row, strict=True)), default=_plain)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _plain(value: Any) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def _text(value: Any) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return rfc3339(value) if isinstance(value, datetime) else value

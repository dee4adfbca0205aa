"""A list that can be taken away, and how it is written as CSV and as JSON."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from placet.kernel.actor import Actor
from placet.kernel.clock import rfc3339
from placet.kernel.sheets import csv_row

Filters = Mapping[str, str]
Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A list that can be taken away: its columns, its filters, and where its rows come from."""

    columns: tuple[str, ...]
    filters: tuple[str, ...]
    rows: Callable[[Actor, Filters], Iterator[Values]]


def csv_lines(table: Table, rows: Iterable[Values]) -> Iterator[str]:
    """Yield a header and one line for each row; no cell starts a formula."""
    yield csv_row(table.columns)
    for row in rows:
        yield csv_row(_text(value) for value in row)


def json_lines(table: Table, rows: Iterable[Values]) -> Iterator[str]:
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

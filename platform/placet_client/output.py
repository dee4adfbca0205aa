"""Prints answers: a table for people, the API's own JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table

# Without markup: what people wrote may hold brackets, and is printed as it is.
console = Console(highlight=False, markup=False)
notes = Console(stderr=True, highlight=False, markup=False)


class Form(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"


def show_list(items: Iterable[dict[str, Any]], columns: Sequence[str], form: Form) -> None:
    """Print a list: as JSON whole, as a table with ``columns`` (dots reach inside)."""
    rows = list(items)
    if form is Form.JSON:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name.rsplit(".", 1)[-1].upper(), overflow="fold")
    for row in rows:
        table.add_row(*(cell(reach(row, name)) for name in columns))
    console.print(table if rows else "nothing")


def show_one(item: dict[str, Any], form: Form) -> None:
    """Print one thing: as JSON whole, as a list of its plain members."""
    if form is Form.JSON:
        print_json(item)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in item.items():
        if isinstance(value, dict | list) and len(json.dumps(value)) > 200:
            value = f"{len(value)} entries (see -o json)"
        table.add_row(name, cell(value))
    console.print(table)


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def say(text: str) -> None:
    """Tell the person something that is not the answer."""
    notes.print(text, soft_wrap=True)


def reach(row: dict[str, Any], path: str) -> Any:
    """Return ``row["a"]["b"]`` for ``a.b``; ``None`` where something is missing."""
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def cell(value: Any) -> str:
    """Return a value as one cell."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    text = str(value)
    return f"{text[:15]}…{text[-4:]}" if text.startswith("sha256:") else text

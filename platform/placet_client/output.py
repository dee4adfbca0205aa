"""Prints answers: a table for people, the API's own JSON for programs.

What other people wrote (names, comments, logs) may hold escape sequences that repaint a terminal,
or marks that turn the direction of text. In tables they are shown as they are written, ``\\x1b``;
in JSON they are escaped as JSON can, which means the same to whoever reads it.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from placet_client.records import Record

# A pipe has no width: nothing is folded that a program would have to unfold.
WIDE = 2000
# Control characters but the line feed, marks of direction, and halves of characters.
UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Of a second: a table has none.
FRACTION = re.compile(r"(?<=^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+(?=(Z|[+-]\d\d:\d\d)$)")
Item = Mapping[str, Any] | Record
NONE = "No results that you may see."


class Form(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


console = _console()
notes = _console(stderr=True)


def plain(text: str) -> str:
    """Return ``text`` with everything visible that a terminal would obey instead of showing."""
    return UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def show_list(
    items: Iterable[Item],
    columns: Sequence[str],
    form: Form,
    *,
    none: str = NONE,
    heading: str = "",
) -> None:
    """Print a list: as JSON whole, as a table with ``columns`` (dots reach inside); ``none`` is
    said of an empty one. A ``heading`` goes where the rows go: without it nobody can tell one table
    of a file from the next."""
    rows = [_body(item) for item in items]
    if form is Form.JSON:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for label in _headings(columns):
        table.add_column(label, overflow="fold")
    if heading:
        tell(heading)
    for row in rows:
        table.add_row(*(Text(cell(reach(row, name))) for name in columns))
    if rows:
        _draw(table)
    else:
        console.print(none)


def _headings(columns: Sequence[str]) -> list[str]:
    """Return what stands above ``columns``: their last parts, or the whole of those that share
    one."""
    short = [name.rsplit(".", 1)[-1] for name in columns]
    names = [
        whole if short.count(last) > 1 else last for whole, last in zip(columns, short, strict=True)
    ]
    return [re.sub(r"[._]", " ", name).upper() for name in names]


def show_one(item: Item, form: Form, brief: Sequence[str] = ()) -> None:
    """Print one thing: as JSON whole, as a list of its members.

    ``brief`` names those that are worth a line where it was changed; the empty ones get none.
    """
    body = _body(item)
    if form is Form.JSON:
        print_json(body)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    if brief:
        body = {name: body[name] for name in brief if body.get(name) not in (None, "", [], {})}
    for name, value in body.items():
        if isinstance(value, dict | list) and len(json.dumps(value)) > 200:
            value = f"{len(value)} {'entry' if len(value) == 1 else 'entries'} (see -o json)"
        table.add_row(Text(plain(name.replace("_", " "))), Text(cell(value)))
    _draw(table)


def _draw(table: Table) -> None:
    """Print a table; a pipe is spared the spaces that fill its last column."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as drawn:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    escaped = UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    sys.stdout.write(escaped + "\n")


def say(text: str) -> None:
    """Tell the person something that is not the answer."""
    sys.stdout.flush()  # where both go to one place, it stands behind what was printed before
    notes.print(Text(plain(text)), soft_wrap=True)


def tell(text: str) -> None:
    """Print an answer that is one line of text."""
    console.print(Text(plain(text)), soft_wrap=True)


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show how far files are, on a terminal alone; call what is yielded with name, done, size."""
    tasks: dict[str, Any] = {}
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=notes,
        transient=True,
        disable=not sys.stderr.isatty(),
    )

    def update(name: str, done: int, size: int) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(plain(name), total=size or None)
        bar.update(tasks[name], completed=done)

    with bar:
        yield update


def measured(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was measured with shares in percent and other figures as pages write them."""
    return {name: _figure(name, value) for name, value in row.items()}


def _figure(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return measured(value)
    if not isinstance(value, float):
        return value
    if name == "share" or name.endswith("_rate"):
        return f"{value * 100:.4g}%"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def reach(row: Mapping[str, Any], path: str) -> Any:
    """Return ``row["a"]["b"]`` for ``a.b``; ``None`` where something is missing."""
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def cell(value: Any) -> str:
    """Return a value as one cell."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return plain(", ".join(value)) or "–"
    if isinstance(value, dict | list):
        return plain(json.dumps(value, ensure_ascii=False))
    text = FRACTION.sub("", plain(str(value)))
    return f"{text[:15]}…{text[-4:]}" if re.fullmatch(r"sha256:[0-9a-f]{64}", text) else text


def counted(count: int, one: str, many: str = "") -> str:
    """Return how many there are of something: ``1 release``, ``2 releases``, ``2 analyses``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _body(item: Item) -> dict[str, Any]:
    return item.raw if isinstance(item, Record) else dict(item)

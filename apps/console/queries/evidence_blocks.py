"""What the body of a piece of evidence is shown as: facts and tables, each cut to what a page can
hold. What is cut is counted, so that the page says so."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

from apps.console.queries.evidence_words import cut
from apps.console.templatetags.placet import digest, number
from apps.governance.summaries import mappings

T = TypeVar("T")
ROWS, COLUMNS, PARTS = 50, 4, 12  # of one table; so many parts of a body have a table of their own
LONGEST, LONGEST_NAME = 160, 80  # letters of one cell, and of what a fact is called
LETTERS, OF_A_ROW = 30_000, 60  # of all bodies on one page; what a row counts besides its text
_SHA256 = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table, with a sign or a bar where it has one."""

    text: str
    css: str = "text-break"
    tone: str = ""
    icon: str = ""
    bar: float | None = None  # how long it is, in percent
    is_below: bool = False  # the bar is of a number below zero
    discuss: str = ""  # where what it names is discussed


@dataclass(frozen=True, slots=True)
class Block:
    """A table; one without ``columns`` is a list of facts, a name and a value in each row."""

    rows: Sequence[Sequence[Cell]]
    total: int
    columns: Sequence[Cell] = ()
    title: str = ""

    @property
    def more(self) -> int:
        """How many rows are not shown."""
        return self.total - len(self.rows)


class Allowance:
    """What the bodies on one page may still hold together: each takes from it as it is shown."""

    def __init__(self, letters: int = LETTERS) -> None:
        self.left = letters

    def fit(self, blocks: Iterable[Block]) -> list[Block]:
        """Return ``blocks`` with as many rows as there is room for, and as one without any what
        follows."""
        shown, over = list[Block](), 0
        for block in blocks:
            if self.left > 0 and block.total:
                shown.append(replace(block, rows=list(self._rows(block))))
            else:
                over += block.total
        return [*shown, Block((), over)] if over else shown

    def text(self, text: str) -> str:
        """Return as much of ``text`` as there is room for, in whole lines where it has some."""
        if len(text) > self.left:
            start = text[: max(self.left, 0)]
            text = start.rpartition("\n")[0] or start
        self.left -= len(text)
        return text

    def _rows(self, block: Block) -> Iterator[Sequence[Cell]]:
        for row in block.rows:
            self.left -= OF_A_ROW + sum(len(cell.text) for cell in row)
            if self.left < 0:
                return
            yield row


def said(value: Any) -> str:
    """Return any JSON value as a page shows it: a digest to copy, a number, text, else JSON."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "–"
    if isinstance(value, str) and _SHA256.fullmatch(value):
        return digest(value)
    if isinstance(value, Mapping) and is_flat(value.values()):
        return cut(inline(value), LONGEST)
    if isinstance(value, int | float | str):
        return cut(number(value), LONGEST)
    try:
        return cut(json.dumps(value, ensure_ascii=False, default=str), LONGEST)
    except RecursionError:
        return "nested too deep to be shown"


def inline(members: Mapping[Any, Any]) -> str:
    """Return a few members on one line."""
    return ", ".join(f"{name}: {number(value)}" for name, value in islice(members.items(), LONGEST))


def is_flat(values: Iterable[Any]) -> bool:
    """Tell whether none of ``values`` has members itself."""
    return not any(isinstance(value, Mapping | list) for value in values)


def name_of(name: Any) -> str:
    """Return what a member is called, as people write it."""
    text = str(name).replace("_", " ")
    return cut(text[:1].upper() + text[1:], LONGEST_NAME)


def cell(value: Any, **more: Any) -> Cell:
    """Return any JSON value as a cell."""
    return Cell(said(value), **more)


def figure(value: Any) -> Cell:
    """Return a number as a cell, and that there is none; any other value is set as text."""
    is_number = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    return Cell(said(value), "num") if is_number else cell(value)


def facts(pairs: Iterable[tuple[str, Any]], title: str = "", total: int = 0) -> Block:
    """Return a list of facts; a value may be a cell already."""
    rows = [
        (Cell(cut(name, LONGEST_NAME)), value if isinstance(value, Cell) else cell(value))
        for name, value in islice(pairs, ROWS)
    ]
    return Block(rows, total or len(rows), title=title)


def head(name: Any) -> Cell:
    """Return the heading of a column that somebody else named."""
    return Cell(cut(str(name), LONGEST_NAME), "text-break")


def table(
    columns: Sequence[str | Cell],
    items: Sequence[T],
    row: Callable[[T], Sequence[Cell]],
    *,
    numbers: Sequence[int] = (),
    title: str = "",
) -> Block:
    """Return a table of the first of ``items``; the columns of ``numbers`` stand at the right."""
    heads = [name if isinstance(name, Cell) else Cell(name, "") for name in columns]
    for at in numbers:
        if at < len(heads):
            heads[at] = replace(heads[at], css=f"num {heads[at].css}")
    return Block([row(item) for item in items[:ROWS]], len(items), heads, title)


def rest(data: Mapping[str, Any], title: str = "") -> Iterator[Block]:
    """Yield whatever a body holds: plain members as facts, and each of the first that have members
    themselves as facts or a table of its own."""
    parts = [name for name, value in data.items() if _is_part(value)][:PARTS]
    plain = [(name_of(name), value) for name, value in data.items() if name not in parts]
    yield facts(plain, title, len(plain))
    for name in parts:
        yield _part(name_of(name), data[name])


def _is_part(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and len(mappings(value)) == len(value)
    return isinstance(value, Mapping) and len(value) > 1


def _part(title: str, value: Any) -> Block:
    if isinstance(value, Mapping):
        return facts(((name_of(n), v) for n, v in value.items()), title, len(value))
    rows: list[Mapping[Any, Any]] = mappings(value)
    found = list(dict.fromkeys(name for one in rows[:ROWS] for name in one))
    names = found[:COLUMNS]
    if not names:
        return facts([(title, f"{len(rows)} without members")])
    if len(found) > COLUMNS:
        title = f"{title}, {COLUMNS} of {len(found)} columns"

    def row(one: Mapping[Any, Any]) -> Sequence[Cell]:
        return [figure(one.get(name)) for name in names]

    return table([head(name_of(name)) for name in names], rows, row, title=title)

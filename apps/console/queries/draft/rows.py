"""Tables that one types into, a row of inputs each, and the values that were typed."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from django.http import QueryDict

from placet.kernel.api.parsers import strict_loads
from placet.kernel.problems import FieldError, InvalidInput

MAX_TYPED = 200_000  # letters; what is longer is not edited in a browser
_POSITION = re.compile(r"[0-9]{1,6}")
MORE, DROP = "more", "drop"  # the buttons that add a row and take one away


@dataclass(slots=True)
class TypedRow:
    """What was typed into one row, by the name of the input, and what is wrong with it."""

    cells: dict[str, str]
    faults: dict[str, list[str]] = field(default_factory=dict)
    new: bool = False  # it was asked for just now
    blank: bool = False  # nothing was typed into it yet

    def blame(self, name: str, detail: str) -> None:
        """Say what is wrong with an input of the row."""
        self.faults.setdefault(name, []).append(detail)


@dataclass(slots=True)
class TypedForm:
    """The form of one part of a draft: what stands in it, and what is wrong, where."""

    faults: dict[str, list[str]] = field(default_factory=dict)  # by the name of the input
    rest: list[str] = field(default_factory=list)  # what belongs to none
    refused: bool = False
    seen: str = ""  # the digest of what was stored when it was shown
    unsaved: bool = False  # it is shown as it was sent, and not as it is stored

    @property
    def tables(self) -> Mapping[str, list[TypedRow]]:
        """Its tables by name: the lists themselves."""
        return {}

    @property
    def empty_row(self) -> TypedRow:
        """A row as the page adds it to any of its tables."""
        return TypedRow({}, blank=True)

    def differs(self, stored: "TypedForm") -> bool:
        """Tell whether it holds something else than what is stored; where in doubt, it does."""
        return True

    def place(self, errors: Iterable[FieldError], detail: str) -> None:
        """Say each error beside the input that it is about, and else above the form."""
        self.refused, found = True, list(errors)
        for error in found:
            steps = [unescape(step) for step in error.pointer.strip("/").split("/")]
            if not self.blame(steps, error.detail):
                self.rest.append(f"{error.pointer.lstrip('/')}: {error.detail}")
        if not found:
            self.rest.append(detail)

    def blame(self, steps: Sequence[str], detail: str) -> bool:
        """Say what is wrong beside an input; tell whether there is one for it: here is none."""
        return False

    def rearrange(self, data: QueryDict) -> bool:
        """Add a row, or take one away, as a button asked; tell whether one did.

        Rows that nothing was typed into stay while rows are arranged; none of them is saved.
        """
        table, _, position = data.get(DROP, "").partition(".")
        if table in self.tables and _POSITION.fullmatch(position):
            del self.tables[table][int(position) : int(position) + 1]
            return True
        if (table := data.get(MORE, "")) in self.tables:
            self.tables[table].append(TypedRow({}, new=True, blank=True))
            return True
        for rows in self.tables.values():
            rows[:] = [row for row in rows if not row.blank]
        return False


def read_rows(data: QueryDict, table: str, names: Sequence[str], *, by: Sequence[str]) -> Any:
    """Return the rows of a table; ``blank`` are those where nothing stands in the inputs ``by``."""
    columns = [data.getlist(f"{table}.{name}") for name in names]
    rows = [
        TypedRow(dict(zip(names, row, strict=True))) for row in zip_longest(*columns, fillvalue="")
    ]
    for row in rows:
        row.blank = not any(row.cells[name].strip() for name in by)
    return rows


def by_name(rows: Iterable[TypedRow], read: Callable[[str], Any], pointer: str) -> dict[str, Any]:
    """Return the values of rows by their names, each of which may stand once."""
    found: dict[str, Any] = {}
    for row in rows:
        name = row.cells["name"].strip()
        if name in found:
            raise InvalidInput(errors=[FieldError(f"{pointer}/{name}", f"{name!r} stands twice")])
        found[name] = read(row.cells["value"])
    return found


def value_of(text: str) -> Any:
    """Return what was typed: the JSON value that it is, and else the text itself."""
    try:
        return strict_loads(text.encode("utf-8", "replace"))
    except InvalidInput:
        return text.strip()


def text_of(value: Any) -> str:
    """Return what one types to get ``value``."""
    if isinstance(value, str) and value_of(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def too_long(*values: Any) -> bool:
    """Tell whether values are longer than a form for them should be."""
    return sum(len(json.dumps(value, ensure_ascii=False)) for value in values) > MAX_TYPED


def unescape(step: str) -> str:
    """Return the name that a step of a JSON pointer stands for."""
    return step.replace("~1", "/").replace("~0", "~")

"""How a list is sorted: by which of its columns, and which way."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Self

Direction = Literal["ascending", "descending", "none"]


@dataclass(frozen=True, slots=True)
class Sorting:
    """The columns that a list can be sorted by, and the one that it is sorted by.

    Each column has a word for addresses, and the fields that it goes by: together they are unique,
    never null, and read from an index or of few rows. ``-`` in front of either is the other way
    round. What is asked for and is no column counts as not asked for.
    """

    columns: Mapping[str, tuple[str, ...]]
    usual: str
    asked: str = ""

    def of(self, asked: str) -> Self:
        """Return it as an address asks for."""
        known = asked.removeprefix("-") in self.columns and asked != self.usual
        return replace(self, asked=asked if known else "")

    @property
    def fields(self) -> tuple[str, ...]:
        """What the rows are ordered by."""
        now = self.asked or self.usual
        fields = self.columns[now.removeprefix("-")]
        return tuple(map(_turned, fields)) if now.startswith("-") else fields

    def direction(self, column: str) -> Direction:
        """Return which way it is sorted by a column."""
        now = self.asked or self.usual
        if now.removeprefix("-") != column:
            return "none"
        return "descending" if now.startswith("-") else "ascending"

    def next(self, column: str) -> str:
        """Return what the heading of a column asks for: upwards first, then the other way round,
        then '' for what is usual."""
        if self.asked == f"-{column}":
            return ""
        word = f"-{column}" if self.direction(column) == "ascending" else column
        return "" if word == self.usual else word


def _turned(field: str) -> str:
    return field.removeprefix("-") if field.startswith("-") else f"-{field}"


# No index goes by "place": so it has no heading, and is what is usual alone.
MODELS = Sorting(
    {"place": ("project__slug", "name"), "name": ("name", "project__slug"), "created": ("pk",)},
    usual="place",
)
VERSIONS = Sorting({"number": ("number",)}, usual="-number")
RELEASES = Sorting({"requested": ("pk",), "state": ("state", "pk")}, usual="-requested")
ENDPOINTS = Sorting(
    {
        "place": ("project__slug", "environment", "name"),
        "name": ("name", "project__slug", "environment"),
    },
    usual="place",
)
ALERTS = Sorting({"attention": ("-state", "-opened_at", "-pk"), "opened": ("pk",)}, "attention")
RECALLS = Sorting({"recalled": ("pk",)}, usual="-recalled")
PEOPLE = Sorting({"name": ("called", "pk")}, usual="name")
TOKENS = Sorting(
    {
        "name": ("name", "pk"),
        "used": ("used", "pk"),
        "expires": ("expires_at", "pk"),
        "made": ("pk",),
    },
    usual="-made",
)
ALL_TOKENS = Sorting(
    {"name": ("name", "pk"), "expires": ("expires_at", "pk"), "made": ("pk",)}, usual="-made"
)

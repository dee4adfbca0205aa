"""Reads the permission table, and finds every route there is."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

TABLE = Path(__file__).with_name("table.txt")
COLUMNS = (
    "anonymous",
    "viewer",
    "contributor",
    "reviewer",
    "approver",
    "operator",
    "auditor",
    "admin",
    "stranger",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what each role is answered on one route with one method."""

    method: str
    route: str
    expected: tuple[str, ...]
    line: int

    @property
    def is_group(self) -> bool:
        """Tell whether this line only says that other tests cover what lies below."""
        return self.method == "ANY"

    def covers(self, method: str, route: str) -> bool:
        """Tell whether this line speaks of ``method`` on ``route``."""
        if self.is_group:
            return route.startswith(self.route.removesuffix("**"))
        return (self.method, self.route) == (method, route)


def rows() -> list[Row]:
    """Return the lines of the table; a malformed one is an error with its number."""
    found = []
    for number, text in enumerate(TABLE.read_text().splitlines(), 1):
        words = text.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 + len(COLUMNS):
            raise ValueError(f"table.txt:{number}: {len(words)} words, not {2 + len(COLUMNS)}")
        found.append(Row(words[0], words[1], tuple(words[2:]), number))
    return found


def routes() -> set[tuple[str, str]]:
    """Return every (method, route) that the URL configuration answers; HEAD counts as GET."""
    return {
        (method, route)
        for route, view in _patterns(get_resolver().url_patterns, "/")
        for method in methods(view)
    }


def _patterns(patterns: list[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        here = prefix + plain(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern):
            yield here, pattern.callback


def plain(pattern: str) -> str:
    """Return ``people/<str:person>`` as ``people/{person}``; likewise for regular expressions."""
    pattern = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", pattern))
    return pattern.removeprefix("^").removesuffix("$").removesuffix("\\Z")


def methods(view: Any) -> set[str]:
    """Return the methods that ``view`` handles.

    A class has handlers by name; a function says so by ``require_http_methods``, whose list is
    found in its closure.
    """
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if view_class is not None:
        handled = {m.upper() for m in view_class.http_method_names if hasattr(view_class, m)}
        return handled - {"OPTIONS", "HEAD"} or {"GET"}
    return set(_required(view) or {"GET", "POST"}) - {"OPTIONS", "HEAD"}


def _required(view: Any) -> list[str] | None:
    while view is not None:
        if inspect.isfunction(view):
            found = inspect.getclosurevars(view).nonlocals.get("request_method_list")
            if found:
                return list(found)
        view = getattr(view, "__wrapped__", None)
    return None

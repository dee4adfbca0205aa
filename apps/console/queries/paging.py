"""Pages of long lists by the key of their last row: the tenth costs what the first does."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet, Subquery

from placet.kernel.ids import is_id

M = TypeVar("M", bound=Model)
PAGE = 50


def keyed(
    rows: QuerySet[M], fields: Sequence[str], after: str = "", most: int = 0
) -> tuple[list[M], str]:
    """Return one page of ``rows`` in the order of ``fields``, and the key to go on after.

    ``fields`` are names, ``-`` in front for downwards, and together unique. The key is the last
    row's, joined by ``/``; it is '' at the end. A key that is none counts as not given.
    """
    values, most = after.split("/"), most or PAGE
    if _fits(fields, values):
        with suppress(ValueError, ValidationError):
            rows = rows.filter(_beyond(fields, values))
    page_rows = list(rows.order_by(*fields)[: most + 1])
    more = len(page_rows) > most
    return page_rows[:most], "/".join(_key(page_rows[most - 1], fields)) if more else ""


def placed(
    rows: QuerySet[M, Any], every: QuerySet[M, Any], fields: Sequence[str], after: str = ""
) -> tuple[list[Any], str]:
    """Return one page of ``rows`` as :func:`keyed` does, but by the id of its last row: what it is
    sorted by stands in no address.

    Its place is read in ``every``, which has what is annotated, and of which its reader sees all.
    """
    if is_id(after):
        last = every.filter(pk=after)
        values = [Subquery(last.values(field.removeprefix("-"))) for field in fields]
        rows = rows.filter(_beyond(fields, values))
    page_rows = list(rows.order_by(*fields)[: PAGE + 1])
    return page_rows[:PAGE], page_rows[PAGE - 1].pk if len(page_rows) > PAGE else ""


def newest(rows: QuerySet[M], before: str, most: int = 0) -> tuple[list[M], str]:
    """Return one page of ``rows``, newest first, and the id to go on before ('' at the end)."""
    return keyed(rows, ("-pk",), before, most)


def _beyond(fields: Sequence[str], values: Sequence[Any]) -> Q:
    """The rows after the one with these values: ``a > x or (a = x and b > y) or …``.

    That none is before ``a``, too, is said of its own: an index begins there.
    """
    wanted, equal = Q(pk__in=[]), Q()
    for field, value in zip(fields, values, strict=True):
        name = field.removeprefix("-")
        wanted |= equal & Q(**{f"{name}__{_way(field)}": value})
        equal &= Q(**{name: value})
    return Q(**{f"{fields[0].removeprefix('-')}__{_way(fields[0])}e": values[0]}) & wanted


def _fits(fields: Sequence[str], values: Sequence[str]) -> bool:
    """Tell whether a key may be one of these fields, and not another list's."""
    if values == [""] or len(values) != len(fields):
        return False
    return all(
        is_id(value)
        for field, value in zip(fields, values, strict=True)
        if field.removeprefix("-") == "pk"
    )


def _way(field: str) -> str:
    return "lt" if field.startswith("-") else "gt"


def _key(row: object, fields: Sequence[str]) -> list[str]:
    key = []
    for field in fields:
        value = row
        for name in field.removeprefix("-").split("__"):
            value = getattr(value, name)
        key.append(str(value))
    return key

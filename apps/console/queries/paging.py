"""Pages of long lists by the key of their last row: the tenth costs what the first does."""

from collections.abc import Sequence
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from placet.kernel.ids import is_id

M = TypeVar("M", bound=Model)
PAGE = 50


def keyed(rows: QuerySet[M], fields: Sequence[str], after: str = "") -> tuple[list[M], str]:
    """Return one page of ``rows`` in the order of ``fields``, and the key to go on after.

    ``fields`` are names and together unique. The key is the last row's, joined by ``/``; it is ''
    at the end. A key that is none counts as not given.
    """
    values = after.split("/")
    if len(values) == len(fields):
        rows = rows.filter(_beyond(fields, values))
    page_rows = list(rows.order_by(*fields)[: PAGE + 1])
    more = len(page_rows) > PAGE
    return page_rows[:PAGE], "/".join(_key(page_rows[PAGE - 1], fields)) if more else ""


def newest(rows: QuerySet[M], before: str, most: int = PAGE) -> tuple[list[M], str]:
    """Return one page of ``rows``, newest first, and the id to go on before ('' at the end)."""
    rows = rows.filter(pk__lt=before) if is_id(before) else rows
    page_rows = list(rows.order_by("-pk")[: most + 1])
    return page_rows[:most], page_rows[most - 1].pk if len(page_rows) > most else ""


def _beyond(fields: Sequence[str], values: Sequence[str]) -> Q:
    """The rows after the one with these values: ``a > x or (a = x and b > y) or …``."""
    wanted, equal = Q(pk__in=[]), Q()
    for field, value in zip(fields, values, strict=True):
        wanted |= equal & Q(**{f"{field}__gt": value})
        equal &= Q(**{field: value})
    return wanted


def _key(row: object, fields: Sequence[str]) -> list[str]:
    key = []
    for field in fields:
        value = row
        for name in field.split("__"):
            value = getattr(value, name)
        key.append(str(value))
    return key

"""Subqueries that read nothing of the query around them, as SQL that is made once; and several
questions in one query.

Django resolves and copies whatever stands in a query with each expression around it, and compiles
it anew in each: of what every page reads that was most of the time it took.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, F, Field, Func, QuerySet
from django.db.models.expressions import RawSQL

NOTHING = "SELECT NULL WHERE FALSE"  # of what Django knows to find no row


def settled(rows: QuerySet[Any, Any], field: "Field[Any, Any]", *, many: bool = False) -> RawSQL:
    """Return the one column of ``rows`` as an expression of ``field``: of their first row, or of
    ``many`` as an array. They refer to no query around them (Django's ``OuterRef``): ``ValueError``
    else."""
    sql, params = _sql(rows)
    if many:
        return RawSQL(f"ARRAY({sql})", params, ArrayField(field))  # noqa: S611  (Django made it)
    return RawSQL(sql, params, field)  # noqa: S611  (Django made it)


def among(ids: QuerySet[Any, Any], *, field: str = "pk") -> Func:
    """Return the condition that ``field`` is one of ``ids``, which refer to no query around them
    either. ``pk__in`` says the same."""
    sql, params = _sql(ids)
    return Func(
        F(field),
        RawSQL(sql, params),  # noqa: S611  (Django made it)
        template="%(expressions)s",
        arg_joiner=" IN ",
        output_field=BooleanField(),
    )


def finding(groups: Iterable[Iterable[QuerySet[Any, Any]]]) -> list[bool]:
    """Ask of each group of queries whether any of them finds a row, with one query for all."""
    columns: list[str] = []
    params: list[Any] = []
    for group in groups:
        terms = ["FALSE"]
        for rows in group:
            with suppress(EmptyResultSet):
                sql, more = rows.query.exists(limit=False).sql_with_params()
                terms.append(f"EXISTS ({sql})")
                params += more
        columns.append(" OR ".join(terms))
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(columns), params)
        return list(cursor.fetchone())


def _sql(rows: QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    try:
        return rows.query.sql_with_params()
    except EmptyResultSet:
        return NOTHING, ()

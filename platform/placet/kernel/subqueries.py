"""Subqueries that read nothing of the query around them, as SQL that is made once.

Django resolves and copies whatever stands in a query with each expression around it, and compiles
it anew in each: of what every page reads that was most of the time it took.
"""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
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


def _sql(rows: QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    try:
        return rows.query.sql_with_params()
    except EmptyResultSet:
        return NOTHING, ()

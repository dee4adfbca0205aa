"""Events by what they are about and which rows they show."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.models import F, Func, JSONField, Model, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat

from apps.audit.events import EventKind
from apps.audit.models import FAMILY, Event, logged
from apps.audit.queries.bodies import body_of, states_of


def events_about(subjects: Iterable[str], *kinds: EventKind) -> dict[int, str]:
    """Return the bodies of the events of these kinds about these subjects, by index, in order.

    Who may read them is asked by the caller.
    """
    names = [kind.name for kind in kinds]
    rows = Event.objects.filter(subject__in=list(subjects), kind__in=names).order_by("index")
    return dict(rows.values_list("index", "body"))


def showing(events: Mapping[int, str], rows: Collection[str]) -> dict[int, str]:
    """Return those of ``events`` that show one of ``rows``, each named as ``row_key`` does."""
    wanted = set(rows)
    return {
        index: body
        for index, body in events.items()
        if not wanted.isdisjoint(states_of(body_of(body)))
    }


def naming(
    kind: EventKind, column: str, ids: QuerySet[Any, Any], within: Func, row: type[Model] | None
) -> QuerySet[Event]:
    """Return the events of this kind ``within`` some projects that name one of ``ids`` by a column
    of the ``row`` that they are about, or in their data where they hold none. Their subjects are
    found by it when the rows are gone.

    Of a project's events those of a family have an index; the bodies of these are read.
    """
    said = _row_said(row, column) if row else logged(column)
    families = Event.objects.alias(family=FAMILY, said=said)
    family = kind.name.partition(".")[0]
    return families.filter(within, family=family, kind=kind.name, said__in=ids)


def _row_said(row: type[Model], column: str) -> Func:
    key = Concat(Value(f"{row._meta.label_lower}:"), F("subject"), output_field=TextField())
    return Func(
        *(Cast(F("body"), JSONField()), Value("after"), key, Value(column)),
        function="jsonb_extract_path_text",
        output_field=TextField(),
    )

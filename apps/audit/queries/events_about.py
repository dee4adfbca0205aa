"""Events by what they are about and which rows they show."""

from collections.abc import Collection, Iterable, Mapping

from apps.audit.events import EventKind
from apps.audit.models import Event
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

"""When revisions of a policy were in force, and who withdrew those that never were."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.audit.models import Event
from apps.governance.events import POLICY_WITHDRAWN
from apps.governance.models import PolicyRevision
from apps.governance.rules import PolicyState


def standing(row: Any) -> str:
    """Return how a revision stands, in the word that pages and lists have: ``draft``,
    ``withdrawn``, ``active``, or ``superseded``, which it can be where :func:`with_ends` read it:
    what an action returns was published just now."""
    if row.state != PolicyState.PUBLISHED:
        return str(row.state)
    return "superseded" if getattr(row, "next", None) else "active"


def with_ends(rows: QuerySet[PolicyRevision]) -> QuerySet[PolicyRevision, Any]:
    """Have each revision bring who withdrew it and when (``withdrawn``: ``by`` and ``at``), and the
    next one that was published (``next``: ``number`` and ``at``); ``None`` where there is none."""
    withdrawn = Event.objects.filter(subject=OuterRef("pk"), kind=POLICY_WITHDRAWN.name)
    later = PolicyRevision.objects.filter(
        environment=OuterRef("environment"),
        number__gt=OuterRef("number"),
        state=PolicyState.PUBLISHED,
    ).order_by("number")
    return rows.annotate(
        withdrawn=Subquery(withdrawn.values(json=JSONObject(by="actor_id", at="at"))[:1]),
        next=Subquery(later.values(json=JSONObject(number="number", at="published_at"))[:1]),
    )

"""What a recall of a person or a passkey took back of releases that waited: decisions, and
emergency releases that ended with it.

Nothing that is stored names the recall: it is the first that takes back what somebody had signed
before.
"""

from typing import Any

from django.db.models import BooleanField, Case, F, Func, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.fields.json import KeyTextTransform

from apps.assurance.models import Recall, RecallEffect, RecallKind
from apps.assurance.rules import SIGNERS
from apps.governance.models import BreakGlassSignature, Decision, Release
from apps.governance.queries.uncounting import RECALLED


def voided_something(project: str) -> Q:
    """Select the recalls that took something back in a project, by its slug."""
    found = (rows.filter(project__slug=project) for rows in (_decisions(), _signatures()))
    decided, signed = (Q(pk__in=rows.values("recall")) for rows in found)
    return decided | signed


def voided_along(recall: Recall) -> QuerySet[Release, Any]:
    """Return the releases of which ``recall`` took something back, each with what: decisions
    (``voids``), or an emergency release that ended (``ends``). Those that fell by it are left out;
    who sees which, the caller asks."""
    if recall.kind not in SIGNERS:
        return Release.objects.none()
    decided = _decisions().filter(recall=recall.pk).values("release")
    signed = _signatures().filter(recall=recall.pk).values("glass__release")
    voids, ends = Q(pk__in=decided), Q(pk__in=signed)
    fell = RecallEffect.objects.filter(recall=recall).values("release")
    rows = Release.objects.filter(voids | ends).exclude(pk__in=fell)
    return rows.annotate(voids=_whether(voids), ends=_whether(ends))


def _decisions() -> QuerySet[Any]:
    rows = Decision.objects.filter(voided_reason=RECALLED)
    return rows.annotate(recall=first_recall(F("pk"))).filter(recall__isnull=False)


def _signatures() -> QuerySet[Any]:
    """Signatures for emergency releases that ended with a recall before anything started."""
    ended = {"glass__used_at": None, "glass__ended_at__isnull": False}
    rows = BreakGlassSignature.objects.filter(**ended)
    rows = rows.annotate(recall=first_recall(F("pk"), "glass__ended_at"))
    return rows.filter(recall__isnull=False)


def first_recall(told: Any, until: str = "") -> Subquery:
    """Return what is ``told`` of the first recall that takes back what was signed, made at
    ``until`` at the latest, as a column of a query that reads signatures."""
    credential = KeyTextTransform("credential", OuterRef("assertion"))
    named = Func(
        F("names__passkeys"), credential, function="jsonb_exists", output_field=BooleanField()
    )
    rows = Recall.objects.filter(created_at__gte=OuterRef("created_at"), kind__in=SIGNERS)
    rows = rows.filter(created_at__lte=OuterRef(until)) if until else rows
    rows = rows.alias(named=named)
    own = Q(kind=RecallKind.PERSON, what=OuterRef("person"))
    return Subquery(rows.filter(own | Q(named=True)).order_by("pk").values(told=told)[:1])


def _whether(condition: Q) -> Case:
    return Case(When(condition, then=True), default=False, output_field=BooleanField())

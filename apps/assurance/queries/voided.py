"""What a recall of a person or a passkey took back of releases that waited: decisions, and
emergency releases that ended with it.

Nothing that is stored names the recall: it is the first that takes back what somebody had signed
before.
"""

from copy import copy
from typing import Any

from django.db.models import BooleanField, Case, F, Func, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.fields.json import KeyTextTransform

from apps.assurance.models import Recall, RecallEffect, RecallKind, RecallState
from apps.assurance.rules import SIGNERS
from apps.governance.models import BreakGlassSignature, Decision, Release
from apps.governance.queries.uncounting import RECALLED
from apps.identity.queries import visible
from apps.registry.queries import large_of
from placet.kernel.actor import Actor


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


def voided_seen(recall: Recall, actor: Actor) -> QuerySet[Release, Any]:
    """Return those of them that ``actor`` may see."""
    return visible(voided_along(recall), actor, view="release.view")


def voided_by_each(recalls: QuerySet[Recall], actor: Actor) -> dict[str, list[Any]]:
    """Return the same of each of ``recalls`` by its id, as far as ``actor`` sees the releases (four
    queries at most)."""
    gone: dict[tuple[str, str], set[str]] = {}
    for word, rows, of in (
        ("voids", _decisions(), "release"),
        ("ends", _signatures(), "glass__release"),
    ):
        for pair in rows.filter(recall__in=recalls.values("pk")).values_list("recall", of):
            gone.setdefault(pair, set()).add(word)
    if not gone:
        return {}
    there = RecallEffect.objects.filter(recall__in={recall for recall, _ in gone})
    fell = set(there.values_list("recall", "release"))
    seen = visible(Release.objects.all(), actor, view="release.view")
    seen = seen.select_related("project", "environment", "version__model")
    releases = seen.defer(*large_of("version")).in_bulk({release for _, release in gone})
    found: dict[str, list[Any]] = {}
    for pair in sorted(gone.keys() - fell):
        if seen_one := releases.get(pair[1]):
            release: Any = copy(seen_one)
            release.voids, release.ends = (word in gone[pair] for word in ("voids", "ends"))
            found.setdefault(pair[0], []).append(release)
    return found


def _decisions() -> QuerySet[Any]:
    rows = Decision.objects.filter(voided_reason=RECALLED)
    return rows.annotate(recall=first_recall(F("pk"))).filter(recall__isnull=False)


def _signatures() -> QuerySet[Any]:
    """Signatures for emergency releases that ended with a recall before anything started."""
    ended = {"glass__used_at": None, "glass__ended_at__isnull": False}
    rows = BreakGlassSignature.objects.filter(**ended)
    rows = rows.annotate(recall=first_recall(F("pk"), "glass__ended_at"))
    return rows.filter(recall__isnull=False)


def first_recall(told: Any, until: str = "", *, standing: bool = False) -> Subquery:
    """Return what is ``told`` of the first recall that takes back what was signed, made at
    ``until`` at the latest, or that is ``standing``, as a column of a query that reads signatures.
    """
    credential = KeyTextTransform("credential", OuterRef("assertion"))
    named = Func(
        F("names__passkeys"), credential, function="jsonb_exists", output_field=BooleanField()
    )
    rows = Recall.objects.filter(created_at__gte=OuterRef("created_at"), kind__in=SIGNERS)
    rows = rows.filter(created_at__lte=OuterRef(until)) if until else rows
    rows = rows.filter(state=RecallState.STANDING) if standing else rows
    rows = rows.alias(named=named)
    own = Q(kind=RecallKind.PERSON, what=OuterRef("person"))
    return Subquery(rows.filter(own | Q(named=True)).order_by("pk").values(told=told)[:1])


def _whether(condition: Q) -> Case:
    return Case(When(condition, then=True), default=False, output_field=BooleanField())

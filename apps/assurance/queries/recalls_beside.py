"""Recalls as columns of the queries that read what they reached, and what is told of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, JSONObject, Now

from apps.assurance.models import (
    UNCONFIRMED,
    EffectAction,
    Recall,
    RecallEffect,
    RecallKind,
    RecallState,
)
from apps.assurance.queries.ways_back import stopped_before, way_back
from apps.audit.queries import unseal_many
from apps.governance.rules import ReleaseState
from apps.identity.queries import name_in, sees_in
from apps.serving.models import Revision
from placet.kernel.actor import Actor
from placet.kernel.clock import rfc3339

RECALLED: dict[str, str] = {  # why a release ended, where the reason of the recall is not told
    RecallKind.VERSION: "Its version was recalled",
    RecallKind.BENTO: "Its Bento was recalled",
    RecallKind.DATASET: "Data that its version was trained on was recalled",
    RecallKind.WHEEL: "A wheel in its Bento was recalled",
    RecallKind.KEY: "The key that signed its Bento was recalled",
    RecallKind.PASSKEY: "A passkey that signed for it was recalled",
    RecallKind.PERSON: "What somebody had signed for it was recalled",
}


def told_of_recall() -> JSONObject:
    """Return the recall of an effect, its project, what it took back, by whom, when and why, when
    that was withdrawn, and which one reaches the same release since (``again``), as a column of a
    query for effects."""
    columns = {"by": "recalled_by", "at": "created_at", "reason": "reason_sealed"}
    columns["lifted_at"] = "lifted_at"
    told = {name: f"recall__{column}" for name, column in columns.items()}
    told |= {"project": "recall__project", "kind": "recall__kind"}
    version = {"model": "release__version__model__name", "number": "release__version__number"}
    beside = {"name": name_in("recall__recalled_by"), "again": recalled_again()}
    return JSONObject(id="recall", **beside, **told, **version)


def recalled_again() -> Subquery:
    """Return the newest recall that stands and reached the release of an effect after the one that
    the effect is of, with its project, by whom and when, as a column of a query for effects."""
    rows = RecallEffect.objects.filter(
        release=OuterRef("release"),
        recall__state=RecallState.STANDING,
        recall__created_at__gt=OuterRef("recall__created_at"),
    )
    columns = {"project": "recall__project", "by": "recall__recalled_by"}
    columns["at"] = "recall__created_at"
    told = JSONObject(id="recall", name=name_in("recall__recalled_by"), **columns)
    return Subquery(rows.order_by("-pk").values(json=told)[:1])


def recalls_told(found: Iterable[Mapping[str, Any]], actor: Actor) -> dict[str, dict[str, Any]]:
    """Return by its id who made a recall, when and why, and when it was withdrawn, of those in
    ``found``, as :func:`told_of_recall` has them, that ``actor`` may see (one query)."""
    seen = [one for one in found if sees_in(one["project"], "recall.view", actor)]
    reasons = unseal_many({one["reason"] for one in seen})
    return {
        one["id"]: {
            "id": one["id"],
            "by": one["by"],
            "by_name": one["name"],
            "at": rfc3339(datetime.fromisoformat(one["at"])),
            "reason": reasons.get(one["reason"], ""),
            "withdrawn_at": one["lifted_at"] and rfc3339(datetime.fromisoformat(one["lifted_at"])),
        }
        for one in seen
    }


def recall_that_ended() -> Subquery:
    """Return the recall that ended a revision as a column of the query that reads it."""
    ended = Coalesce(OuterRef("ended_at"), OuterRef("last_served_at"))  # once not written down
    rows = RecallEffect.objects.filter(release=OuterRef("release"), recall__created_at__lte=ended)
    ran = rows.exclude(action=EffectAction.REVOKED).order_by("pk")
    return Subquery(ran.values(json=told_of_recall())[:1])


def recall_that_revoked(release: str = "pk") -> Subquery:
    """Return the recall that revoked a release, as a column of the query that reads it, or has it
    as ``release``: the first that reached one that is revoked, which it stays."""
    rows = RecallEffect.objects.filter(release=OuterRef(release)).order_by("pk")
    rows = rows.filter(release__state=ReleaseState.REVOKED)
    return Subquery(rows.values(json=told_of_recall())[:1])


def recall_before_the_decision() -> Subquery:
    """Return the newest recall of a release's version, or of its Bento, that was withdrawn before
    the release was decided, as a column of the query that reads releases."""
    decided = Coalesce(OuterRef("approved_at"), OuterRef("ended_at"), Now())
    own = Q(kind=RecallKind.VERSION, what=OuterRef("version"))
    own |= Q(kind=RecallKind.BENTO, what=OuterRef("bento"))
    rows = Recall.objects.filter(own, state=RecallState.LIFTED, lifted_at__lte=decided)
    rows = rows.filter(Q(project=None) | Q(project=OuterRef("project"))).order_by("-lifted_at")
    columns = {"at": "created_at", "lifter": name_in("lifted_by"), "by": name_in("recalled_by")}
    told = JSONObject(id="pk", project="project", kind="kind", lifted_at="lifted_at", **columns)
    return Subquery(rows.values(json=told)[:1])


def recall_that_stopped(endpoint: str = "") -> Subquery:
    """Return the recall that had Placet stop an endpoint, as a column of a query that reads it, or
    has it as ``endpoint``."""
    at = f"{endpoint}__" if endpoint else ""
    rows = _stopping().filter(
        endpoint=OuterRef(endpoint or "pk"), recall__created_at__lte=OuterRef(f"{at}stopped_at")
    )
    return Subquery(rows.values(json=told_of_recall())[:1])


def recalls_that_stopped(endpoints: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return all recalls that ever had Placet stop these endpoints, the newest first, by endpoint
    (one query, none for no endpoint)."""
    found: dict[str, list[dict[str, Any]]] = {pk: [] for pk in endpoints}
    if endpoints:
        rows = _stopping().filter(endpoint__in=endpoints)
        for pk, told in rows.values_list("endpoint", told_of_recall()):
            found[pk].append(told)
    return found


def _stopping() -> QuerySet[RecallEffect]:
    return RecallEffect.objects.filter(action=EffectAction.STOPPED).order_by("-pk")


def reached_by() -> ArraySubquery:
    """Return the standing recalls that took what was live off an endpoint, newest first, as a
    column of the query that reads it. Once another revision went live since (``is_past``), or a
    later one, perhaps withdrawn since, took off what served after it (``is_followed``), only one
    is left that its node has still to confirm."""
    later = Revision.objects.filter(
        endpoint=OuterRef("endpoint"), live_at__gt=OuterRef("recall__created_at")
    ).exclude(pk=OuterRef("fallback"))
    of_live = RecallEffect.objects.filter(action__in=(EffectAction.FELL_BACK, EffectAction.STOPPED))
    followed = of_live.filter(
        endpoint=OuterRef("endpoint"), recall__created_at__gt=OuterRef("recall__created_at")
    )
    rows: QuerySet[RecallEffect, Any] = of_live.filter(
        endpoint=OuterRef("pk"), recall__state=RecallState.STANDING
    ).annotate(is_past=Exists(later), is_followed=Exists(followed), back=way_back())
    holds = Q(is_past=False, is_followed=False)
    rows = rows.filter(holds | Q(state__in=UNCONFIRMED)).order_by("-pk")
    effect = JSONObject(
        recall="recall",
        project="recall__project",
        kind="recall__kind",
        action="action",
        was_stopped=stopped_before(),
        back="back",
        state="state",
        at="recall__created_at",
        is_past="is_past",
        is_followed="is_followed",
    )
    return ArraySubquery(rows.values(json=effect)[:3])

"""Recalls as the pages show them."""

from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, IntegerField, OuterRef, QuerySet, Value, When
from django.db.models.functions import JSONObject

from apps.assurance.models import EffectState, RecallEffect, RecallKind
from apps.assurance.queries import (
    Place,
    Reach,
    effects_of,
    foresee,
    get_recall,
    preview,
    receipts_of,
    visible_recalls,
    with_counts,
)
from apps.assurance.rules import CONTRADICTIONS, IN_PROJECT
from apps.audit.queries import unseal_many
from apps.console.queries.names import actor_names
from apps.console.queries.paging import PAGE
from apps.identity.models import ApproverPasskey, Project, User
from apps.identity.queries import visible_people
from apps.registry.models import ModelVersion
from apps.serving.drivers.node.driver import is_alive
from placet.kernel import keystore
from placet.kernel.actor import INSTANCE, Actor, Scope
from placet.kernel.clock import now
from placet.kernel.ids import is_id

SHOWN = 200
# What is not confirmed comes first, and of that what contradicts itself.
ORDER = Case(
    When(state=EffectState.CONTRADICTED, then=Value(0)),
    When(state=EffectState.OPEN, then=Value(1)),
    When(state=EffectState.CONFIRMED, then=Value(2)),
    default=Value(3),
    output_field=IntegerField(),
)


@dataclass(frozen=True, slots=True)
class EffectRow:
    """What a recall did to one release, for its table."""

    effect: RecallEffect
    alive: bool
    joined: bool

    @property
    def contradiction(self) -> str:
        """What the node says against its own receipt."""
        return CONTRADICTIONS.get(self.effect.contradiction, "")


@dataclass(frozen=True, slots=True)
class RecallView:
    """Everything the page of one recall shows."""

    recall: Any  # with its counts
    title: str
    effects: list[EffectRow]
    more: int
    receipts: list[Any]
    reason: str
    lift_reason: str
    names: dict[str, str]
    may_lift: bool

    @property
    def share(self) -> int:
        """How many of a hundred releases that ran are confirmed."""
        return 100 * self.recall.confirmed // self.recall.ran if self.recall.ran else 100


def recall_rows(actor: Actor, *, state: str = "", before: str = "") -> tuple[list[Any], str]:
    """Return one page of recalls, newest first, and the id to go on before."""
    rows = with_counts(visible_recalls(actor)).order_by("-pk")
    rows = rows.filter(state=state) if state else rows
    rows = rows.filter(pk__lt=before) if is_id(before) else rows
    found: list[Any] = list(rows[: PAGE + 1])
    names = actor_names({row.recalled_by for row in found})
    for row in found:
        row.by = names.get(row.recalled_by, "")
    return found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else ""


def recall_view(recall_id: str, actor: Actor) -> RecallView:
    """Return everything the page of one recall shows, or raise ``NotFound``."""
    recall: Any = get_recall(recall_id, actor)
    rows = effects_of(recall).annotate(rank=ORDER).order_by("rank", "pk")
    effects, at = [], now()
    for effect in rows[:SHOWN]:
        node = getattr(effect.target, "node", None)
        alive = node is not None and is_alive(node.heard_at, at)
        effects.append(EffectRow(effect, alive, node is not None))
    texts = unseal_many([recall.reason_sealed, recall.lift_reason_sealed])
    scope = Scope(recall.project_id) if recall.project_id else INSTANCE
    return RecallView(
        recall=recall,
        title=_title(recall.kind, recall.what),
        effects=effects,
        more=max(0, recall.reached - SHOWN),
        receipts=list(receipts_of(recall).select_related("target").order_by("-pk")[:20]),
        reason=texts.get(recall.reason_sealed, ""),
        lift_reason=texts.get(recall.lift_reason_sealed, ""),
        names=actor_names({recall.recalled_by, recall.lifted_by}),
        may_lift=recall.state == "standing"
        and actor.can("recall.lift", scope)
        and actor.accountable != recall.recaller,
    )


def _title(kind: str, what: str) -> str:
    """Return what was recalled as people name it; '' where its digest or id must do."""
    if kind == "version":
        row = ModelVersion.objects.select_related("model").filter(pk=what).first()
        return str(row) if row else ""
    if kind == "passkey":
        passkey = ApproverPasskey.objects.select_related("person").filter(pk=what).first()
        return f"{passkey.name} of {passkey.person}" if passkey else ""
    if kind == "person":
        person = User.objects.filter(pk=what).first()
        return str(person) if person else ""
    return ""


@dataclass(frozen=True, slots=True)
class RecallForm:
    """What the form to recall something shows."""

    kinds: list[tuple[str, str]]
    projects: list[Project]
    people: list[User]
    found: Reach | None = None
    places: tuple[Place, ...] = ()

    @property
    def endpoints(self) -> int:
        """How many endpoints would be reached."""
        return len({place.release.endpoint_id for place in self.places})


def may_recall(actor: Actor) -> bool:
    """Tell whether there is anything that ``actor`` may recall."""
    return actor.can_somewhere("recall.create")


def recall_form(actor: Actor, *, kind: str = "", what: str = "", project: str = "") -> RecallForm:
    """Return the form; with ``kind`` and ``what`` also what that recall would reach."""
    everywhere = actor.can("recall.create")
    projects = [p for p in Project.objects.order_by("slug") if _may_in(actor, p)]
    kinds = [(k, n) for k, n in RecallKind.choices if everywhere or k in IN_PROJECT]
    people = list(visible_people(actor).order_by("name")) if everywhere else []
    form = RecallForm(kinds, projects, people)
    if not (kind and what):
        return form
    place = next((p for p in projects if p.slug == project), None)
    where = place if kind in IN_PROJECT else None
    found = foresee(actor, kind=kind, what=what, project=where, ring=keystore.ring())
    return RecallForm(kinds, projects, people, found, tuple(preview(found)))


def _may_in(actor: Actor, project: Project) -> bool:
    return actor.can("recall.create", Scope(project.pk))


def reached_by() -> ArraySubquery:
    """Return the standing recalls that took what was live off an endpoint, newest first, as a
    column of the query that reads it."""
    rows: QuerySet[RecallEffect] = RecallEffect.objects.filter(
        endpoint=OuterRef("pk"), recall__state="standing", action__in=("fell_back", "stopped")
    ).order_by("-pk")
    told = JSONObject(recall="recall", action="action", state="state", at="recall__created_at")
    return ArraySubquery(rows.values(json=told)[:3])

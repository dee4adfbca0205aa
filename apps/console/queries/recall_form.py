"""The form that recalls something, and what that would reach."""

from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse

from apps.assurance.models import EffectAction, RecallKind
from apps.assurance.queries import (
    RecallReach,
    RecallSubject,
    ReleaseImpact,
    foresee,
    preview,
    voided_by,
)
from apps.assurance.queries.named_items import named_item, recallable
from apps.assurance.queries.outcomes import DONE, foreseen, would
from apps.assurance.rules import IN_PROJECT
from apps.console.queries.page_parts import Link, counted
from apps.console.queries.recall_items import EarlierRecall, earlier_recall, none_affected
from apps.console.queries.recall_voided import VOIDED, VoidedRow
from apps.identity.models import Project, User
from apps.identity.queries import visible, visible_people
from apps.monitoring.queries import requests_of
from apps.registry.models import ModelVersion
from apps.registry.queries import large_of
from placet.kernel import keystore
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now
from placet.kernel.problems import NeedsPermission

RECALL = "recall.create"
SAME_FILES = 10  # versions that are named


@dataclass(frozen=True, slots=True)
class ImpactRow:
    """One release that a recall would reach, for the table beside the form."""

    impact: ReleaseImpact
    actor: Actor
    requests: int = 0  # that it answered in the last hour

    @property
    def asked(self) -> str:
        """Those requests in words."""
        return counted(self.requests, "request")

    @property
    def stops(self) -> bool:
        """Whether its endpoint would serve nothing."""
        return self.impact.action == EffectAction.STOPPED

    @property
    def runs(self) -> bool:
        """Whether it runs, so that something would change there."""
        return self.impact.action in DONE

    @property
    def would(self) -> str:
        """What would become of it."""
        back = self.impact.fallback
        number, one = back.number if back else None, self.impact
        stopped = one.release.endpoint.is_stopped
        state, action = one.release.state, one.action
        return foreseen(state, action, number, one.along, one.serving, stopped=stopped)

    @property
    def is_over(self) -> bool:
        """Whether it had ended before, so that nothing would change."""
        return would(self.impact.release.state, self.impact.action) is None

    @property
    def earlier(self) -> EarlierRecall | None:
        """The recall that revoked it before."""
        return earlier_recall(self.impact.revoking, self.actor)


@dataclass(frozen=True, slots=True)
class RecallForm:
    """What the form to recall something shows."""

    kinds: list[tuple[str, str]]
    projects: list[Project]
    people: list[User]
    found: RecallReach | None = None
    rows: tuple[ImpactRow, ...] = ()  # what would be reached
    same_files: tuple[Link, ...] = ()  # other versions of just these files, that the reader sees
    voided: tuple[VoidedRow, ...] = ()  # what waits and would lose a decision: one more than shown

    @property
    def endpoints(self) -> int:
        """At how many endpoints something would change."""
        return len({row.impact.release.endpoint_id for row in self.rows if not row.is_over})

    @property
    def affected(self) -> int:
        """How many releases would be ended."""
        return sum(not row.is_over for row in self.rows)

    @property
    def none(self) -> str:
        """What is said where none would be."""
        kind = self.found.subject.kind if self.found else ""
        return none_affected(kind, voids=bool(self.voided)) if kind else ""

    @property
    def same_files_say(self) -> str:
        """What stands before those versions."""
        which = "another version" if len(self.same_files) == 1 else "other versions"
        return f"The same files are in {which} too, which this recall does not reach:"

    @property
    def voided_shown(self) -> tuple[VoidedRow, ...]:
        """The first of the releases that would lose one."""
        return self.voided[:VOIDED]

    @property
    def voided_say(self) -> str:
        """What stands before them."""
        many = f"more than {VOIDED}" if len(self.voided) > VOIDED else str(len(self.voided))
        waits = "release that waits" if len(self.voided) == 1 else "releases that wait"
        return f"Of {many} {waits} this voids what was decided:"

    @property
    def aborted(self) -> str:
        """Which rollouts of other releases would be aborted, in a sentence; '' for none."""
        many = sum(row.impact.along is not None for row in self.rows)
        if many > 1:
            return f"{many} rollouts of other releases would be aborted."
        return "1 rollout of another release would be aborted." if many else ""

    @property
    def over(self) -> str:
        """How many releases had ended before, in a sentence; '' for none."""
        many = len(self.rows) - self.affected
        return f"{counted(many, 'release')} had ended before." if many else ""

    @property
    def traffic(self) -> str:
        """What those releases answered lately."""
        asked = sum(row.requests for row in self.rows)
        if not asked:
            return "They answered no request in the last hour."
        return f"They answered {counted(asked, 'request')} in the last hour."


def may_recall(actor: Actor) -> bool:
    """Tell whether there is anything that ``actor`` may recall: a role in one environment alone
    does not reach it, since a recall counts in a whole project."""
    return any(g.permission == RECALL and not g.scope.environment for g in actor.grants)


def demand_recall(actor: Actor) -> None:
    """Refuse whoever may recall nothing."""
    if not may_recall(actor):
        held = (g.scope.project for g in actor.grants if g.permission == RECALL)
        within = next((Scope(project) for project in held), None)
        raise NeedsPermission(actor, RECALL, scope=within)


def recall_form(actor: Actor, *, kind: str = "", what: str = "", project: str = "") -> RecallForm:
    """Return the form; with ``kind`` and ``what`` also what that recall would reach."""
    everywhere = actor.can(RECALL)
    projects = recallable(actor)
    kinds = [(k, n) for k, n in RecallKind.choices if everywhere or k in IN_PROJECT]
    people = list(visible_people(actor).order_by("name")) if everywhere else []
    form = RecallForm(kinds, projects, people)
    if not (kind and what):
        return form
    item = named_item(actor, projects, kind=kind, what=what, project=project)
    reach = foresee(actor, kind=kind, what=item.what, project=item.project, ring=keystore.ring())
    rows = tuple(_impact_rows(preview(reach), actor))
    same = same_files(reach.subject, actor)
    return RecallForm(kinds, projects, people, reach, rows, same, _voided(reach))


def _voided(reach: RecallReach) -> tuple[VoidedRow, ...]:
    """Return what waits and would lose a decision (one query, none where nobody's are recalled)."""
    rows = voided_by(reach).select_related("project", "environment", "version__model")
    rows = rows.defer(*large_of("version")).order_by("pk")
    return tuple(VoidedRow(row, foreseen=True) for row in rows[: VOIDED + 1])


def same_files(subject: RecallSubject, actor: Actor) -> tuple[Link, ...]:
    """Return the newest other versions, in any project that ``actor`` sees, with just the files of
    the version that is recalled, or whose Bento is (one query, none for what has no files)."""
    if subject.kind not in (RecallKind.VERSION, RecallKind.BENTO):
        return ()
    named = {"pk" if subject.kind == RecallKind.VERSION else "bentos": subject.what}
    own = ModelVersion.objects.filter(**named)
    rows = visible(ModelVersion.objects.all(), actor, view="version.view")
    rows = rows.filter(artifact_digest__in=own.values("artifact_digest"))
    rows = rows.exclude(artifact_digest="").exclude(pk__in=own.values("pk")).order_by("-pk")
    names = rows.values_list("project__slug", "model__name", "number")[:SAME_FILES]
    return tuple(
        Link(f"{project}/{model}:{number}", reverse("version", args=[project, model, number]))
        for project, model, number in names
    )


def _impact_rows(impacts: list[ReleaseImpact], actor: Actor) -> list[ImpactRow]:
    """Return what would be reached with what it answered in the last hour (one query)."""
    ids = [row.pk for impact in impacts for row in impact.revisions]
    until = now()
    counts = requests_of(ids, until - timedelta(hours=1), until, 3600) if ids else {}
    return [
        ImpactRow(one, actor, sum(sum(counts.get(row.pk, {}).values()) for row in one.revisions))
        for one in impacts
    ]

"""Releases and what decides about them, as tables."""

from collections.abc import Iterator
from heapq import merge
from typing import Any

from django.db.models import Exists, OuterRef

from apps.assurance.models import Recall, RecallEffect
from apps.assurance.queries import recalls_matching, visible_recalls, voided_by_each
from apps.assurance.queries.outcomes import RECALL_WORDS, did, outcome, state_asked, told_id
from apps.assurance.queries.visible_recalls import as_done, names_in
from apps.console.queries.actor_names import actor_names
from apps.console.queries.break_glasses import BreakGlassRow
from apps.console.queries.models import projects_of
from apps.console.queries.policies import policy_rows
from apps.console.queries.recall_voided import VoidedRow
from apps.console.queries.release_rows import WORDS, own
from apps.console.queries.release_words import listed_as, listed_state, with_words
from apps.console.queries.tables import BATCH, Filters, ListTable, in_batches
from apps.governance.models import Decision
from apps.governance.queries.break_glass import break_glass_views, break_glasses
from apps.governance.queries.duties import told_duties, visible_duties
from apps.governance.queries.visible_rows import releases
from apps.governance.rules import ReviewState
from placet.kernel.actor import Actor
from placet.kernel.states import values_of


def _releases(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    who, state = filters.get("who", ""), filters.get("state", "")
    narrowed = {name: value for name, value in filters.items() if name not in ("who", "state")}
    found = listed_as(releases(actor, **narrowed), state)
    for batch in in_batches(with_words(own(found, who, actor))):
        decided: dict[str, list[Decision]] = {row.pk: [] for row in batch}
        valid = Decision.objects.filter(release__in=batch, voided_reason="")
        for decision in valid.order_by("created_at"):
            decided[decision.release_id].append(decision)
        people = {d.person for ds in decided.values() for d in ds}
        names = actor_names(people | {row.requested_by for row in batch})
        for row in batch:
            yield row, decided[row.pk], names


def _policies(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    wanted = filters.get("project", "")
    projects = [p for p in projects_of(actor) if wanted in ("", p.slug)]
    for row in policy_rows(projects, actor):
        yield row, row.environment, row.policy


def _duties(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    environments = visible_duties(actor, **filters).order_by("project__slug", "position", "pk")
    for row in told_duties(environments, actor):
        yield row, row.environment


def _recalls(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    """Yield what each recall reached (in the project), and once each that reached nothing there,
    the newest first."""
    project = filters.get("project", "")
    recalls = recalls_matching(actor, project=project, state=state_asked(filters))
    if recall := filters.get("recall"):
        recalls = recalls.filter(pk=recall)
    rows = RecallEffect.objects.filter(recall__in=recalls).select_related(
        "recall", "project", "endpoint", "release", "target"
    )
    rows = rows.filter(project__slug=project) if project else rows
    there = RecallEffect.objects.filter(recall=OuterRef("pk"))
    there = there.filter(project__slug=project) if project else there
    bare = recalls.filter(~Exists(there))
    done = as_done(rows).annotate(**names_in("recall__"))
    reached = _reached(done.order_by("-recall", "-pk"), actor)
    bare = bare.annotate(**names_in()).order_by("-pk")
    without = ((None, recall) for recall in bare.iterator(chunk_size=BATCH))
    voided = voided_by_each(recalls, actor)
    for row, found in merge(reached, without, key=lambda parts: parts[1].pk, reverse=True):
        gone = voided.get(found.pk, ())
        found.voided = [one for one in gone if project in ("", one.project.slug)]
        yield row, found


def _reached(rows: Any, actor: Actor) -> Iterator[tuple[Any, ...]]:
    for row in rows.iterator(chunk_size=BATCH):
        row.revoked_by = told_id(row.revoking, actor)
        yield row, row.recall


def _of_recall(row: RecallEffect | None, recall: Recall) -> str:
    """Return the project in which something was reached, or in which what reached nothing counts;
    '' where that is everywhere."""
    place = row.project if row else recall.project
    return place.slug if place else ""


def _break_glasses(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    for batch in in_batches(break_glasses(actor, **filters).order_by("-pk")):
        for shown in map(BreakGlassRow, break_glass_views(batch)):
            yield shown, shown.glass, shown.glass.release


RELEASES = ListTable(
    {
        "project": lambda row, decided, names: row.project.slug,
        "release": lambda row, decided, names: row.number,
        "state": lambda row, decided, names: listed_state(row),
        "model": lambda row, decided, names: row.version.model.name,
        "version": lambda row, decided, names: row.version.number,
        "bento": lambda row, decided, names: row.bento_id,
        "environment": lambda row, decided, names: row.environment.name,
        "endpoint": lambda row, decided, names: row.endpoint.name,
        "policy": lambda row, decided, names: row.policy.number,
        "requested_by": lambda row, decided, names: names.get(row.requested_by, row.requested_by),
        "decisions": lambda row, decided, names: [
            f"{names.get(d.person, d.person)} ({d.role}): {d.verdict}" for d in decided
        ],
        "reason": lambda row, decided, names: row.reason,
        "created_at": lambda row, decided, names: row.created_at,
        "approved_at": lambda row, decided, names: row.approved_at,
        "live_at": lambda row, decided, names: row.live_at,
        "ended_at": lambda row, decided, names: row.ended_at,
        "ended_reason": lambda row, decided, names: row.ended_reason,
        "id": lambda row, decided, names: row.pk,
    },
    ("project", "state", "environment", "model", "endpoint", "who"),
    _releases,
    "release.view",
    WORDS,
)
POLICIES = ListTable(
    {
        "project": lambda row, environment, policy: environment.project.slug,
        "environment": lambda row, environment, policy: environment.name,
        "revision": lambda row, environment, policy: policy and policy.number,
        "digest": lambda row, environment, policy: policy.digest if policy else "",
        "gates": lambda row, environment, policy: row.gates,
        "drafts": lambda row, environment, policy: row.drafts,
        "frozen": lambda row, environment, policy: row.frozen,
        "published_at": lambda row, environment, policy: policy and policy.published_at,
        "id": lambda row, environment, policy: environment.pk,
    },
    ("project",),
    _policies,
    "policy.view",
)
DUTIES = ListTable(
    {
        "project": lambda row, environment: environment.project.slug,
        "environment": lambda row, environment: environment.name,
        "revision": lambda row, environment: row.policy,
        "state": lambda row, environment: row.state,
        "demanded": lambda row, environment: row.demanded,
        "people": lambda row, environment: row.fewest and row.fewest.people,
        "path": lambda row, environment: "; ".join(row.path),
        "with_hired": lambda row, environment: row.hired and row.hired.people,
        "hired_path": lambda row, environment: "; ".join(row.hired_path),
        "break_glass": lambda row, environment: row.break_glass and row.break_glass.demanded,
        "break_glass_path": lambda row, environment: (
            "; ".join(row.break_glass.path) if row.break_glass else ""
        ),
        "id": lambda row, environment: environment.pk,
    },
    ("project",),
    _duties,
    "access.view",
)
RECALLS = ListTable(
    {
        "recall": lambda row, recall: recall.pk,
        "kind": lambda row, recall: recall.kind,
        "what": lambda row, recall: recall.what,
        "what_name": lambda row, recall: (row or recall).person or (row or recall).version_name,
        "state": lambda row, recall: RECALL_WORDS[recall.state],
        "recalled_at": lambda row, recall: recall.created_at,
        "recalled_by": lambda row, recall: (row or recall).recalled_by_name,
        "withdrawn_at": lambda row, recall: recall.lifted_at,
        "withdrawn_by": lambda row, recall: (row or recall).lifted_by_name,
        "project": _of_recall,
        "environment": lambda row, recall: row and row.endpoint.environment,
        "endpoint": lambda row, recall: row and row.endpoint.name,
        "release": lambda row, recall: row and row.release.number,
        "target": lambda row, recall: row and row.target.name,
        "action": lambda row, recall: row and did(row),
        "outcome": lambda row, recall: row and outcome(row),
        "voided": lambda row, recall: [VoidedRow(one).what for one in recall.voided] or None,
        "revoked_by": lambda row, recall: row and row.revoked_by,
        "confirmation": lambda row, recall: row and row.state,
        "confirmed_at": lambda row, recall: row and row.confirmed_at,
        "receipt": lambda row, recall: row and row.receipt,
        "contradiction": lambda row, recall: row and row.contradiction,
        "id": lambda row, recall: row and row.pk,
    },
    ("project", "recall", "state"),
    _recalls,
    "recall.view",
    ids={"recall": visible_recalls},
    parse=state_asked,
)
BREAK_GLASSES = ListTable(
    {
        "project": lambda shown, row, release: row.project.slug,
        "release": lambda shown, row, release: release.number,
        "version": lambda shown, row, release: str(release.version),
        "environment": lambda shown, row, release: release.environment.name,
        "state": lambda shown, row, release: row.state,
        "standing": lambda shown, row, release: shown.view.standing,
        "how_ended": lambda shown, row, release: shown.view.how_ended,
        "signed_by": lambda shown, row, release: shown.signed_by,
        "reason": lambda shown, row, release: shown.view.reason,
        "opened_at": lambda shown, row, release: row.opened_at,
        "until": lambda shown, row, release: row.until,
        "confirmed_at": lambda shown, row, release: row.confirmed_at,
        "used_at": lambda shown, row, release: row.used_at,
        "ended_at": lambda shown, row, release: row.ended_at,
        "running": lambda shown, row, release: shown.view.running,
        "review": lambda shown, row, release: shown.view.review,
        "review_due_at": lambda shown, row, release: row.review_due_at,
        "reviewer": lambda shown, row, release: shown.view.reviewer,
        "finding": lambda shown, row, release: row.finding,
        "findings": lambda shown, row, release: shown.view.findings,
        "id": lambda shown, row, release: row.pk,
    },
    ("project", "review", "release"),
    _break_glasses,
    "release.view",
    {"review": values_of(ReviewState)[1:]},  # not that there is none
    {"release": releases},
)
TABLES = {
    "releases": RELEASES,
    "policies": POLICIES,
    "duties": DUTIES,
    "recalls": RECALLS,
    "glasses": BREAK_GLASSES,
}

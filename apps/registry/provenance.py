"""Who had a part in a version: in its artifact by the log, in its data and code as declared."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db.models import JSONField, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from apps.audit.models import Event
from apps.audit.queries.vouched_rows import is_logged, last_logged
from apps.identity.models import Project
from apps.identity.queries import visible
from apps.registry.events import FILE_REMOVED, FILES_ADDED, VERSION_EDITED
from apps.registry.models import Declaration, DeclaredFact, ModelVersion
from placet.kernel.actor import Actor

log = structlog.get_logger(__name__)
TOUCHES = tuple(kind.name for kind in (FILES_ADDED, FILE_REMOVED, VERSION_EDITED))


def touches(versions: Iterable[str]) -> QuerySet[Any]:
    """Return the events by which somebody put files into ``versions``, took some out or changed
    what is frozen with it. Each has ``who`` answers for it."""
    events = Event.objects.filter(subject__in=sorted(set(versions)), kind__in=TOUCHES)
    actor = KeyTextTransform("accountable", KeyTextTransform("actor", Cast("body", JSONField())))
    touching: QuerySet[Any] = events.order_by().annotate(who=actor)
    return touching


def touched_by(versions: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the accountable people who had a hand in each version's artifact (one query).

    A version of which the log has nothing is missing.
    """
    return by_version(touches(versions).values_list("subject", "who").distinct())


def by_version(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Return people by version, of pairs of both."""
    grouped: dict[str, set[str]] = {}
    for version, who in pairs:
        grouped.setdefault(version, set()).add(who)
    return {version: frozenset(people) for version, people in grouped.items()}


@dataclass(slots=True)
class Declared:
    """What was declared: who was named about what, and by whom."""

    pairs: dict[tuple[str, str, str], list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, project: str, fact: str, about: str, person: str, by: str) -> None:
        """Take in what ``by`` declared."""
        self.pairs.setdefault((project, fact, about), []).append((person, by))

    def data_owners(self, version: ModelVersion, *, for_: str) -> frozenset[str] | None:
        """Return who owns the data of ``version``; ``None`` when of some of it nobody else than
        ``for_`` said so, or the lineage names none."""
        datasets = version.lineage.get("datasets") or []
        known = [
            self._named(version, DeclaredFact.DATA_OWNER, dataset["digest"], for_)
            for dataset in datasets
        ]
        if not known or any(people is None for people in known):
            return None
        return frozenset[str]().union(*(people or () for people in known))

    def code_authors(self, version: ModelVersion, *, for_: str) -> frozenset[str] | None:
        """Return who wrote the training code; ``None`` when nobody else than ``for_`` said so."""
        return self._named(version, DeclaredFact.CODE_AUTHOR, version.pk, for_)

    def _named(
        self, version: ModelVersion, fact: str, about: str, for_: str
    ) -> frozenset[str] | None:
        pairs = self.pairs.get((version.project_id, fact, about), [])
        if all(by == for_ for _, by in pairs):
            return None
        return frozenset(person for person, _ in pairs)


def declared_about(versions: Collection[ModelVersion]) -> QuerySet[Declaration]:
    """Return what was declared about ``versions`` and their data."""
    about = {v.pk for v in versions}
    for version in versions:
        about |= {dataset["digest"] for dataset in version.lineage.get("datasets") or []}
    projects = {v.project_id for v in versions}
    return Declaration.objects.filter(project__in=projects, about__in=sorted(about))


def vouched_declared(versions: Collection[ModelVersion]) -> Declared:
    """Return what was declared and stands in the sealed log: for decisions (two queries)."""
    rows = list(declared_about(versions).order_by("pk"))
    states = last_logged(rows).states
    declared = Declared()
    for row in rows:
        if is_logged(row, states):
            declared.add(row.project_id, row.fact, row.about, row.person, row.declared_by)
        else:
            log.warning("declaration_not_in_log", row=row.pk)
    return declared


def declarations(project: Project, actor: Actor, about: str = "") -> QuerySet[Declaration]:
    """Return what was declared in ``project``, about one thing or about all of them."""
    rows = visible(Declaration.objects.filter(project=project), actor, view="version.view")
    return rows.filter(about=about) if about else rows

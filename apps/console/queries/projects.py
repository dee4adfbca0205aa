"""Projects as their list shows them, and the form that makes one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import Coalesce

from apps.console.queries.links import sees, sees_access
from apps.console.queries.page_parts import Button
from apps.console.queries.paging import keyed
from apps.governance.models import Release
from apps.governance.policy_templates import DEFAULT, TEMPLATES, PolicyTemplate
from apps.governance.queries.shown_states import shown_as
from apps.governance.queries.visible_rows import releases
from apps.governance.rules import ReleaseState
from apps.identity.models import Project
from apps.identity.queries import visible, visible_roles
from apps.monitoring.queries import unresolved_alerts
from apps.registry.queries import models
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project with what is in it, counted; ``None`` for what the reader does not see there."""

    project: Project
    models: int | None
    live: int | None
    alerts: int | None
    members: int | None


@dataclass(frozen=True, slots=True)
class NewProjectForm:
    """The form that makes a project, filled in as it was sent."""

    typed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def templates(self) -> list[tuple[PolicyTemplate, bool]]:
        """The policies to begin with, and which of them are chosen."""
        chosen = self.typed.get("template") or DEFAULT
        return [(template, template.name == chosen) for template in TEMPLATES.values()]


@dataclass(frozen=True, slots=True)
class ProjectListPage:
    """One page of projects."""

    actor: Actor
    rows: list[ProjectRow]
    form: NewProjectForm

    @property
    def may_create(self) -> bool:
        """Whether the reader may make a project."""
        return self.actor.can("project.create")

    @property
    def nothing(self) -> str:
        """Says that no row is there: whether one exists, who may make them alone is told."""
        return "No project yet" if self.may_create else "No project that you may see"

    @property
    def first(self) -> Button | None:
        """What makes the first project."""
        if not self.may_create:
            return None
        return Button("New project…", dialog="new-project", tone="primary")


def project_list_page(actor: Actor, *, after: str = "") -> tuple[list[ProjectRow], str]:
    """Return one page of projects by slug, and the slug to go on after."""
    rows, key = keyed(visible(Project.objects.all(), actor, project="pk"), ("slug",), after)
    return project_rows(rows, actor), key


def project_rows(projects: Sequence[Project], actor: Actor) -> list[ProjectRow]:
    """Return projects with what ``actor`` sees of each counted, in four queries."""
    counts = (
        ("model.view", _counted(models(actor), projects)),
        ("release.view", _counted(_live(actor), projects)),
        ("alert.view", _counted(unresolved_alerts(actor), projects)),
        ("access.view", _members([row for row in projects if sees_access(row, actor)], actor)),
    )
    return [
        ProjectRow(
            row, *(found[row.pk] if sees(row, view, actor) else None for view, found in counts)
        )
        for row in projects
    ]


def _live(actor: Actor) -> QuerySet[Release]:
    """Return what is live: one release for each endpoint that serves."""
    return shown_as(releases(actor), ReleaseState.LIVE)


def _counted(rows: QuerySet[Any], projects: Sequence[Project]) -> Counter[str]:
    found = rows.filter(project__in=projects).order_by("project").values_list("project")
    return Counter(dict(found.annotate(count=Count("pk"))))


def _members(projects: Sequence[Project], actor: Actor) -> Counter[str]:
    """Count the people, teams and service accounts with a role in each project."""
    subject = Coalesce("person_id", "team_id", "service_account_id")
    found = visible_roles(actor).filter(project__in=projects).order_by("project")
    counted = found.values_list("project").annotate(count=Count(subject, distinct=True))
    return Counter(dict(counted))

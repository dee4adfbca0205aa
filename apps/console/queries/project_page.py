"""One project: what stands above each of its pages, and its overview."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Exists, OuterRef, QuerySet, Subquery, When
from django.urls import reverse
from django.utils.http import urlencode

from apps.console.queries.alerts import AlertRow, shown_alerts, with_keeper
from apps.console.queries.endpoints import EndpointRow, endpoint_rows, with_use
from apps.console.queries.links import sees
from apps.console.queries.models import ModelRow
from apps.console.queries.notifications import watch_project_button
from apps.console.queries.page_parts import Button
from apps.console.queries.release_words import with_words
from apps.governance.models import OPEN_STATES, Environment, Freeze, PolicyRevision, Release
from apps.governance.queries.freezes import in_force
from apps.governance.queries.visible_rows import releases
from apps.governance.rules import PolicyState, ReleaseState
from apps.identity.models import Project
from apps.identity.queries import visible
from apps.monitoring.queries import unresolved_alerts
from apps.notices.queries import watches_project
from apps.registry.queries import models, with_latest
from apps.serving.queries import visible_endpoints
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now

SHOWN = 20  # of each list of the overview
RELEASES = 200  # that are looked at for what is open, and where models are live


@dataclass(frozen=True, slots=True)
class ProjectHead:
    """What stands above each page of a project."""

    project: Project
    actor: Actor


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    """An environment with the number of the policy in force; ``None`` where the reader sees
    none."""

    environment: Any  # with ``policy`` and ``frozen``
    actor: Actor

    @property
    def policy_name(self) -> str:
        """The policy in force, in a word."""
        number = self.environment.policy
        return f"policy r{number}" if number else ""

    @property
    def no_policy(self) -> str:
        """Why none is named."""
        told = sees(self.environment, "policy.view", self.actor)
        return "no policy" if told else "policy not visible to you"


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """Everything the overview of a project shows: of each list the first rows."""

    head: ProjectHead
    models: Sequence[ModelRow]
    releases: Sequence[Release]
    endpoints: Sequence[EndpointRow]
    alerts: Sequence[AlertRow]
    environments: Sequence[EnvironmentRow]
    is_watched: bool = False  # by its reader

    @property
    def watch(self) -> Button:
        """What has its reader watch it, or no longer."""
        return watch_project_button(self.head.project, self.is_watched)

    @property
    def sees_models(self) -> bool:
        """Whether the reader sees what is in it, and not only that it is there."""
        return sees(self.head.project, "model.view", self.head.actor)

    @property
    def first_model(self) -> Button | None:
        """What leads to where the reader makes the first model, if they can."""
        project = self.head.project
        if not self.head.actor.can("model.create", Scope(project.pk)):
            return None
        url = f"{reverse('models')}?{urlencode({'project': project.slug})}"
        return Button("Register a model…", href=url, tone="primary")

    @property
    def who_registers(self) -> str:
        """Who can do that else."""
        return "" if self.first_model else "A contributor of the project can register one."


def project_page(project: Project, actor: Actor) -> ProjectPage:
    """Return what the overview of a project shows, in eight queries."""
    recent = list(
        with_words(releases(actor, project=project)).filter(
            state__in=[*OPEN_STATES, ReleaseState.LIVE]
        )[:RELEASES]
    )
    found = visible_endpoints(actor).filter(project=project).order_by("environment", "name")
    alerts = unresolved_alerts(actor).filter(project=project)
    return ProjectPage(
        head=ProjectHead(project, actor),
        models=_models(project, recent, actor),
        releases=[row for row in recent if row.state in OPEN_STATES][:SHOWN],
        endpoints=endpoint_rows(list(with_use(found)[:SHOWN])),
        alerts=shown_alerts(with_keeper(alerts)[:SHOWN], actor),
        environments=[EnvironmentRow(row, actor) for row in environments_in_force(project, actor)],
        is_watched=watches_project(project, actor),
    )


def _models(project: Project, recent: Sequence[Release], actor: Actor) -> list[ModelRow]:
    """Return the models by name with their newest version and where they are live."""
    rows: Sequence[Any] = list(with_latest(models(actor, project)).order_by("name")[:SHOWN])
    live = [row for row in recent if row.state == ReleaseState.LIVE]
    live.sort(key=lambda row: row.environment.position)
    return [
        ModelRow(
            row,
            row.version_count,
            row.latest_number,
            [release for release in live if release.version.model_id == row.pk],
        )
        for row in rows
    ]


def environments_in_force(project: Project, actor: Actor) -> QuerySet[Environment, Any]:
    """Return the environments of a project in order, with the number of the ``policy`` in force
    where ``actor`` sees policies, and whether each is ``frozen``, in one query."""
    published = PolicyRevision.objects.filter(
        environment=OuterRef("pk"), state=PolicyState.PUBLISHED
    )
    seen = visible(published, actor, view="policy.view").order_by("-number")
    frozen = Freeze.objects.filter(in_force(now()), environment=OuterRef("pk"))
    return (
        visible(Environment.objects.filter(project=project), actor)
        .select_related("project")
        .annotate(
            policy=Subquery(seen.values("number")[:1]),
            frozen=Case(When(Exists(frozen), then=True), default=False),
        )
        .order_by("position", "pk")
    )

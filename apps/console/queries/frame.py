"""The project a reader stands in, those they could stand in, how many alerts are open in each, and
how many policy drafts wait for the reader: read along with what the menu counts anyway."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Count, Q, QuerySet, Subquery, Value, When, Window
from django.db.models.functions import JSONObject, RowNumber

from apps.governance.models import Release
from apps.governance.queries.visible_rows import publishable_drafts
from apps.identity.models import Project
from apps.identity.queries import visible
from apps.monitoring.models import Alert
from apps.monitoring.queries import unresolved_alerts
from placet.kernel.actor import Actor

LISTED = 40  # projects to switch to; a page lists the others


@dataclass(frozen=True, slots=True)
class Standing:
    """A project as the switcher names it."""

    id: str
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a reader stands (``None``: in all projects at once), and where they could stand."""

    project: Standing | None = None
    projects: list[Standing] = field(default_factory=list)
    more: bool = False  # whether there are projects that are not listed
    alerts: Counter[str] = field(default_factory=Counter)  # by the project's id, '' without one
    drafts: int = 0  # of policies that the reader may publish


def with_frame(rows: QuerySet[Release], actor: Actor, chosen: str) -> QuerySet[Release]:
    """Have releases bring what :func:`frame_of` reads, in columns that depend on none of them: the
    first row alone, since there may be hundreds."""
    projects = _projects(actor, chosen).values(json=JSONObject(id="pk", slug="slug", name="name"))
    alerts = _listed_alerts(actor)
    in_order: Any = rows.query.order_by
    return rows.annotate(
        place=Window(RowNumber(), order_by=in_order),
        frame_projects=Case(When(place=1, then=ArraySubquery(projects))),
        frame_alerts=Case(When(place=1, then=alerts)),
        frame_drafts=Case(When(place=1, then=_drafts(actor))),
    )


def frame_of(beside: Any, actor: Actor, chosen: str) -> Frame:
    """Return the frame that a row brought; where no release is that could bring one, in a
    query. ``chosen`` is the slug or id of a project; what the reader cannot see is none."""
    if beside is not None:
        # of no alerts at all PostgreSQL is not asked
        projects, alerts = beside.frame_projects or [], beside.frame_alerts or []
        drafts = beside.frame_drafts or 0
    else:
        seen = _projects(actor, chosen).annotate(
            alerts=_listed_alerts(actor), drafts=_drafts(actor)
        )
        projects = [*seen.values("id", "slug", "name", "alerts", "drafts")]
        drafts = (projects[0]["drafts"] or 0) if projects else 0
        # nodes may have alerts where there is no project yet
        alerts = (projects[0]["alerts"] or []) if projects else [*_alerts(actor)]
    known = [Standing(row["id"], row["slug"], row["name"]) for row in projects]
    at = next((each for each in known if chosen and chosen in (each.slug, each.id)), None)
    listed = sorted(known[:LISTED], key=lambda each: each.name.casefold())
    counts = Counter({row["project"] or "": row["count"] for row in alerts})
    return Frame(at, listed, len(known) > LISTED, counts, drafts)


def may_have_alerts(beside: Any) -> bool:
    """Tell from a row that brought a frame whether its reader sees an open alert."""
    return beside is None or bool(beside.frame_alerts)


def _projects(actor: Actor, chosen: str) -> QuerySet[Project]:
    """Return the projects in reach: the chosen one first, and one more than are listed."""
    first = Case(When(Q(slug=chosen) | Q(pk=chosen), then=Value(0)), default=Value(1))
    return visible(Project.objects.all(), actor, project="pk").order_by(first, "name")[: LISTED + 1]


def _alerts(actor: Actor) -> QuerySet[Alert, Any]:
    """Return how many alerts are open in each project, of those that the reader sees."""
    rows = unresolved_alerts(actor).order_by()
    if not actor.can_somewhere("alert.view"):
        rows = rows.none()
    return rows.values("project").annotate(count=Count("pk"))


def _drafts(actor: Actor) -> Subquery:
    """Return how many policy drafts the reader may publish, as one column."""
    rows: Any = publishable_drafts(actor).order_by().values(one=Value(1))
    return Subquery(rows.annotate(count=Count("pk")).values("count"))


def _listed_alerts(actor: Actor) -> ArraySubquery:
    """Return the same as one column."""
    return ArraySubquery(_alerts(actor).values(json=JSONObject(project="project", count="count")))

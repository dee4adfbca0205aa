"""The project a reader stands in, those they could stand in, how many alerts are open in each, and
how much waits for the reader besides decisions: read along with what the menu counts anyway."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Case, Count, IntegerField, JSONField, Q, QuerySet, Value, When, Window
from django.db.models.expressions import RawSQL
from django.db.models.functions import JSONObject, RowNumber

from apps.discussions.queries import awaited_threads
from apps.governance.models import Release
from apps.governance.queries.break_glass import glasses_awaiting, glasses_told
from apps.governance.queries.requested_changes import releases_to_change
from apps.governance.queries.visible_rows import is_startable, publishable_drafts
from apps.identity.models import Project
from apps.identity.queries import visible
from apps.monitoring.models import Alert
from apps.monitoring.queries import unresolved_alerts
from apps.rollouts.queries import count_awaiting, held_rollouts
from placet.kernel.actor import Actor
from placet.kernel.subqueries import settled

LISTED = 40  # projects to switch to; a page lists the others


@dataclass(frozen=True, slots=True)
class Standing:
    """A project as the switcher names it."""

    id: str
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Tasks:
    """How much the reader can do besides deciding on releases."""

    startable: int = 0  # approved releases to roll out
    paused: int = 0  # rollouts that go no further until a person lets them
    drafts: int = 0  # of policies, to publish
    mentions: int = 0  # discussions in which they were mentioned
    changes: int = 0  # releases of theirs on which others requested changes
    glasses: int = 0  # emergency releases to co-sign, or to review


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a reader stands (``None``: in all projects at once), and where they could stand."""

    project: Standing | None = None
    projects: list[Standing] = field(default_factory=list)
    more: bool = False  # whether there are projects that are not listed
    alerts: Counter[str] = field(default_factory=Counter)  # by the project's id, '' without one
    tasks: Tasks = field(default_factory=Tasks)


def with_frame(
    rows: QuerySet[Release], actor: Actor, chosen: str, *, counted: bool = True
) -> QuerySet[Release]:
    """Have releases bring what :func:`frame_of` reads, in columns that depend on none of them: the
    first row alone, since there may be hundreds. A page that lists what waits has it not
    ``counted``."""
    projects = _projects(actor, chosen).values(json=JSONObject(id="pk", slug="slug", name="name"))
    alerts = _listed_alerts(actor)
    tasks = _tasks(actor) if counted else Value(None, JSONField())
    nothing = Value(None, JSONField())
    glasses = nothing if counted else settled(glasses_told(actor), JSONField(), many=True)
    in_order: Any = rows.query.order_by
    return rows.annotate(
        place=Window(RowNumber(), order_by=in_order),
        frame_projects=Case(When(place=1, then=settled(projects, JSONField(), many=True))),
        frame_alerts=Case(When(place=1, then=alerts)),
        frame_tasks=Case(When(place=1, then=tasks)),
        frame_glasses=Case(When(place=1, then=glasses)),
    )


def frame_of(beside: Any, actor: Actor, chosen: str, tasks: Tasks | None = None) -> Frame:
    """Return the frame that a row brought; where no release is that could bring one, in a
    query. ``chosen`` is the slug or id of a project; what the reader cannot see is none. ``tasks``
    are those that a page lists."""
    if beside is not None:
        # of no alerts at all PostgreSQL is not asked
        projects, alerts = beside.frame_projects or [], beside.frame_alerts or []
        brought = beside.frame_tasks
    else:
        seen = _projects(actor, chosen).annotate(
            alerts=_listed_alerts(actor),
            tasks=Value(None, JSONField()) if tasks else _tasks(actor),
        )
        projects = [*seen.values("id", "slug", "name", "alerts", "tasks")]
        brought = projects[0]["tasks"] if projects else None
        # nodes may have alerts where there is no project yet
        alerts = (projects[0]["alerts"] or []) if projects else [*_alerts(actor)]
    known = [Standing(row["id"], row["slug"], row["name"]) for row in projects]
    at = next((each for each in known if chosen and chosen in (each.slug, each.id)), None)
    listed = sorted(known[:LISTED], key=lambda each: each.name.casefold())
    counts = Counter({row["project"] or "": row["count"] for row in alerts})
    return Frame(at, listed, len(known) > LISTED, counts, tasks or _told(brought or {}, actor))


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


def _tasks(actor: Actor) -> JSONObject:
    """Return what the reader can do besides deciding, as one column."""
    return JSONObject(
        startable=_count(Release.objects.filter(is_startable(actor))),
        paused=held_rollouts(actor),
        drafts=_count(publishable_drafts(actor)),
        mentions=_count(awaited_threads(actor)),
        changes=_count(releases_to_change(actor)),
        glasses=_count(glasses_awaiting(actor)),
    )


def _count(rows: QuerySet[Any]) -> RawSQL:
    counted: Any = rows.order_by().values(one=Value(1)).annotate(count=Count("pk"))
    return settled(counted.values("count"), IntegerField())


def _told(brought: Mapping[str, Any], actor: Actor) -> Tasks:
    paused = count_awaiting(brought.get("paused") or (), actor)
    names = ("startable", "drafts", "mentions", "changes", "glasses")
    return Tasks(paused=paused, **{name: brought.get(name) or 0 for name in names})


def _listed_alerts(actor: Actor) -> RawSQL:
    """Return the same as one column."""
    told = _alerts(actor).values(json=JSONObject(project="project", count="count"))
    return settled(told, JSONField(), many=True)

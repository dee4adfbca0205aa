"""What happened in a project, as far as its reader may see what it was about."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.urls import reverse

from apps.assurance.events import RECALL_REACHED
from apps.assurance.queries.events_of_recalls import made_by_hidden
from apps.audit.kind_groups import GROUPS
from apps.audit.queries import EventFilter, newest, newest_of_project
from apps.console.queries.events import EventLine, named_lines, reasons_of
from apps.console.queries.page_parts import in_a_row
from apps.console.queries.project_page import ProjectHead
from apps.identity.models import Project
from apps.identity.whole_projects import sees_whole
from placet.kernel.actor import Actor, Scope

PAGE = 50
NARROWS = (
    "releases",
    "discussions",
    "serving",
    "models",
    "recalls",
    "alerts",
    "people",
)  # groups of kinds


@dataclass(frozen=True, slots=True)
class Shown:
    """Events that whoever holds a permission in their project sees: what they are about, in a word,
    and their families of kinds."""

    permission: str
    about: str
    families: tuple[str, ...]
    besides: tuple[str, ...] = ()  # permissions that it needs as well

    def seen_by(self, actor: Actor, project: Project) -> bool:
        """Tell whether ``actor`` sees those of a project."""
        return all(sees_whole(project.pk, one, actor) for one in (self.permission, *self.besides))


# Whoever sees an object sees what happened to it. A family that is not here is for auditors.
SHOWN = (
    Shown(
        "project.view",
        "the project and its environments",
        ("project", "environment", "freeze", "signing_key", "job"),
    ),
    Shown("model.view", "models", ("model", "alias")),
    Shown(
        "version.view",
        "versions, uploads and evidence",
        ("version", "upload", "evidence", "declaration", "hold"),
    ),
    Shown("build.view", "builds", ("build", "bento", "runtime")),
    Shown("release.view", "releases", ("release", "break_glass", "prefetch")),
    Shown("policy.view", "policies", ("policy",)),
    Shown(  # whatever one of them is about
        "release.view",
        "discussions",
        ("discussion",),
        besides=("version.view", "policy.view", "alert.view"),
    ),
    Shown("endpoint.view", "endpoints", ("endpoint", "revision", "objective")),
    Shown("rollout.view", "rollouts", ("rollout", "drill")),
    Shown("alert.view", "alerts", ("alert",)),
    Shown("recall.view", "recalls", ("recall", "receipt")),
    Shown("target.view", "the use of nodes", ("target",)),
    Shown("access.view", "roles", ("role",)),
    Shown("prediction.view", "erasures", ("erasure",)),
    Shown("stream.view", "log forwarding and webhooks", ("stream", "webhook")),
)
HIDDEN = "somebody who is not visible to you"
AUDITED = "exports"  # what auditors alone see of a project, in a word


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """One page of the events of a project, newest first."""

    head: ProjectHead
    lines: list[EventLine]
    older: int | None
    log: str  # where they are searched; '' for who may not read the log
    may_export: bool
    said: dict[int, str]  # why, by the index of a line
    group: str = ""  # the kinds that it was narrowed to
    before: int | None = None

    @property
    def groups(self) -> list[tuple[str, str]]:
        """What it can be narrowed to."""
        mine = {family for shown in self._seen(True) for family in shown.families}
        return [
            (name, title)
            for name, title in group_choices()
            if self.log or mine & {*GROUPS[name].families}
        ]

    @property
    def title(self) -> str:
        """What stands above the events."""
        return "Older events" if self.before is not None else "Newest events"

    @property
    def about(self) -> str:
        """What the events that its reader sees are about."""
        return in_a_row([shown.about for shown in self._seen(True)])

    @property
    def hidden(self) -> str:
        """What there may be events about that its reader does not see."""
        return in_a_row([*(shown.about for shown in self._seen(False)), AUDITED])

    def _seen(self, seen: bool) -> Iterator[Shown]:
        project, actor = self.head.project, self.head.actor
        return (shown for shown in SHOWN if shown.seen_by(actor, project) is seen)


def group_choices() -> list[tuple[str, str]]:
    """Return what the events of a project can be narrowed to."""
    return [(name, GROUPS[name].title) for name in NARROWS]


def activity_page(
    project: Project, actor: Actor, *, group: str = "", before: int | None = None
) -> ActivityPage:
    """Return one page of the events of a project, of a ``group`` of kinds or of all, of those
    ``before`` a place in the log: for who reads its log every one, and for others those of what
    they see in it."""
    place = Scope(project.pk)
    if audits := actor.can("audit.view", place):
        wanted = EventFilter(project=project.pk, group=group)
        found = newest(actor, wanted, PAGE + 1, before)
    else:
        found = newest_of_project(project.pk, _families(project, actor, group), PAGE + 1, before)
    entries = found[:PAGE]
    lines = named_lines(entries, actor, place=place)
    if not audits:
        lines = _without_hidden_names(lines, actor)
    return ActivityPage(
        head=ProjectHead(project, actor),
        lines=lines,
        said=reasons_of(lines),
        older=entries[-1].index if len(found) > PAGE else None,
        log=f"{reverse('audit')}?{urlencode({'project': project.pk})}" if audits else "",
        may_export=audits and actor.can("audit.export", place),
        group=group,
        before=before,
    )


def _without_hidden_names(lines: list[EventLine], actor: Actor) -> list[EventLine]:
    """Leave out who made a recall that ``actor`` may not see: its event names them, for those who
    read the log."""
    reached = [line.index for line in lines if line.kind == RECALL_REACHED.name]
    hidden = made_by_hidden(reached, actor)
    return [
        replace(line, actor_name=HIDDEN, actor_id="") if line.index in hidden else line
        for line in lines
    ]


def _families(project: Project, actor: Actor, group: str) -> list[str]:
    """Return the families of kinds that ``actor`` sees the events of, as far as in ``group``."""
    mine = [family for s in SHOWN if s.seen_by(actor, project) for family in s.families]
    return [family for family in mine if not group or family in GROUPS[group].families]

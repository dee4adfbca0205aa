"""What happened in a project lately, as far as its reader may see it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from apps.audit.kind_groups import GROUPS
from apps.audit.queries import EventFilter, newest, timeline
from apps.console.queries.events import EventLine, named_lines, reasons_of
from apps.console.queries.project_page import ProjectHead
from apps.governance.models import Environment
from apps.governance.queries.visible_rows import releases
from apps.identity.models import Project
from apps.registry.queries import models
from apps.serving.queries import visible_endpoints
from placet.kernel.actor import Actor, Scope

SHOWN = 50
NARROWS = ("releases", "serving", "models", "recalls", "people")  # groups of kinds
ABOUT = 100  # of each kind of thing, the newest, that others than auditors see the events of


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """The newest events of a project."""

    head: ProjectHead
    lines: list[EventLine]
    log: str  # where all of them are read; '' for who may not
    may_export: bool
    said: dict[int, str]  # why, by the index of a line
    group: str = ""  # the kinds that it was narrowed to

    @property
    def groups(self) -> list[tuple[str, str]]:
        """What it can be narrowed to."""
        return [(name, GROUPS[name].title) for name in NARROWS]


def activity_page(project: Project, actor: Actor, *, group: str = "") -> ActivityPage:
    """Return the newest events of a project, of a ``group`` of kinds or of all: for who reads its
    log every one, and for others those about what they see in it."""
    group = group if group in NARROWS else ""
    audits = actor.can("audit.view", Scope(project.pk))
    if audits:
        entries = newest(actor, EventFilter(project=project.pk, group=group), SHOWN, None)
    else:
        entries = timeline(_seen(project, actor), actor, limit=SHOWN, group=group)
    log = f"{reverse('audit')}?{urlencode({'project': project.pk})}" if audits else ""
    lines = named_lines(entries, actor, place=Scope(project.pk))
    may_export = audits and actor.can("audit.export", Scope(project.pk))
    head, said = ProjectHead(project, actor), reasons_of(lines)
    return ActivityPage(head, lines, log, may_export, said, group)


def _seen(project: Project, actor: Actor) -> list[str]:
    """Return the ids of the project and of the newest things in it that ``actor`` sees."""
    parts = (
        releases(actor, project=project),
        models(actor, project).order_by("-pk"),
        visible_endpoints(actor, deleted=True).filter(project=project).order_by("-pk"),
        Environment.objects.filter(project=project).order_by("position"),
    )
    first, *others = (part.values_list("pk", flat=True)[:ABOUT] for part in parts)
    return [project.pk, *first.union(*others, all=True)]

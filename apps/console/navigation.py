"""Where the menus lead: the pages of the project one stands in, those beside it, and tabs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.urls import reverse

from apps.console.queries.frame import Frame, Standing
from apps.console.queries.page_parts import Link
from placet.kernel.actor import Actor, Scope


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that a menu may lead to. Of ``permissions`` one is enough, anywhere or in the project
    that one stands in; none is asked where there are none."""

    text: str
    route: str
    permissions: tuple[str, ...] = ()
    key: str = ""  # goes there after "g"
    own: bool = False  # a page of one project; else a list that a project narrows
    everywhere: bool = False  # the permission is asked for in the whole installation
    exact: bool = False  # nothing stands below it but what has an entry of its own
    also: tuple[str, ...] = ()  # how addresses of pages below it begin otherwise

    def allowed(self, actor: Actor, project: Standing | None) -> bool:
        """Tell whether ``actor`` may open it there."""
        if self.everywhere:
            open_to = any(map(actor.can, self.permissions))
        elif project is None:
            open_to = any(map(actor.can_somewhere, self.permissions))
        else:
            open_to = any(_has(actor, name, project) for name in self.permissions)
        return open_to or not self.permissions

    def url(self, project: Standing | None) -> str:
        """Return its address, in the project that one stands in."""
        if project is None:
            return reverse(self.route)
        if self.own:
            return reverse(self.route, args=[project.slug])
        return f"{reverse(self.route)}?project={project.slug}"

    def above(self, path: str, project: Standing | None) -> int:
        """Return how much of ``path`` it is above: the length of its own; 0 where it is not."""
        begin = self.url(project).partition("?")[0]
        also = tuple(each.format(project=project and project.slug) for each in self.also)
        is_above = path == begin if self.exact else path.startswith((begin, *also))
        return len(begin) if is_above else 0


def _has(actor: Actor, permission: str, project: Standing) -> bool:
    if permission == "project.edit":
        return actor.can(permission, Scope(project.id))
    held = actor.projects_with(permission)
    return held is None or project.id in held


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One entry of a menu, as it is shown."""

    text: str
    url: str
    active: bool
    key: str = ""
    count: int = 0
    counted: str = ""  # what


@dataclass(frozen=True, slots=True)
class Navigation:
    """What the menu shows: above, in the project, beside it, and the tabs of the page."""

    frame: Frame = field(default_factory=Frame)
    home: Sequence[MenuItem] = ()
    project: Sequence[MenuItem] = ()
    beside: Sequence[MenuItem] = ()
    tabs: Sequence[MenuItem] = ()
    tabs_title: str = ""  # what the menu calls them together
    pages: Sequence[Link] = ()  # every page there is a menu for

    @property
    def keys(self) -> list[MenuItem]:
        """The entries that a key leads to."""
        return [item for item in (*self.home, *self.project, *self.beside) if item.key]

    @property
    def found(self) -> list[tuple[str, str]]:
        """What a search for pages goes through: the name and the address of each."""
        return [(link.text, link.url) for link in self.pages]


HOME = (Entry("Home", "home", key="h", exact=True), Entry("Inbox", "inbox", key="i"))
UNDER_ENDPOINTS = ("/deployments/", "/rollouts/")
LISTS = (
    Entry("Models", "models", ("model.view",), "m", also=("/builds/", "/signing-keys/")),
    Entry("Releases", "releases", ("release.view",), "r"),
    Entry(
        "Deployments", "endpoints", ("endpoint.view",), "d", also=("/deployments/", "/rollouts/")
    ),
    Entry("Alerts", "alerts", ("alert.view",), "l"),
)
POLICIES = ("policy-list", ("policy.view",), "p")
IN_PROJECT = (
    Entry("Overview", "project", own=True, exact=True),
    *LISTS,
    Entry("Policies and environments", *POLICIES, also=("/projects/{project}/environments/",)),
    Entry("Members", "members", own=True),
    Entry("Activity", "activity", own=True),
    Entry("Release figures", "figures", ("release.view",), own=True),
    Entry("Settings", "project-settings", ("project.edit",), own=True),
)
IN_ALL = (
    Entry("Projects", "projects", ("project.view",)),
    *LISTS,
    Entry("Policies and environments", *POLICIES),
)
AUDIT = (
    Entry("Log", "audit", ("audit.view",)),
    Entry("Verification", "audit-verification", ("audit.view",)),
    Entry("Recalls", "recalls", ("recall.view",)),
    Entry("Emergency releases", "glasses", ("release.view",)),
    Entry("Duties", "duties", ("access.view",)),
    Entry("Retention and holds", "retention", ("audit.hold", "audit.view"), everywhere=True),
    Entry("Forwarding", "streams", ("stream.view",)),
    Entry("Webhooks", "webhooks", ("stream.view",)),
    Entry("Witnesses", "witnesses", ("audit.witness", "audit.view"), everywhere=True),
)
DEPLOYMENTS = (
    Entry("Now", "endpoints", ("endpoint.view",)),
    Entry("On a date", "deployments", ("endpoint.view",)),
)
NODES = Entry("Nodes", "targets", ("target.view",), "n")
ADMINISTRATION = (
    Entry("People", "administration", ("access.view",), everywhere=True, also=("/people/",)),
    Entry("Teams", "teams", ("access.view",), everywhere=True),
    Entry("Roles", "role-matrix", ("access.view",), everywhere=True),
    Entry("Tokens", "all-tokens", ("access.manage",), everywhere=True),
    Entry("Instance", "instance", ("access.manage",), everywhere=True),
)
ACCOUNT = (
    Entry("Notifications", "notifications"),
    Entry("API tokens", "tokens"),
    Entry("Passkeys and second factor", "mfa_index"),
    Entry("Approvers' passkeys", "passkeys"),
    Entry("Out of office", "absence"),
    Entry("Docs", "guides"),
    Entry("API reference", "api-docs"),
)
Counts = Mapping[str, tuple[int, str]]  # by route: how many, and what


def navigation(path: str, actor: Actor, frame: Frame, counts: Counts) -> Navigation:
    """Return what ``actor`` may open from the page at ``path``, and how many things stand behind
    each entry."""
    project = frame.project
    entries = IN_ALL if project is None else IN_PROJECT
    in_project = _items(entries, path, actor, project, counts)
    home = _items(HOME, path, actor, None, counts)
    audit, administration = (
        _items(entries, path, actor, None, counts) for entries in (AUDIT, ADMINISTRATION)
    )
    beside = [
        *_first("Audit", audit, "a"),
        *_items((NODES,), path, actor, None, counts),
        *_first("Administration", administration),
    ]
    parts = {"Audit": audit, "Administration": administration}
    title, tabs = _tabs(path, actor, project, parts)
    account = [Link(entry.text, reverse(entry.route)) for entry in ACCOUNT]
    lead = [Link(item.text, item.url) for item in (*home, *in_project, *beside, *audit)]
    lead += [Link(f"Administration: {item.text}", item.url) for item in administration]
    on_date = [Link("Deployments on a date", reverse("deployments"))]
    dated = on_date if actor.can_somewhere("endpoint.view") else []
    return Navigation(
        frame=frame,
        home=home,
        project=in_project,
        beside=beside,
        tabs=tabs,
        tabs_title=title,
        pages=[*lead, *dated, *account],
    )


def _first(name: str, pages: Sequence[MenuItem], key: str = "") -> list[MenuItem]:
    """Return the entry that stands for ``pages`` and leads to the first of them; none for none."""
    active = any(item.active for item in pages)
    return [MenuItem(name, pages[0].url, active, key)] if pages else []


def _tabs(
    path: str, actor: Actor, project: Standing | None, parts: Mapping[str, Sequence[MenuItem]]
) -> tuple[str, Sequence[MenuItem]]:
    """Return the pages that stand beside this one with what they are called together where its own
    heading does not say it; none where it stands alone."""
    for name, pages in parts.items():
        if any(item.active for item in pages):
            return name, pages if len(pages) > 1 else ()
    if path in (reverse(entry.route) for entry in DEPLOYMENTS):
        return "", _items(DEPLOYMENTS, path, actor, project, {})
    return "", ()


def _items(
    entries: Sequence[Entry], path: str, actor: Actor, project: Standing | None, counts: Counts
) -> list[MenuItem]:
    """Return the entries that ``actor`` may open; the nearest above ``path`` is active."""
    open_to = [entry for entry in entries if entry.allowed(actor, project)]
    above = [entry for entry in open_to if entry.above(path, project)]
    nearest = max(above, key=lambda entry: entry.above(path, project), default=None)
    return [
        MenuItem(
            entry.text,
            entry.url(project),
            entry is nearest,
            entry.key,
            *counts.get(entry.route, (0, "")),
        )
        for entry in open_to
    ]


def page_above(path: str, actor: Actor) -> Link | None:
    """Return the page of the menus above ``path``, one that the reader may open, whatever there is
    below it."""
    entries = (*IN_ALL, *AUDIT, *DEPLOYMENTS, NODES, *ADMINISTRATION, *ACCOUNT)
    links = [Link(e.text, reverse(e.route)) for e in entries if e.allowed(actor, None)]
    above = [link for link in links if path.startswith(link.url) and path != link.url]
    return max(above, key=lambda link: len(link.url), default=None)

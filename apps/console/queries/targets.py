"""Targets with their nodes and what runs there."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Case, Count, Q, QuerySet, Sum, When, Window
from django.db.models.functions import Coalesce, RowNumber

from apps.console.queries.empty_lists import EmptyList
from apps.console.queries.models import projects_of
from apps.console.queries.page_parts import counted
from apps.console.queries.paging import keyed
from apps.console.templatetags.placet import number
from apps.governance.queries.sharing import Shared
from apps.identity.models import Project
from apps.identity.queries import name_in
from apps.serving.capacity import HAS_MEMORY, MOST_MB
from apps.serving.models import Revision, Site, Target, TargetUse
from apps.serving.queries import (
    NodeStatus,
    base_urls,
    no_address,
    node_of,
    node_status,
    redact_errors,
    uses_of,
    visible_targets,
)
from apps.serving.rules import PRESENT
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound

SHOWN = 10  # revisions of a target in the list
USES = 5  # entries of a target's list there


@dataclass(slots=True)
class Uses:
    """Who may use a target: the first entries that the actor sees, and how many more there are of
    these and of others."""

    shown: list[TargetUse] = field(default_factory=list)
    more: int = 0
    others: int = 0

    @property
    def first(self) -> str:
        """The first of them, and how many more."""
        names = ", ".join(str(use) for use in self.shown)
        return f"{names} and {number(self.more)} more" if self.more else names

    @property
    def hidden(self) -> str:
        """How many the reader does not see; '' for none."""
        if not self.others:
            return ""
        return f"{counted(self.others, 'entry', 'entries')} of projects you do not see"

    @property
    def rest(self) -> str:
        """What stands after the first: those that the reader does not see, or that it is nobody."""
        if not self.shown:
            return self.hidden or "No project yet"
        return f"and {self.hidden}" if self.hidden else ""


@dataclass(slots=True)
class TargetRow:
    """One target: who answers for it, its node, the first revisions there that the actor may see,
    and the memory taken. ``present`` counts all of them, ``others`` those of projects that the
    actor does not see."""

    target: Target
    node: NodeStatus | None
    revisions: list[Revision]
    present: int
    others: int
    used_mb: int
    owner: str  # their name
    uses: Uses
    address: str  # where clients reach it, '' while nobody has said

    @property
    def host_mb(self) -> int:
        """The memory of its host in MB as its node measured it, 0 while that is not known."""
        memory = self.node.platform.get("memory_mb", 0) if self.node else 0
        return memory if isinstance(memory, int) else 0

    @property
    def promises_more(self) -> bool:
        """Tell whether more is promised to models than its host has."""
        return 0 < self.host_mb < self.target.capacity_mb

    @property
    def network(self) -> str:
        """What replicas get there: ``own`` or ``host``; '' while no node has said it."""
        if self.node is None:
            return ""
        features = self.node.platform.get("features") or ()
        return (
            "own" if "apart" in features and self.node.platform.get("network") == "own" else "host"
        )

    @property
    def host_network(self) -> str:
        """Why replicas get the network of their host."""
        features = (self.node.platform.get("features") if self.node else None) or ()
        why = "it can give none of its own" if "apart" in features else "upgrade the agent"
        return f"the host's: {why}"

    @property
    def node_state(self) -> str:
        """Whether its node was heard of lately, and answers clients; '' without one."""
        return self.node.state if self.node else ""

    @property
    def unreached(self) -> str:
        """That nobody reaches what it serves, and why; '' while it answers or is silent."""
        if self.node is None or not self.node.unreached:
            return ""
        return f"Nobody can reach its endpoints: {self.node.unreached}"

    @property
    def no_address(self) -> str:
        """What to do about it."""
        return no_address(self.target.name)

    @property
    def more(self) -> int:
        """How many the actor may see besides those in ``revisions``."""
        return self.present - self.others - len(self.revisions)

    @property
    def hidden(self) -> str:
        """How many revisions there are of projects that the reader does not see; '' for none."""
        if not self.others:
            return ""
        return f"{counted(self.others, 'revision')} of projects you do not see"

    @property
    def percent(self) -> int:
        """Memory taken, in percent of the capacity."""
        return min(100, round(100 * self.used_mb / max(1, self.target.capacity_mb)))


@dataclass(frozen=True, slots=True)
class UseRow:
    """One entry of a target's list."""

    use: Any  # with ``who`` added it and its ``note``

    @property
    def environment(self) -> str:
        """Which environment of its project."""
        return self.use.environment or "All environments"

    @property
    def by(self) -> str:
        """By whom it was added."""
        return f"by {self.use.who}"

    @property
    def removes(self) -> str:
        """What the button beside it does."""
        return f"Remove {self.use}"


@dataclass(slots=True)
class TargetPage:
    """The page of one target: ``entries`` are one page of its list, ``key`` where it goes on."""

    row: TargetRow
    entries: Sequence[UseRow]
    key: str
    may_manage: bool
    projects: list[Project]  # to choose from

    @property
    def may_join(self) -> bool:
        """Whether the reader may let a node join it."""
        return self.may_manage and self.row.node is None

    @property
    def empty_title(self) -> str:
        """What an empty list says."""
        return "Projects that you do not see" if self.row.uses.others else "No project yet"


@dataclass(frozen=True, slots=True)
class TargetListPage:
    """One page of targets."""

    rows: list[TargetRow]
    may_manage: bool
    empty: EmptyList
    shared: Sequence[Shared] = ()  # what comes last in a project and is not alone on its target


@dataclass(frozen=True, slots=True)
class TargetForm:
    """The form that adds a target, filled in as it was sent."""

    typed: Mapping[str, str]

    @property
    def sites(self) -> list[tuple[str, str]]:
        """Where it can stand."""
        return Site.choices

    @property
    def capacity_mb(self) -> str:
        """Its memory for models."""
        return self.typed.get("capacity_mb") or "4096"


def target_list_page(actor: Actor, *, after: str = "") -> tuple[list[TargetRow], str]:
    """Return one page of targets by name, and the name to go on after."""
    targets, key = keyed(named_targets(actor), ("name",), after)
    return target_rows(targets, actor), key


def named_targets(actor: Actor) -> QuerySet[Target]:
    """Return the targets that ``actor`` may see, with the names of those who answer for them."""
    return visible_targets(actor).annotate(owner_name=name_in("owner"))


def target_page(name: str, actor: Actor, *, after: str = "") -> TargetPage:
    """Return what the page of one target shows, or raise ``NotFound``."""
    target = named_targets(actor).filter(name=name).first()
    if target is None:
        raise NotFound
    rows = uses_of(target, actor).annotate(who=name_in("created_by"))
    uses, key = keyed(rows, ("project__slug", "environment"), after)
    may_manage = actor.can("target.manage")
    return TargetPage(
        row=target_rows([target], actor)[0],
        entries=[UseRow(use) for use in uses],
        key=key,
        may_manage=may_manage,
        projects=projects_of(actor) if may_manage else [],
    )


def uses_of_all(
    targets: Sequence[Target], actor: Actor, most: int | None = USES
) -> dict[str, Uses]:
    """Return who may use each of ``targets``, ``most`` entries of each, in one query."""
    by_target: dict[str, Uses] = {target.pk: Uses() for target in targets}
    entries = TargetUse.objects.filter(target__in=targets).select_related("project")
    projects = actor.projects_with("project.view")
    for use in _first(entries, "target", projects, ("project__slug", "environment"), most):
        uses = by_target[use.target_id]
        if use.seen:
            uses.shown.append(use)
        uses.others = use.all - use.visible
        uses.more = use.visible - len(uses.shown)
    return by_target


def target_rows(
    targets: Sequence[Target], actor: Actor, uses: int | None = USES
) -> list[TargetRow]:
    """Return targets; revisions of projects that the actor may not see are only counted. At most
    so many ``uses`` of each are read."""
    revisions: dict[str, list[Any]] = defaultdict(list)
    for revision in _revisions(targets, actor):
        revisions[revision.endpoint.target_id].append(revision)
    rows, listed, addresses = [], uses_of_all(targets, actor, uses), base_urls(targets)
    for target in targets:
        node = node_of(target)
        here = revisions[target.pk]
        rows.append(
            TargetRow(
                target,
                redact_errors(node_status(node), actor) if node else None,
                [revision for revision in here if revision.seen],
                present=here[0].all if here else 0,
                others=here[0].all - here[0].visible if here else 0,
                used_mb=here[0].used_mb if here else 0,
                owner=getattr(target, "owner_name", ""),
                uses=listed[target.pk],
                address=addresses[target.pk],
            )
        )
    return rows


def _revisions(targets: Sequence[Target], actor: Actor) -> QuerySet[Revision, Any]:
    """Return the first few of each target, with no more than the list shows of them, and in each
    the memory that all of its target take."""
    taken = Sum(MOST_MB, filter=HAS_MEMORY)
    by_target, projects = "endpoint__target", actor.projects_with("endpoint.view")
    rows = (
        Revision.objects.filter(state__in=PRESENT, endpoint__target__in=targets)
        .annotate(used_mb=Coalesce(Window(taken, partition_by=by_target), 0))
        .select_related("endpoint", "bento__version__model")
        .only(
            "state",
            "number",
            "endpoint__name",
            "endpoint__state",
            "endpoint__environment",
            "endpoint__target",
            "bento__version__number",
            "bento__version__model__name",
        )
    )
    return _first(rows, by_target, projects, ("endpoint__name", "-number"), SHOWN)


def _first(
    rows: QuerySet[Any, Any],
    target: str,
    projects: Collection[str] | None,
    order: tuple[str, ...],
    most: int | None,
) -> QuerySet[Any, Any]:
    """Return the ``most`` first rows of each target (all for ``None``), before all others those of
    ``projects`` (all for ``None``). In each stands whether it is ``seen``, how many its target has
    in ``all``, and how many of these are ``visible``: the first of a target tells of those that
    are not returned."""
    seen = Q(pk__isnull=False) if projects is None else Q(project__in=projects)
    order = ("-seen", *order)
    rows = rows.annotate(seen=Case(When(seen, then=True), default=False)).annotate(
        rank=Window(RowNumber(), partition_by=target, order_by=order),
        all=Window(Count("pk"), partition_by=target),
        visible=Window(Count("pk", filter=Q(seen=True)), partition_by=target),
    )
    return (rows if most is None else rows.filter(rank__lte=most)).order_by(*order)

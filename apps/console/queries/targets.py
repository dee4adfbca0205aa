"""Targets with their nodes and what runs there."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber

from apps.console.queries.models import projects_of
from apps.console.queries.page_parts import counted
from apps.console.queries.paging import keyed
from apps.console.templatetags.placet import number
from apps.identity.models import Project
from apps.identity.queries import name_in
from apps.serving.capacity import HAS_MEMORY
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
        """Whether its node was heard of lately; '' without one."""
        if self.node is None:
            return ""
        return "alive" if self.node.alive else "silent"

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
        who = "Placet" if self.use.created_by == "system" else self.use.who
        return f"by {who}"

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

    @property
    def empty_title(self) -> str:
        """What an empty page says."""
        return "No target yet" if self.may_manage else "No target for your projects"


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
    """Return who may use each of ``targets``, ``most`` entries of each, in two queries."""
    projects = actor.projects_with("project.view")
    seen = Q() if projects is None else Q(project__in=projects)
    entries = TargetUse.objects.filter(target__in=targets)
    by_target: dict[str, Uses] = {target.pk: Uses() for target in targets}
    order = ("project__slug", "environment")
    row_number = Window(RowNumber(), partition_by="target", order_by=order)
    first = entries.filter(seen).annotate(rank=row_number)
    first = first if most is None else first.filter(rank__lte=most)
    for use in first.select_related("project").order_by(*order):
        by_target[use.target_id].shown.append(use)
    counts = entries.values("target").annotate(all=Count("pk"), visible=Count("pk", filter=seen))
    for row in counts:
        uses = by_target[row["target"]]
        uses.more = row["visible"] - len(uses.shown)
        uses.others = row["all"] - row["visible"]
    return by_target


def target_rows(
    targets: Sequence[Target], actor: Actor, uses: int | None = USES
) -> list[TargetRow]:
    """Return targets; revisions of projects that the actor may not see are only counted. At most
    so many ``uses`` of each are read."""
    projects = actor.projects_with("endpoint.view")
    seen = Q() if projects is None else Q(project__in=projects)
    there = Revision.objects.filter(state__in=PRESENT, endpoint__target__in=targets)
    counts = there.values("endpoint__target").annotate(
        present=Count("pk"),
        visible=Count("pk", filter=seen),
        used=Sum(F("memory_mb") * F("replicas"), filter=HAS_MEMORY, default=0),
    )
    counted = {row["endpoint__target"]: row for row in counts}
    revisions: dict[str, list[Revision]] = defaultdict(list)
    for revision in _first(there.filter(seen)):
        revisions[revision.endpoint.target_id].append(revision)
    rows, listed, addresses = [], uses_of_all(targets, actor, uses), base_urls(targets)
    for target in targets:
        node = node_of(target)
        here = counted.get(target.pk, {"present": 0, "visible": 0, "used": 0})
        rows.append(
            TargetRow(
                target,
                redact_errors(node_status(node), actor) if node else None,
                revisions[target.pk],
                present=here["present"],
                others=here["present"] - here["visible"],
                used_mb=here["used"],
                owner=getattr(target, "owner_name", ""),
                uses=listed[target.pk],
                address=addresses[target.pk],
            )
        )
    return rows


def _first(rows: QuerySet[Revision]) -> QuerySet[Revision]:
    """Return the first few of each target, with no more than the list shows of them."""
    order = ("endpoint__name", "-number")
    row_number = Window(RowNumber(), partition_by="endpoint__target", order_by=order)
    return (
        rows.annotate(rank=row_number)
        .filter(rank__lte=SHOWN)
        .select_related("endpoint", "bento__version__model")
        .only(
            "state",
            "number",
            "endpoint__name",
            "endpoint__environment",
            "endpoint__target",
            "bento__version__number",
            "bento__version__model__name",
        )
        .order_by(*order)
    )

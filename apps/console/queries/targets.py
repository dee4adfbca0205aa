"""Targets with their nodes and what runs there."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from apps.console.queries.paging import keyed
from apps.serving.models import Revision, Target
from apps.serving.queries import NodeStatus, node_of, node_status, visible_targets
from apps.serving.rules import PRESENT
from placet.kernel.actor import Actor


@dataclass(slots=True)
class TargetRow:
    """One target: its node, what runs there that the actor may see, and the memory taken."""

    target: Target
    node: NodeStatus | None
    revisions: list[Revision]
    others: int
    used_mb: int

    @property
    def percent(self) -> int:
        """Memory taken, in percent of the capacity."""
        return min(100, round(100 * self.used_mb / max(1, self.target.capacity_mb)))


def target_page(actor: Actor, after: str = "") -> tuple[list[TargetRow], str]:
    """Return one page of targets by name, and the name to go on after."""
    targets, key = keyed(visible_targets(actor), ("name",), after)
    return target_rows(targets, actor), key


def target_rows(targets: Sequence[Target], actor: Actor) -> list[TargetRow]:
    """Return targets; revisions of projects that the actor may not see are only counted."""
    projects = actor.projects_with("endpoint.view")
    present: dict[str, list[Revision]] = defaultdict(list)
    rows = Revision.objects.filter(state__in=PRESENT, endpoint__target__in=targets).select_related(
        "endpoint__project", "bento__version__model"
    )
    for revision in rows.order_by("endpoint__name", "-number"):
        present[revision.endpoint.target_id].append(revision)
    found = []
    for target in targets:
        node = node_of(target)
        there = present[target.pk]
        seen = [r for r in there if projects is None or r.project_id in projects]
        used = sum(r.memory_mb * r.replicas for r in there)
        status = node_status(node) if node else None
        found.append(TargetRow(target, status, seen, len(there) - len(seen), used))
    return found

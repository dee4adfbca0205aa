"""Targets with their nodes and what runs there."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber

from apps.console.queries.paging import keyed
from apps.serving.models import Revision, Target
from apps.serving.queries import NodeStatus, node_of, node_status, visible_targets
from apps.serving.rules import PRESENT
from placet.kernel.actor import Actor

SHOWN = 10  # revisions of a target in the list


@dataclass(slots=True)
class TargetRow:
    """One target: its node, the first revisions there that the actor may see, and the memory
    taken. ``present`` counts all of them, ``others`` those of projects that the actor does not
    see."""

    target: Target
    node: NodeStatus | None
    revisions: list[Revision]
    present: int
    others: int
    used_mb: int

    @property
    def more(self) -> int:
        """How many the actor may see besides those in ``revisions``."""
        return self.present - self.others - len(self.revisions)

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
    seen = Q() if projects is None else Q(project__in=projects)
    there = Revision.objects.filter(state__in=PRESENT, endpoint__target__in=targets)
    counts = there.values("endpoint__target").annotate(
        present=Count("pk"),
        visible=Count("pk", filter=seen),
        used=Sum(F("memory_mb") * F("replicas")),
    )
    counted = {row["endpoint__target"]: row for row in counts}
    shown: dict[str, list[Revision]] = defaultdict(list)
    for revision in _first(there.filter(seen)):
        shown[revision.endpoint.target_id].append(revision)
    found = []
    for target in targets:
        node = node_of(target)
        here = counted.get(target.pk, {"present": 0, "visible": 0, "used": 0})
        found.append(
            TargetRow(
                target,
                node_status(node) if node else None,
                shown[target.pk],
                present=here["present"],
                others=here["present"] - here["visible"],
                used_mb=here["used"],
            )
        )
    return found


def _first(rows: QuerySet[Revision]) -> QuerySet[Revision]:
    """Return the first few of each target, with no more than the list shows of them."""
    order = ("endpoint__name", "-number")
    place = Window(RowNumber(), partition_by="endpoint__target", order_by=order)
    return (
        rows.annotate(place=place)
        .filter(place__lte=SHOWN)
        .select_related("endpoint", "bento__version__model")
        .only(
            "state", "number", "endpoint__name", "endpoint__environment", "endpoint__target",
            "bento__version__number", "bento__version__model__name",
        )
        .order_by(*order)
    )  # fmt: skip

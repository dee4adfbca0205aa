"""What a recall voids of releases that wait: in its preview, and on its own page afterwards."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from apps.assurance.models import Recall
from apps.assurance.queries import voided_along, voided_seen
from apps.console.queries.page_parts import Link
from apps.governance.rules import ReleaseState
from apps.registry.queries import large_of
from placet.kernel.actor import Actor

VOIDED = 20  # releases that are named


@dataclass(frozen=True, slots=True)
class VoidedRow:
    """A release that waits, or did, of which something counts no more."""

    release: Any  # with what of it, as ``voided_by`` and ``voided_along`` read it
    foreseen: bool = False  # not yet: before the recall

    @property
    def link(self) -> Link:
        """Where it is read, by what it would deploy where."""
        release = self.release
        text = f"{release.version} to {release.environment.name}"
        return Link(text, reverse("release", args=[release.pk]))

    @property
    def what(self) -> str:
        """Continues the line: which release that is, and what of it goes."""
        gone = ["decision void"] if self.release.voids else []
        gone += ["emergency release ended"] if self.release.ends else []
        again = "; approval needed again if too few are left"
        approved = self.release.voids and self.release.state == ReleaseState.APPROVED
        place = f"{self.release.project.name} release {self.release.number}"
        told = again if approved and self.foreseen else ""
        return f"{place}: {' and '.join(gone)}{told}"


@dataclass(frozen=True, slots=True)
class Voided:
    """What a recall took back of releases that waited, as its page says it."""

    rows: tuple[VoidedRow, ...] = ()  # that the reader sees: one more than shown
    hidden: bool = False  # whether there are others

    def __bool__(self) -> bool:
        return bool(self.rows) or self.hidden

    @property
    def shown(self) -> tuple[VoidedRow, ...]:
        """The first of them."""
        return self.rows[:VOIDED]

    @property
    def say(self) -> str:
        """What stands before them."""
        if not self.rows:
            return "Of releases that are not visible to you this voided what was decided."
        many = f"more than {VOIDED}" if len(self.rows) > VOIDED else str(len(self.rows))
        others = " and of others that are not visible to you" if self.hidden else ""
        waited = "release that waited" if len(self.rows) == 1 else "releases that waited"
        return f"Of {many} {waited}{others} this voided what was decided:"


NOTHING = Voided()


def voided_of(recall: Recall, actor: Actor) -> Voided:
    """Return what ``recall`` took back (one query, one more for who does not see every project)."""
    every = voided_along(recall)
    own = voided_seen(recall, actor)
    rows = own.select_related("project", "environment", "version__model")
    rows = rows.defer(*large_of("version")).order_by("pk")[: VOIDED + 1]
    partly = actor.projects_with("release.view") is not None
    hidden = partly and every.exclude(pk__in=own.values("pk")).exists()
    return Voided(tuple(VoidedRow(row) for row in rows), hidden)

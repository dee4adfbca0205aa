"""How long bodies of events stay, what is held, and what was archived, as the page shows it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.assurance.models import HoldState, LegalHold, Retention
from apps.assurance.queries.retention import retention, visible_archives, visible_holds
from apps.audit.models import Archive
from apps.audit.queries import unseal_many
from apps.console.queries.object_names import Named, object_names
from apps.console.queries.people import offered_people
from placet.kernel.actor import Actor

SHOWN = 100  # archives; the export has all of them


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold with its words and names."""

    hold: LegalHold
    about: Named | None  # what is held, where that has a name that the reader may know
    reason: str
    placed_by: str
    lifted_by: str
    may_lift: bool

    @property
    def stands(self) -> bool:
        """Whether it keeps anything."""
        return self.hold.state == HoldState.STANDING


@dataclass(frozen=True, slots=True)
class RetentionPage:
    """The page."""

    rule: Retention | None
    set_by: str
    holds: list[HoldRow]
    archives: list[Archive]
    may_set: bool
    may_hold: bool
    may_download: bool
    offered: list[tuple[str, str]]  # people to choose from, where the reader may see everybody


def retention_page(actor: Actor) -> RetentionPage:
    """Return the page, or raise ``Forbidden`` to who may not see it (five queries)."""
    rule, holds = retention(actor), list(visible_holds(actor).order_by("-state", "-pk"))
    people = {person for row in holds for person in (row.placed_by, row.lifted_by) if person}
    people |= {rule.set_by} if rule else set()
    names = names_of(holds, people, actor)
    return RetentionPage(
        rule=rule,
        set_by=_called(names, rule.set_by) if rule else "",
        holds=hold_rows(holds, names, actor),
        archives=list(visible_archives(actor).order_by("-pk")[:SHOWN]),
        may_set=actor.can("audit.retain"),
        may_hold=actor.can("audit.hold"),
        may_download=actor.can("audit.export"),
        offered=offered_people(actor),
    )


def names_of(holds: Iterable[LegalHold], people: set[str], actor: Actor) -> dict[str, Named]:
    """Return what is held by name, and ``people`` (one query)."""
    held = {row.subject for row in holds if row.subject}
    return object_names(held, actor, actors=people | held)


def _called(names: Mapping[str, Named], one: str) -> str:
    return names[one].name if one in names else one


def hold_rows(
    holds: Sequence[LegalHold], names: Mapping[str, Named], actor: Actor
) -> list[HoldRow]:
    """Return holds with why they were placed (two queries)."""
    texts = unseal_many(row.reason_sealed for row in holds)
    may = actor.can("audit.hold")
    return [
        HoldRow(
            hold=row,
            about=names.get(row.subject),
            reason=texts[row.reason_sealed],
            placed_by=_called(names, row.placed_by),
            lifted_by=_called(names, row.lifted_by),
            may_lift=may and row.placer != actor.accountable and row.state == HoldState.STANDING,
        )
        for row in holds
    ]

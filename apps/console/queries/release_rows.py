"""Releases as lists show them: what narrows the list, and who asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from django.db.models import Min, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.console.queries.paging import keyed
from apps.console.queries.release_words import LISTED_STATES, listed_as, with_words
from apps.console.queries.sorting import RELEASES, Sorting
from apps.console.templatetags.placet import state_word
from apps.governance.models import UNFINISHED_STATES, Decision, Environment, Release
from apps.governance.queries.promotions import opened_by_itself
from apps.governance.queries.visible_rows import releases
from apps.identity.queries import name_in, visible
from placet.kernel.actor import Actor, Scope
from placet_verify.statements import REJECT

LISTED = 30
NAMES = 200  # of environments to choose from
REQUESTED, DECIDED = "requested", "decided"
NARROWS = ("project", "state", "environment", "who")
WHO = ((REQUESTED, "Requested by you"), (DECIDED, "Decided by you"))
WORDS = {"state": LISTED_STATES, "who": tuple(dict(WHO))}  # all that these filters may be


@dataclass(frozen=True, slots=True)
class ReleaseFilters:
    """What narrows the list of releases, each one of what there is to choose."""

    project: str = ""
    state: str = ""
    environment: str = ""
    who: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> Self:
        """Read it out of an address."""
        return cls(**{name: asked.get(name, "") for name in NARROWS})

    @property
    def picks(self) -> bool:
        """Whether anything but the releases of a project is left out."""
        return bool(self.state or self.environment or self.who)

    @property
    def states(self) -> list[tuple[str, str]]:
        """The states to choose from."""
        return state_choices()

    @property
    def whose(self) -> tuple[tuple[str, str], ...]:
        """What of one's own can be chosen."""
        return WHO

    def rows(self, actor: Actor) -> QuerySet[Release]:
        """Return the releases that are left, as a list shows them."""
        found = releases(actor, project=self.project, environment=self.environment)
        found = own(listed_as(found, self.state), self.who, actor)
        return with_own_decision(with_words(with_requester(found)), actor)


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """One line of the list of releases."""

    release: Release
    actor: Actor

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.release.project.name} {self.release.number}"

    @property
    def may_withdraw(self) -> bool:
        """Whether the reader asked for it and can take that back."""
        return may_withdraw(self.release, self.actor)


def may_withdraw(release: Release, actor: Actor) -> bool:
    """Tell whether a release has not started, and ``actor``, or a program of theirs, asked for it
    and may take that back."""
    asked = release.state in UNFINISHED_STATES and release.requester == actor.accountable
    scope = Scope(release.project_scope(), release.environment_scope())
    return asked and actor.can("release.withdraw", scope)


def release_list_page(
    filters: ReleaseFilters, actor: Actor, *, sorting: Sorting = RELEASES, after: str = ""
) -> tuple[list[ReleaseRow], str]:
    """Return one page of releases, and the key to go on after."""
    rows, key = keyed(filters.rows(actor), sorting.fields, after, LISTED)
    return [ReleaseRow(row, actor) for row in rows], key


def own(rows: QuerySet[Release], who: str, actor: Actor) -> QuerySet[Release]:
    """Leave only what ``actor`` asked for, or decided on."""
    if who == REQUESTED:
        return rows.filter(requester=actor.accountable)
    if who == DECIDED:
        return rows.filter(pk__in=Decision.objects.filter(person=actor.id).values("release"))
    return rows


def state_choices() -> list[tuple[str, str]]:
    """Return the states to choose from."""
    return [(state, state_word(state)) for state in LISTED_STATES]


def release_choices(
    actor: Actor, project: str
) -> dict[str, Callable[[], Sequence[tuple[str, str]]]]:
    """Return what reads the choices of each filter but the ``project`` (a slug, or ''), by its
    name."""
    return {
        "state": state_choices,
        "who": lambda: WHO,
        "environment": partial(place_choices, actor, project),
    }


def place_choices(actor: Actor, project: str) -> list[tuple[str, str]]:
    """Return all names of environments: of a project, or of all where it has none, or is none."""
    chosen = environment_choices(actor, project, most=None) if project else []
    return chosen or environment_choices(actor, most=None)


def environment_choices(
    actor: Actor, project: str = "", most: int | None = NAMES
) -> list[tuple[str, str]]:
    """Return the names of environments to choose from, in the order that they come in."""
    rows = visible(Environment.objects.all(), actor)
    rows = rows.filter(project__slug=project) if project else rows
    first = rows.order_by().values("name").annotate(place=Min("position"))
    names = first.order_by("place", "name").values_list("name", flat=True)
    return [(name, name) for name in names[:most]]


def with_requester(rows: QuerySet[Release]) -> QuerySet[Release]:
    """Read along of each release the name of the person or program that asked for it, and of one
    that opened by itself for whom, as who had set it (``opened``)."""
    return rows.annotate(requester_name=name_in("requested_by"), opened=opened_by_itself())


def with_rejection(rows: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Read along who rejected each release, as what, when and why (``rejection``: the comment is a
    commitment); ``None`` where nobody did."""
    against = Decision.objects.filter(release=OuterRef("pk"), verdict=REJECT, voided_reason="")
    said = against.order_by("-pk").values(
        json=JSONObject(
            name=name_in("person"), role="role", at="created_at", comment="comment_sealed"
        )
    )
    return rows.annotate(rejection=Subquery(said[:1]))


def with_own_decision(rows: QuerySet[Release], actor: Actor) -> QuerySet[Release]:
    """Read along what ``actor`` decided on each release last, if anything."""
    mine = Decision.objects.filter(release=OuterRef("pk"), person=actor.id).order_by("-pk")
    return rows.annotate(
        own_verdict=Subquery(mine.values("verdict")[:1]),
        own_decided_at=Subquery(mine.values("created_at")[:1]),
        own_voided=Subquery(mine.values("voided_reason")[:1]),
    )

"""Releases as lists show them: what narrows the list, who asked, and how the gates stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.db.models import Min, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.console.queries.page_parts import Sign, people_of
from apps.console.queries.paging import keyed
from apps.console.queries.release_outlook import held_by_other_than_people, passes_at
from apps.console.queries.sorting import RELEASES, Sorting
from apps.console.templatetags.placet import state_word
from apps.governance import gates, rules
from apps.governance.gates.facts import GateResult
from apps.governance.models import UNFINISHED_STATES, Decision, Environment, Release
from apps.governance.queries.by_clock import gates_now, with_clock
from apps.governance.queries.shown_states import SHOWN_STATES, shown_as
from apps.governance.queries.visible_rows import releases
from apps.governance.rules import ReleaseState
from apps.identity.queries import name_in, visible
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import FieldError, InvalidInput
from placet_verify.statements import REJECT

LISTED = 30
NAMES = 200  # of environments to choose from
REQUESTED, DECIDED = "requested", "decided"
BY_HAND = Sign("wait", "◷", "Waits for an operator to start it", wrap=True)
WHO = ((REQUESTED, "Requested by you"), (DECIDED, "Decided by you"))


@dataclass(frozen=True, slots=True)
class ReleaseFilters:
    """What narrows the list of releases; what is no choice of it counts as not given."""

    project: str = ""
    state: str = ""
    environment: str = ""
    who: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> Self:
        """Read it out of an address."""
        state, who = asked.get("state", ""), asked.get("who", "")
        return cls(
            project=asked.get("project", ""),
            state=state if state in SHOWN_STATES else "",
            environment=asked.get("environment", ""),
            who=who if who in dict(WHO) else "",
        )

    @property
    def picks(self) -> bool:
        """Whether anything but the releases of a project is left out."""
        return bool(self.state or self.environment or self.who)

    @property
    def states(self) -> list[tuple[str, str]]:
        """The states to choose from."""
        return [(state, state_word(state)) for state in SHOWN_STATES]

    @property
    def whose(self) -> tuple[tuple[str, str], ...]:
        """What of one's own can be chosen."""
        return WHO

    def rows(self, actor: Actor) -> QuerySet[Release]:
        """Return the releases that are left, as a list shows them."""
        found = releases(actor, project=self.project, environment=self.environment)
        found = own(shown_as(found, self.state), self.who, actor)
        return with_own_decision(with_clock(with_requester(found)), actor)


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
    """Tell whether a release waits, and ``actor``, or a program of theirs, asked for it and may
    take that back."""
    asked = release.state == ReleaseState.REQUESTED and release.requester == actor.accountable
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


def check_who(filters: Mapping[str, str]) -> None:
    """Refuse what is no choice of whose releases there are."""
    if filters.get("who", "") not in ("", *dict(WHO)):
        raise InvalidInput(errors=[FieldError("who", f"One of {', '.join(dict(WHO))}")])


def environment_choices(actor: Actor, project: str = "") -> list[tuple[str, str]]:
    """Return the names of environments to choose from, in the order that they come in."""
    rows = visible(Environment.objects.all(), actor)
    rows = rows.filter(project__slug=project) if project else rows
    first = rows.order_by().values("name").annotate(place=Min("position"))
    names = first.order_by("place", "name").values_list("name", flat=True)
    return [(name, name) for name in names[:NAMES]]


def with_requester(rows: QuerySet[Release]) -> QuerySet[Release]:
    """Read along of each release the name of the person or program that asked for it."""
    return rows.annotate(requester_name=name_in("requested_by"))


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
    )


def gate_sign(release: Release) -> Sign | None:
    """Say how the gates of a release that is not decided stood last, and of one that somebody has
    to start who does; ``None`` of others."""
    if release.state not in UNFINISHED_STATES:
        return None
    if release.state == ReleaseState.APPROVED:
        return None if release.plan.get("start") == "on_approval" else BY_HAND
    held = gates.holding_back(gates_now(release))
    if failed := [gate["title"] for gate in held if gate["state"] != "waiting"]:
        return Sign("fail", "✕", f"Failed: {', '.join(failed)}", wrap=True)
    return _waiting(held) if held else Sign("pass", "✓", "Gates passed")


def _waiting(held: list[GateResult]) -> Sign:
    """Say whom a release waits for, and the clock or what else besides."""
    roles, last = sorted(rules.missing_roles(held)), None
    said = [f"Waiting for {people_of(roles)}"] if roles else []
    if others := held_by_other_than_people(held):
        times = [at for at in map(passes_at, others) if at]
        last = max(times) if len(times) == len(others) else None
        titles = ", ".join(gate["title"] for gate in others)
        many = "" if len(others) > 1 else "es"
        said.append(f"{titles}: pass{many}" if last else titles)
    return Sign("wait", "◷", "; ".join(said), True, last)

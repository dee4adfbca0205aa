"""What follows where a role is taken away, or a person deactivated, in words: before it is."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from apps.console.queries.home_page import StuckRow
from apps.console.queries.members import holder_name
from apps.console.queries.page_parts import counted, in_a_row
from apps.governance.queries.lockouts import (
    Lockouts,
    after_deactivating,
    after_removing_role,
)
from apps.governance.queries.standstill import Without, still_without
from apps.governance.rules import ROLE_OF
from apps.identity.models import User
from placet.kernel.actor import Actor


def what_removing_does(row: Any, actor: Actor) -> str:
    """Say what follows of taking away a role that :func:`role_to_take` read, as far as ``actor``
    sees it: for who holds it, for what waits, and for the releases to come."""
    return _sentences([_for_holder(row)], after_removing_role(row), still_without(row, actor))


def what_deactivating_does(person: User, actor: Actor) -> str:
    """Say what follows of deactivating a person, as :func:`what_removing_does` does; '' where
    others can do all of it."""
    return _sentences([], after_deactivating(person), still_without(person, actor))


def _sentences(first: list[str], lost: Lockouts, still: Iterable[Without]) -> str:
    said = [*first, *([after_it(lost)] if lost else []), *chain.from_iterable(map(_still, still))]
    return f"{'. '.join(said)}." if said else ""


def _still(found: Without) -> Iterator[str]:
    """Yield what stands still in a place then that does not now."""
    then = f"In {found.environment.project.name} / {found.environment.name} then"
    if found.stuck:
        yield f"{then} {StuckRow(found.stuck).clause}"
    if found.unliftable:
        held = counted(found.unliftable, "release")
        yield f"{then} nobody can lift the changes requested on {held}"
    if found.withdrawable:
        held = counted(found.withdrawable, "release")
        yield f"{then} who requested changes on {held} can only withdraw that, not decide again"
    if found.drafts:
        drafts = in_a_row([f"draft r{draft.number}" for draft in found.drafts])
        yield f"{then} nobody can publish {drafts} of its policy"


def _for_holder(row: Any) -> str:
    where = row.project.name if row.project else "every project"
    where = f"{where} / {row.environment}" if row.environment else where
    subject, decides = holder_name(row), row.role in ROLE_OF.values()
    who = f"Who is in the team {subject}" if row.team_id else subject
    if row.stays:
        return f"{who} stays {row.role} in {where}, by another role or a team"
    unless = "" if row.service_account_id else ", unless by another role"  # perhaps one not seen
    if decides:
        return f"{who} can no longer decide on releases as {row.role} in {where}{unless}"
    return f"{who} is no longer {row.role} in {where}{unless}"


def after_it(found: Lockouts) -> str:
    """Say where nobody could approve or request after a change."""
    return f"After this {', and '.join(_lost(found))}"


def _lost(found: Lockouts) -> Iterator[str]:
    lost = (
        ("no new request can be approved in", found.approving, " under the policy in force"),
        ("nobody can request a release in", found.requesting, ""),
    )
    for what, places, then in lost:
        if places:
            named = in_a_row([f"{one.project.name} / {one.name}" for one in places])
            yield f"{what} {named}{then}"

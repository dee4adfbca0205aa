"""What follows where a role is taken away, in words: before it is."""

from collections.abc import Iterator
from typing import Any

from apps.console.queries.home_page import StuckRow
from apps.console.queries.members import subject_of
from apps.console.queries.page_parts import in_a_row
from apps.governance.queries.lockouts import Lockouts, after_removing_role
from apps.governance.queries.standstill import stuck_without
from apps.governance.rules import ROLE_OF
from placet.kernel.actor import Actor


def what_removing_does(row: Any, actor: Actor) -> str:
    """Say what follows of taking away a role that :func:`role_to_take` read, as far as ``actor``
    sees it: for who holds it, for releases that wait, and for those to come."""
    said = [_for_holder(row)]
    if lost := after_removing_role(row):
        said.append(after_it(lost))
    for stuck in stuck_without(row, actor):
        place = stuck.environment
        waits = StuckRow(stuck).sentence.removesuffix(".")
        said.append(f"In {place.project.name} / {place.name} then {waits}")
    return f"{'. '.join(said)}."


def _for_holder(row: Any) -> str:
    where = row.project.name if row.project else "every project"
    where = f"{where} / {row.environment}" if row.environment else where
    subject, decides = subject_of(row), row.role in ROLE_OF.values()
    who = f"Who is in the team {subject}" if row.team_id else str(subject)
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

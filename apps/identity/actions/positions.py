"""Saying where a person stands: line of defence, and to whom they report."""

from apps.audit.actions import record
from apps.identity import hooks
from apps.identity.actions.checks import authorize_access, by_person, not_own
from apps.identity.events import PERSON_PLACED
from apps.identity.models import LineOfDefence, Position, User
from apps.identity.trust.positions import positions
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput


def place_person(
    person: User,
    *,
    line: str = "",
    manager: User | None = None,
    top: bool = False,
    actor: Actor,
) -> Position:
    """Say of ``person`` in which line of defence they are and to whom they report.

    Whoever is at the ``top`` reports to nobody. Nobody places themselves, and what somebody says
    of others counts for these others alone: not when it is asked whether who said it may decide.
    Decisions that were made keep what was so when they were made.
    """
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        not_own(actor, person.pk)
        with hooks.more_access(actor):
            held = User.objects.select_for_update(no_key=True).get(pk=person.pk)
            _check(held, line, manager, top)
            row = Position.objects.select_for_update(no_key=True).filter(person=held).first()
            row = row or Position(person=held, set_by="")
            columns = (line, manager.pk if manager else None, top, actor.accountable)
            if columns == (row.line, row.manager_id, row.top, row.set_by):
                return row
            row.line, row.manager, row.top = line, manager, top
            row.set_by, row.set_at = actor.accountable, now()
            row.save()
        log.add(PERSON_PLACED, row)
        return row


def _check(person: User, line: str, manager: User | None, top: bool) -> None:
    if line not in LineOfDefence.values:
        detail = "first, second or third; or nothing, when it is not known"
        raise InvalidInput(errors=[FieldError("/line", detail)])
    if manager is None:
        return
    if top:
        detail = "Whoever is at the top reports to nobody: leave one of the two out"
        raise InvalidInput(errors=[FieldError("/manager", detail)])
    if not User.objects.filter(pk=manager.pk, is_active=True).exists():
        raise InvalidInput(errors=[FieldError("/manager", "The account is deactivated")])
    above = _everybody_above(manager)
    if person.pk in above:
        detail = "They report to this person themselves: a reporting line has no circles"
        raise InvalidInput(errors=[FieldError("/manager", detail)])


def _everybody_above(person: User) -> set[str]:
    """Return a person and whoever is above them, whoever set it."""
    rows = positions([person.pk]).rows
    above, at = set[str](), person.pk
    while at and at not in above:
        above.add(at)
        at = rows[at].manager if at in rows else ""
    return above

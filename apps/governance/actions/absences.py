"""Saying that one is away, and who stands in meanwhile."""

from datetime import datetime, timedelta

from apps.audit.actions import Recorder, record
from apps.governance.events import ABSENCE_CLEARED, ABSENCE_SET
from apps.governance.models import Absence
from apps.governance.queries.absences import may_stand_in
from apps.identity.meant import person_called
from apps.identity.models import User
from apps.identity.queries import stands_for_person
from apps.identity.rules import WRITES
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NeedsPermission

LONGEST = timedelta(days=366)


def set_absence(
    *, deputy: str, ends_at: datetime, starts_at: datetime | None = None, actor: Actor
) -> Absence:
    """Say that ``actor`` is away until ``ends_at``, from now on unless told otherwise, and that
    ``deputy`` stands in, a person by their id, e-mail address or name.

    A deputy gains no right: it must be somebody who decides where ``actor`` does. What was said
    before is replaced.
    """
    _refuse_others(actor)
    begins = starts_at or clock.now()
    _check_times(begins, ends_at)
    with record(actor) as log:
        person = _hold(actor)
        chosen = _deputy(person, deputy)
        rows = Absence.objects.select_for_update(no_key=True)
        row = rows.filter(person=person.pk).first() or Absence(person=person.pk)
        is_new = row._state.adding
        row.deputy, row.starts_at, row.ends_at = chosen.pk, begins, ends_at
        row.cleared_at = None
        row.save(force_insert=is_new)
        log.add(ABSENCE_SET, row, subject=person.pk, data={"deputy": chosen.pk})
        return row


def clear_absence(*, actor: Actor) -> None:
    """Say that ``actor`` is back: nobody stands in any more. Once is as good as twice."""
    _refuse_others(actor)
    with record(actor) as log:
        end_absence_of(_hold(actor), log)


def end_absence_of(person: User, log: Recorder) -> None:
    """Have nobody stand in any more for ``person``, who is held: they are back, or were
    deactivated."""
    rows = Absence.objects.select_for_update(no_key=True)
    row = rows.filter(person=person.pk, cleared_at=None).first()
    if row is not None:
        row.cleared_at = clock.now()
        row.save(update_fields=["cleared_at"])
        log.add(ABSENCE_CLEARED, row, subject=person.pk, data={"deputy": row.deputy})


def _refuse_others(actor: Actor) -> None:
    """Only a person is away, by themselves or a token of theirs that may write wherever they may:
    who stands in does so in all their projects."""
    if not actor.can_somewhere(WRITES) or not stands_for_person(actor, WRITES):
        raise NeedsPermission(actor, WRITES)


def _hold(actor: Actor) -> User:
    """Hold the person's row: two requests of theirs have an order."""
    return User.objects.select_for_update(no_key=True).get(pk=actor.accountable)


def _check_times(begins: datetime, ends: datetime) -> None:
    if ends <= clock.now():
        raise InvalidInput(errors=[FieldError("/ends_at", "must be in the future")])
    if ends <= begins:
        raise InvalidInput(errors=[FieldError("/ends_at", "must be after the beginning")])
    if ends - begins > LONGEST:
        detail = f"must be {LONGEST.days} days after the beginning at most"
        raise InvalidInput(errors=[FieldError("/ends_at", detail)])


def _deputy(person: User, text: str) -> User:
    """Return whom ``text`` means of those who may stand in for somebody."""
    found = list(may_stand_in(person.pk).filter(person_called(text))[:2])
    if len(found) != 1:
        several = f"{text[:80]} is the name of several people: give the e-mail address of one"
        nobody = f"Nobody called {text[:80]} decides where you do, in the same role"
        raise InvalidInput(errors=[FieldError("/deputy", several if found else nobody)])
    return found[0]

"""How long bodies of events stay in the database, and legal holds, which are stronger."""

import re

from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.assurance.errors import HoldLifted, HoldNameTaken, OwnHold
from apps.assurance.events import LEGAL_HOLD_LIFTED, LEGAL_HOLD_PLACED, RETENTION_SET
from apps.assurance.models import HoldScope, HoldState, LegalHold, Retention
from apps.assurance.queries.retention import get_hold
from apps.audit.actions import record, seal
from apps.audit.actions.archiving import lock_holds
from apps.identity.models import Project, User
from apps.identity.sign_in.freshness import demand_fresh
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.ids import is_id
from placet.kernel.problems import FieldError, InvalidInput, NeedsPermission
from placet.kernel.states import move
from placet.kernel.texts import clean_text

LEAST_DAYS, MOST_DAYS = 30, 36_500
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")


def set_retention(*, days: int, actor: Actor) -> Retention:
    """Let events be archived once they are older than ``days``. Needs ``audit.retain``.

    What was archived is not brought back by a longer time.
    """
    with record(actor) as log:
        _need(actor, "audit.retain")
        demand_fresh(actor)
        if not LEAST_DAYS <= days <= MOST_DAYS:
            raise _invalid("days", f"A number from {LEAST_DAYS} to {MOST_DAYS}")
        lock_holds()
        row, _ = Retention.objects.update_or_create(
            pk="retention", defaults={"days": days, "set_by": actor.id, "set_at": now()}
        )
        log.add(RETENTION_SET, row, data={"days": days})
    return row


def place_hold(*, name: str, scope: str, subject: str = "", reason: str, actor: Actor) -> LegalHold:
    """Keep every event that mentions something where it is. Needs ``audit.hold``.

    ``subject`` is a project's slug, the e-mail address or id of a person, or the id of an object;
    for everything, nothing.
    """
    text = clean_text("reason", reason, limit=2000)
    with record(actor) as log:
        _need(actor, "audit.hold")
        demand_fresh(actor)
        if not _NAME.fullmatch(name):
            raise _invalid("name", "Lower-case letters, digits and hyphens, 60 at most")
        lock_holds()
        row = LegalHold(
            name=name,
            scope=scope,
            subject=_subject(scope, subject),
            reason_sealed=seal(text, person=actor.accountable),
            placed_by=actor.id,
            placer=actor.accountable,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise HoldNameTaken from None
        log.add(LEGAL_HOLD_PLACED, row, data={"scope": row.scope})
    return row


def lift_hold(hold_id: str, *, reason: str, actor: Actor) -> LegalHold:
    """Let what a hold kept be archived again. Needs ``audit.hold``, and another person than the one
    who placed it."""
    text = clean_text("reason", reason, limit=2000)
    with record(actor) as log:
        row = get_hold(hold_id, actor)
        _need(actor, "audit.hold")
        if actor.accountable == row.placer:
            raise OwnHold
        demand_fresh(actor)
        lock_holds()
        if not move(
            row,
            expected=HoldState.STANDING,
            to=HoldState.LIFTED,
            lifted_by=actor.id,
            lift_reason_sealed=seal(text, person=actor.accountable),
            lifted_at=now(),
        ):
            raise HoldLifted
        log.add(LEGAL_HOLD_LIFTED, row, data={"scope": row.scope})
    return row


def _need(actor: Actor, permission: str) -> None:
    if not actor.can(permission):
        raise NeedsPermission(actor, permission)


def _subject(scope: str, subject: str) -> str:
    match scope:
        case HoldScope.EVERYTHING:
            if subject:
                raise _invalid("subject", "Everything is held: leave it out")
            return ""
        case HoldScope.PROJECT:
            project_id = Project.objects.filter(slug=subject).values_list("pk", flat=True).first()
            if project_id is None:
                raise _invalid("subject", "No project has this slug")
            return str(project_id)
        case HoldScope.PERSON:
            address = User.objects.normalize_email(subject)
            people = User.objects.filter(Q(pk=subject) | Q(email=address))
            person_id = people.values_list("pk", flat=True).first()
            if person_id is None:
                raise _invalid("subject", "No person has this e-mail address or ID")
            return str(person_id)
        case HoldScope.OBJECT:
            if not is_id(subject) or subject != subject.strip():
                raise _invalid("subject", "The id of an object, as rel_…")
            return subject
    raise _invalid("scope", f"One of {', '.join(HoldScope)}")


def _invalid(field: str, detail: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError(f"/{field}", detail)])

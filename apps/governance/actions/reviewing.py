"""Asking people by name to review a release, taking that back, and telling what is overdue."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from apps.audit.actions import Recorder, record
from apps.audit.models import Event, logged
from apps.governance.actions.locking import lock_release
from apps.governance.errors import Expired, WrongState
from apps.governance.events import REVIEW_OVERDUE, REVIEW_REQUESTED, REVIEW_UNREQUESTED
from apps.governance.models import Decision, Release, ReviewRequest
from apps.governance.queries.people import NamedPerson
from apps.governance.queries.review_requests import (
    MOST,
    answers_of,
    deciding_on,
    deputies,
    unanswered,
    why_not_asked,
)
from apps.governance.queries.standing import Standings
from apps.governance.rules import ReleaseState
from apps.identity.meant import person_called
from apps.identity.models import User
from apps.identity.queries import authorize
from apps.jobs.each import each
from placet.kernel import clock
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet_verify.statements import REQUEST_CHANGES

MOST_DAYS = 90
DAYS = f"must be from 1 to {MOST_DAYS} days, or 0 for no due date"
MOST_ASKED = 5  # times that one person is asked about one release: each is a mail
BATCH, SECONDS = 200, 20  # told at a time, and how long until the job's next turn has the rest
SAME = timedelta(minutes=1)  # so near a due date is no other: a second click changes nothing


@dataclass(frozen=True, slots=True)
class Reviewers:
    """Who is asked to review a release, each by their id, e-mail address or name, and until when:
    at an instant, within days, open-ended (0 days), or as the release's environment has it."""

    people: Sequence[str]
    days: int | None = None
    due_at: datetime | None = None


def request_review(
    release: Release,
    *,
    reviewers: Sequence[str],
    review_days: int | None = None,
    review_due_at: datetime | None = None,
    actor: Actor,
) -> list[ReviewRequest]:
    """Ask people by name to decide on a release that waits, or ask them again, until a due date:
    within days, at an instant, or where neither is given as its environment says; 0 days are none.

    By who requested it, or who administers the project. Only who may decide on it can be asked,
    which gives them no right and changes no quorum. Who is asked already until the same date stays
    so.
    """
    with record(actor) as log:
        row = _lock(release, actor)
        return ask(row, Reviewers(reviewers, review_days, review_due_at), log)


def ask(release: Release, wanted: Reviewers, log: Recorder) -> list[ReviewRequest]:
    """Ask people to review a release that is held, as :func:`request_review` does."""
    _refuse_closed(release)
    due = _due(release, wanted)
    around, known = deciding_on(release)
    people = _chosen(release, wanted.people, around, known)
    instead = deputies(release, [person.id for person in people], around, known)
    rows = [_asked(release, person, due, instead.get(person.id, ""), log) for person in people]
    if ReviewRequest.objects.filter(release=release, removed_at=None).count() > MOST:
        raise InvalidInput(errors=[FieldError("/reviewers", f"must be {MOST} people at most")])
    return rows


def remove_review_request(request: ReviewRequest, *, actor: Actor) -> ReviewRequest:
    """Take back that somebody was asked by name to review a release; once is as good as twice."""
    with record(actor) as log:
        unlocked = ReviewRequest.objects.filter(pk=request.pk).select_related("release").first()
        if unlocked is None:
            raise NotFound
        release = _lock(unlocked.release, actor)
        _refuse_closed(release)
        row = ReviewRequest.objects.select_for_update(no_key=True).get(pk=request.pk)
        row.release = release
        if row.removed_at is None:
            row.removed_at = clock.now()
            row.save(update_fields=["removed_at"])
            log.add(REVIEW_UNREQUESTED, row, subject=release.pk, data=_said(row))
        return row


def tell_overdue(now: datetime | None = None) -> int:
    """Log, once for each, the review requests whose due date passed unanswered; return how many.

    The longest due first, batch by batch until none is left or :data:`SECONDS` are over: what
    cannot be told keeps none behind it from being told, and the next turn begins anew.
    """
    at, faults, told = now or clock.now(), list[Exception](), 0
    due = unanswered().filter(due_at__lte=at, overdue_at=None).select_related("release")
    rest, end = due.order_by("due_at", "pk"), time.monotonic() + SECONDS
    while (rows := list(rest[:BATCH])) and time.monotonic() < end:
        told += sum(each(lambda one: _tell(one, at), rows, faults))
        last = rows[-1]
        rest = rest.filter(Q(due_at__gt=last.due_at) | Q(due_at=last.due_at, pk__gt=last.pk))
    if faults:
        raise faults[0]
    return told


def maybe_overdue() -> list[QuerySet[ReviewRequest]]:
    """Return what is past its due date and was not told, cheaply: whether it was answered is not
    asked."""
    due = ReviewRequest.objects.filter(due_at__lte=clock.now(), overdue_at=None, removed_at=None)
    return [due.filter(release__state=ReleaseState.REQUESTED)]


def _tell(request: ReviewRequest, at: datetime) -> bool:
    with record(SYSTEM) as log:
        release = lock_release(request.release, SYSTEM, "release.view")
        open_ones = unanswered().select_for_update(of=("self",), no_key=True)
        row = open_ones.filter(pk=request.pk, due_at__lte=at, overdue_at=None).first()
        if row is None:  # they decided, or were asked anew, meanwhile
            return False
        row.release, row.overdue_at = release, clock.now()
        row.save(update_fields=["overdue_at"])
        instead = deputies(release, [row.person], *deciding_on(release))
        data = _said(row, instead.get(row.person, ""))
        log.add(REVIEW_OVERDUE, row, subject=release.pk, data=data)
        return True


def _said(row: ReviewRequest, deputy: str = "") -> dict[str, str | int]:
    """Return what the log says of a review request beside its state, and who stands in for a person
    who is away."""
    said: dict[str, str | int] = {"number": row.release.number, "person": row.person}
    said |= {"requested_by": row.requested_by}
    return said | ({"deputy": deputy} if deputy else {})


def _lock(release: Release, actor: Actor) -> Release:
    """Hold a release whose reviewers the actor may choose."""
    row = lock_release(release, actor, "release.view")
    is_own = actor.accountable == row.requester
    authorize(actor, "release.request" if is_own else "project.edit", row, view="release.view")
    return row


def _refuse_closed(release: Release) -> None:
    """Nobody is asked about what waits for no decision any more."""
    if release.state != ReleaseState.REQUESTED:
        raise WrongState(f"The release is already {release.get_state_display().lower()}")
    if release.not_after <= clock.now():
        raise Expired


def _due(release: Release, wanted: Reviewers) -> datetime | None:
    """Return until when they are asked, ``None`` without end, or say what is wrong with it."""
    now, days, due = clock.now(), wanted.days, wanted.due_at
    if days is not None and due is not None:
        detail = "Give days or an instant, not both"
        raise InvalidInput(errors=[FieldError("/review_due_at", detail)])
    if days is None and due is None:
        return _usual(release, now)
    at = "/review_days" if due is None else "/review_due_at"
    if days is not None and not 0 <= days <= MOST_DAYS:
        raise InvalidInput(errors=[FieldError(at, DAYS)])
    if days == 0:
        return None
    due = due or now + timedelta(days=days or 0)
    if due <= now:
        raise InvalidInput(errors=[FieldError(at, "must be in the future")])
    if due > release.not_after:
        detail = f"must be before the release expires, {release.not_after:%d %B %Y %H:%M} UTC"
        raise InvalidInput(errors=[FieldError(at, detail)])
    return due


def _usual(release: Release, now: datetime) -> datetime | None:
    """Return until when people are asked where nothing is said: as the environment has it, and not
    beyond the end of the release."""
    days = release.environment.review_days
    return min(now + timedelta(days=days), release.not_after) if days else None


def _chosen(
    release: Release, people: Sequence[str], around: Sequence[NamedPerson], known: Standings
) -> list[NamedPerson]:
    """Return whom the texts mean, each once, of those ``around`` who may decide on a release; or
    say of each of the others why they cannot be asked."""
    if not 1 <= len(people) <= MOST:
        detail = f"must name a person, and {MOST} people at most"
        raise InvalidInput(errors=[FieldError("/reviewers", detail)])
    called = _called(around, people)
    chosen: dict[str, NamedPerson] = {}
    faults = []
    for place, text in enumerate(people):
        found = called.get(text, [])
        if fault := _fault(release, text, found, known):
            faults.append(FieldError(f"/reviewers/{place}", fault))
        else:
            chosen[found[0].id] = found[0]
    if faults:
        raise InvalidInput(errors=faults)
    return list(chosen.values())


def _called(around: Iterable[NamedPerson], texts: Sequence[str]) -> dict[str, list[NamedPerson]]:
    """Return who of those ``around`` is meant by each text (one query)."""
    by_id = {person.id: person for person in around}
    asked: dict[str, Any] = {
        f"meant_{place}": ExpressionWrapper(person_called(text), BooleanField())
        for place, text in enumerate(texts)
    }
    rows = list(User.objects.filter(pk__in=by_id).annotate(**asked).values("pk", *asked))
    return {
        text: [by_id[row["pk"]] for row in rows if row[name]]
        for name, text in zip(asked, texts, strict=True)
    }


def _fault(release: Release, text: str, found: Sequence[NamedPerson], known: Standings) -> str:
    """Say why who is called ``text`` cannot be asked; '' where they can."""
    if not found:
        return f"Nobody called {text[:80]} can decide on this release"
    if len(found) > 1:
        return f"{text[:80]} is the name of several people: give the e-mail address of one"
    if why := why_not_asked(release, found[0], known):
        return why
    if answers_of(found[0].id).filter(release=release).exclude(verdict=REQUEST_CHANGES).exists():
        return f"{found[0].name} has decided on it already"
    return ""


def _asked(
    release: Release, person: NamedPerson, due: datetime | None, deputy: str, log: Recorder
) -> ReviewRequest:
    """Ask one person, or ask them again unless they are asked so already; the log says which
    ``deputy`` stands in for who is away."""
    rows = ReviewRequest.objects.select_for_update(no_key=True)
    row = rows.filter(release=release, person=person.id).first()
    if row is not None and _stands(row, due):
        return row
    if row is not None:
        _refuse_often(row, person)
    row = row or ReviewRequest(release=release, project_id=release.project_id, person=person.id)
    is_new = row._state.adding
    row.release, row.requested_by, row.requested_at = release, log.actor.id, clock.now()
    row.due_at, row.overdue_at, row.removed_at = due, None, None
    row.save(force_insert=is_new)
    log.add(REVIEW_REQUESTED, row, subject=release.pk, data=_said(row, deputy))
    return row


def _refuse_often(row: ReviewRequest, person: NamedPerson) -> None:
    """Nobody is told without end that they are asked: again, until another date, or after it was
    taken back."""
    told = Event.objects.filter(kind=REVIEW_REQUESTED.name, subject=row.release_id)
    if told.alias(who=logged("person")).filter(who=row.person).count() >= MOST_ASKED:
        detail = f"{person.name} was asked {MOST_ASKED} times to review this release: not again"
        raise InvalidInput(errors=[FieldError("/reviewers", detail)])


def _stands(row: ReviewRequest, due: datetime | None) -> bool:
    """Tell whether a person is asked already until this date, and has not answered."""
    if row.removed_at is not None or row.overdue_at is not None:
        return False
    if (row.due_at is None) != (due is None):
        return False
    answered = Decision.objects.filter(
        release=row.release_id, person=row.person, voided_reason="", created_at__gt=row.requested_at
    )
    return abs((row.due_at or clock.now()) - (due or clock.now())) < SAME and not answered.exists()

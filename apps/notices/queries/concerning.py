"""Whether a notice still concerns its person when it is sent: rights are asked again then."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet, Value

from apps.audit.models import Event
from apps.audit.queries import is_erased
from apps.builds.queries import builds
from apps.discussions.models import Comment
from apps.discussions.queries import visible_threads
from apps.governance.events import REVIEW_OVERDUE, REVIEW_REQUESTED
from apps.governance.queries.break_glass import glasses_awaiting
from apps.governance.queries.review_requests import answers_of, waits_by_name
from apps.governance.queries.standing import standings
from apps.governance.queries.visible_rows import held_roles, publishable_drafts, releases
from apps.governance.rules import ReleaseState
from apps.identity.models import User
from apps.identity.queries import own_tokens, scope_of
from apps.monitoring.queries import unresolved_alerts
from apps.notices.models import Notice
from apps.notices.queries.preferences import wants
from apps.rollouts.queries import visible_rollouts
from apps.serving.hooks import keeper
from placet.kernel.actor import Actor

BY_NAME = (REVIEW_REQUESTED.name, REVIEW_OVERDUE.name)
Rows = Callable[[Actor], QuerySet[Any]]
Question = Callable[[Notice, Actor], bool]


def may_be_mailed(person: User) -> bool:
    """Tell whether mail to a person may go out: they may come in, and were not erased."""
    return person.is_active and not is_erased(person.pk)


def still_concerns(notice: Notice, actor: Actor) -> bool:
    """Tell whether ``actor``, whose notice it is, may see what it leads to, wants mail of it, and
    whether what waited for them still does."""
    wanted = wants(notice.person_id, notice.kind, notice.project)
    return wanted and STILL[notice.kind](notice, actor)


def _sees_release(notice: Notice, actor: Actor) -> bool:
    if notice.subject.startswith("rlo_"):
        return visible_rollouts(actor).filter(pk=notice.subject).exists()
    return releases(actor).filter(pk=notice.subject).exists()


def _watches(notice: Notice, actor: Actor) -> bool:
    """Tell whether they see the release, and the comment that the news is of stands."""
    gone = Comment.objects.filter(pk=notice.part).exclude(deleted_at=None)
    return _sees_release(notice, actor) and not (notice.part and gone.exists())


def _decides(notice: Notice, actor: Actor) -> bool:
    """Tell whether a release waits for a decision of theirs, as their inbox would: for one of their
    roles, or for them by name. That they were asked by name is told while they are."""
    rows = releases(actor, state=ReleaseState.REQUESTED).filter(pk=notice.subject)
    waits = rows.exclude(decisions__in=answers_of(actor.id)).defer(None)
    told = {"recalled": keeper().uncounts(Value(actor.id)), "is_named": waits_by_name(actor.id)}
    row: Any = waits.annotate(**told).first()
    if row is None or (not row.is_named and _asks_by_name(notice)):
        return False
    known = standings([row], [actor.id], [actor.id] if row.recalled else [])
    decider, held = known.decider(row, actor.id), held_roles(actor, scope_of(row))
    return bool(decider.needed(held, row.gates) or (row.is_named and decider.counting(held)))


def _asks_by_name(notice: Notice) -> bool:
    """Tell whether it tells somebody that they were asked by name, or that this is overdue."""
    index = notice.index if notice.index is not None else -1
    return Event.objects.filter(index=index, kind__in=BY_NAME).exists()


def _hears(notice: Notice, actor: Actor) -> bool:
    """Tell whether they may see the thread, and the comment stands; where they were mentioned it
    mentions them still."""
    said = Comment.objects.filter(pk=notice.part, deleted_at=None)
    if notice.kind == "mentioned":
        said = said.filter(mentions__person=actor.id)
    return said.filter(thread__in=visible_threads(actor).filter(pk=notice.subject)).exists()


def _among(rows: Rows) -> Question:
    return lambda notice, actor: rows(actor).filter(pk=notice.subject).exists()


def _tokens(actor: Actor) -> QuerySet[Any]:
    return own_tokens(actor).filter(revoked_at=None)


STILL: Mapping[str, Question] = {
    "review": _decides,
    "emergency": _among(glasses_awaiting),
    "policy": _among(publishable_drafts),
    "changes": _sees_release,
    "decided": _sees_release,
    "rollout": _sees_release,
    "watched": _watches,
    "build": _among(builds),
    "token": _among(_tokens),
    "mentioned": _hears,
    "replied": _hears,
    "alert": _among(unresolved_alerts),
}

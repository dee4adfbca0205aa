"""Holding what an action changes, in one order: who writes, what is discussed, the thread."""

from hashlib import sha256

from django.db import connection

from apps.audit.models import ACCOUNTABLE, Event
from apps.discussions.errors import TooFast
from apps.discussions.events import DISCUSSION_EDITED, DISCUSSION_REOPENED, DISCUSSION_RESOLVED
from apps.discussions.hooks import kinds
from apps.discussions.models import Comment, Thread
from apps.discussions.queries import may_write, sees_thread
from apps.discussions.rules import MOST_SENT, RATE, RATE_SPAN
from apps.identity.models import User
from apps.identity.queries import sees_in
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now, rfc3339
from placet.kernel.problems import NeedsPermission, NotFound
from placet.kernel.quota import meter

CHANGES = tuple(e.name for e in (DISCUSSION_EDITED, DISCUSSION_RESOLVED, DISCUSSION_REOPENED))
LOCK = 0x74687264  # any number that no other pair of advisory locks begins with


def hold_writer(actor: Actor) -> None:
    """Hold whoever answers for what is written: one person's comments are written one by one."""
    people = User.objects.select_for_update(no_key=True).filter(pk=actor.accountable)
    list(people.values_list("pk"))


def refuse_too_fast(actor: Actor) -> None:
    """Refuse who has written and edited comments, resolved and reopened threads as often as one may
    in a while: each tells others."""
    since, who = now() - RATE_SPAN, actor.accountable
    written = Comment.objects.filter(created_at__gt=since, person=who)
    logged = Event.objects.filter(kind__in=CHANGES, at__gt=rfc3339(since))
    changes = logged.alias(accountable=ACCOUNTABLE).filter(accountable=who)
    if written.count() + changes.count() >= RATE:
        minutes = int(RATE_SPAN.total_seconds() // 60)
        raise TooFast(
            f"At most {RATE} comments and changes in {minutes} minutes: wait a little, then go on"
        )


def refuse_often_sent(once: str, actor: Actor) -> None:
    """Refuse who sends form after form, such as the same again and again: a repeat says nothing and
    so counts for nothing in :func:`refuse_too_fast`, but what it brings is held against what was
    said. Call it outside any transaction, before that is read."""
    if not once:
        return
    usage = meter().count(f"said:{actor.accountable}", MOST_SENT)
    if usage.exceeded:
        raise TooFast(
            f"At most {MOST_SENT} forms a minute, repeats too: wait {usage.resets_in} seconds, "
            "then go on"
        )


def hold_subject(kind: str, subject: str) -> None:
    """Hold the discussions of one thing: their numbers are counted under it."""
    name = f"{kind}/{subject}".encode()
    key = int.from_bytes(sha256(name).digest()[:4], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, key])


def refuse_gone(kind: str, subject: str) -> None:
    """Refuse what is said of a thing that is gone."""
    known = kinds()[kind]
    if not list(known.find(known, [subject])):
        raise NotFound


def allow(kind: str, scope: Scope, actor: Actor) -> None:
    """Let ``actor`` say something about what stands at ``scope``, or raise."""
    known = kinds().get(kind)
    if known is None or not sees_in(scope.project, known.view, actor):
        raise NotFound
    if not may_write(known, scope, actor):
        raise NeedsPermission(actor, known.write, scope=scope)


def hold_thread(thread: Thread, actor: Actor) -> Thread:
    """Hold a thread in which ``actor`` may write, about something that there still is."""
    row = Thread.objects.select_for_update(no_key=True).filter(pk=thread.pk).first()
    if row is None:
        raise NotFound
    allow(row.kind, Scope(row.project_scope(), row.environment_scope()), actor)
    refuse_gone(row.kind, row.subject)
    return row


def hold_comment(comment: Comment, actor: Actor) -> Comment:
    """Hold a comment in a thread where ``actor`` may still write."""
    hold_writer(actor)
    return _held(comment, hold_thread(comment.thread, actor))


def hold_to_delete(comment: Comment, actor: Actor) -> Comment:
    """Hold a comment that may be taken back: by whoever still sees it, though they may say nothing
    there any more, or the thing is gone that it is about. A token does that where its holder may
    say something with it, for one that only reads deletes nothing."""
    hold_writer(actor)
    thread = Thread.objects.select_for_update(no_key=True).filter(pk=comment.thread_id).first()
    if thread is None or not sees_thread(thread, actor):
        raise NotFound
    if not actor.in_session:
        allow(thread.kind, Scope(thread.project_scope(), thread.environment_scope()), actor)
    return _held(comment, thread)


def _held(comment: Comment, thread: Thread) -> Comment:
    row = Comment.objects.select_for_update(no_key=True).filter(pk=comment.pk).first()
    if row is None:
        raise NotFound
    row.thread = thread
    return row

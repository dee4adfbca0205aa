"""Resolving threads and reopening them, and having read them."""

from apps.audit.actions import record
from apps.discussions.actions.locking import (
    allow,
    hold_subject,
    hold_thread,
    hold_writer,
    refuse_too_fast,
)
from apps.discussions.actions.telling import tell
from apps.discussions.events import DISCUSSION_REOPENED, DISCUSSION_RESOLVED
from apps.discussions.models import FileContent, Mention, Thread
from apps.discussions.queries import unseen_in
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now


def resolve_thread(thread: Thread, *, actor: Actor) -> Thread:
    """Say that the matter is settled; of two who do, the first has."""
    with record(actor) as log:
        hold_writer(actor)
        row = hold_thread(thread, actor)
        if not row.is_resolved:
            refuse_too_fast(actor)
            row.resolved_at, row.resolved_by = now(), actor.id
            row.save(update_fields=["resolved_at", "resolved_by"])
            tell(log, DISCUSSION_RESOLVED, row)
        return row


def reopen_thread(thread: Thread, *, actor: Actor) -> Thread:
    """Say that it is not settled after all; one that is open stays as it is."""
    with record(actor) as log:
        hold_writer(actor)
        row = hold_thread(thread, actor)
        if row.is_resolved:
            refuse_too_fast(actor)
            row.resolved_at, row.resolved_by = None, ""
            row.save(update_fields=["resolved_at", "resolved_by"])
            tell(log, DISCUSSION_REOPENED, row)
        return row


def mark_seen(thread: Thread, *, last: str = "", actor: Actor) -> int:
    """Have the actor's mentions in a thread wait for them no more, up to the ``last`` comment that
    they read, or all of them; return how many did.

    A token does that where its holder may also say something with it: one that only reads empties
    nobody's inbox. It is not logged (:class:`~apps.discussions.models.Mention`).
    """
    if not actor.in_session:
        allow(thread.kind, Scope(thread.project_scope(), thread.environment_scope()), actor)
    return unseen_in(thread, actor, last).update(seen_at=now())


def forget_mentions(kind: str, subject: str) -> None:
    """Have no mention wait in discussions of a thing that is gone, in the transaction that removes
    it, and keep no bytes of their files: nobody could open them any more. What is being said
    meanwhile is waited for; what is said later waits for that transaction, and is refused."""
    hold_subject(kind, subject)
    threads = Thread.objects.filter(kind=kind, subject=subject).order_by("pk")
    list(threads.select_for_update(no_key=True).values_list("pk"))
    FileContent.objects.filter(file__comment__thread__in=threads).delete()
    rows = Mention.objects.filter(thread__kind=kind, thread__subject=subject, seen_at=None)
    rows.update(seen_at=now())

"""Opening threads and replying in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max

from apps.audit.actions import record, seal
from apps.audit.queries import unseal
from apps.discussions.actions.files import are_those_of, attach
from apps.discussions.actions.locking import (
    allow,
    hold_subject,
    hold_thread,
    hold_writer,
    refuse_gone,
    refuse_often_sent,
    refuse_too_fast,
)
from apps.discussions.actions.mentions import Unmentioned, handles_of, mention
from apps.discussions.actions.telling import tell
from apps.discussions.contents import Checked, SentFile, checked
from apps.discussions.errors import ThreadFull, ThreadResolved, TooManyThreads
from apps.discussions.events import DISCUSSION_OPENED, DISCUSSION_REPLIED
from apps.discussions.hooks import Subject
from apps.discussions.models import Comment, CommentFile, Thread
from apps.discussions.rules import MOST_COMMENTS, MOST_THREADS, TEXT_LIMIT, anchor_fault
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput
from placet.kernel.texts import clean_text

_ONCE = re.compile(r"[0-9A-Za-z-]{0,40}")


@dataclass(frozen=True, slots=True)
class Said:
    """A comment that was written, what in it mentions nobody, and its files."""

    comment: Comment
    unmentioned: list[Unmentioned]
    files: Sequence[CommentFile] = ()


@dataclass(frozen=True, slots=True)
class _Words:
    """What somebody is about to say, as it may be kept."""

    text: str
    handles: list[str]
    files: list[Checked]


def open_thread(
    subject: Subject,
    *,
    text: str,
    anchor: str = "",
    once: str = "",
    files: Sequence[SentFile] = (),
    actor: Actor,
) -> Said:
    """Open a thread about a thing with its first comment; ``anchor`` names the part that is meant.

    What was sent ``once`` already is answered as it was, and opens no second thread; another text
    that a form sends after that, or other files, is said as well.
    """
    refuse_often_sent(once, actor)
    words = _checked(text, once, files)
    if anchor and (fault := anchor_fault(anchor, subject.kind.parts)):
        raise InvalidInput(errors=[FieldError("/anchor", fault)])
    with record(actor) as log:
        hold_writer(actor)
        allow(subject.kind.name, subject.scope, actor)
        _refuse_unknown(subject, anchor)
        place = {"thread__kind": subject.kind.name, "thread__subject": subject.id}
        once, earlier = _sent(once, words, actor, **place, thread__anchor=anchor)
        if earlier:
            return Said(earlier, [])
        refuse_too_fast(actor)
        hold_subject(subject.kind.name, subject.id)
        refuse_gone(subject.kind.name, subject.id)
        thread = _new_thread(subject, anchor, actor)
        said = _say(thread, words, once, actor)
        tell(log, DISCUSSION_OPENED, thread, said.comment, *said.files, **_counted(said))
        return said


def reply(
    thread: Thread, *, text: str, once: str = "", files: Sequence[SentFile] = (), actor: Actor
) -> Said:
    """Say something in an open thread."""
    refuse_often_sent(once, actor)
    words = _checked(text, once, files)
    with record(actor) as log:
        hold_writer(actor)
        row = hold_thread(thread, actor)
        once, earlier = _sent(once, words, actor, thread=row)
        if earlier:
            return Said(earlier, [])
        refuse_too_fast(actor)
        if row.is_resolved:
            raise ThreadResolved
        if row.size >= MOST_COMMENTS:
            raise ThreadFull(f"It has {row.size} comments, the most there may be: open another")
        said = _say(row, words, once, actor)
        tell(log, DISCUSSION_REPLIED, row, said.comment, *said.files, **_counted(said))
        return said


def _counted(said: Said) -> dict[str, int]:
    """Return what the log says of files that came along: how many, never their names."""
    return {"files": len(said.files)} if said.files else {}


def _refuse_unknown(subject: Subject, anchor: str) -> None:
    """Refuse a name that nothing in that part of the thing has: nobody could take it off again."""
    part, slash, name = anchor.partition("/")
    if slash and name not in subject.kind.names(subject, part):
        detail = f"Nothing in {part} of this {subject.kind.noun} is called so"
        raise InvalidInput(errors=[FieldError("/anchor", detail)])


def _checked(text: str, once: str, files: Sequence[SentFile]) -> _Words:
    if _ONCE.fullmatch(once) is None:
        raise InvalidInput(errors=[FieldError("/once", "At most 40 letters, digits and hyphens")])
    words = clean_text("text", text, limit=TEXT_LIMIT)
    return _Words(words, handles_of(words), checked(files))


def _sent(once: str, words: _Words, actor: Actor, **place: Any) -> tuple[str, Comment | None]:
    """Return what was said ``once`` already in the same words, with the same files, at the same
    place; in place of ``once`` '' where it was something else."""
    rows = Comment.objects.filter(person=actor.accountable, once=once).select_related("thread")
    if not once or not rows.exists():
        return once, None
    same = rows.filter(**place).first()
    if same and unseal(same.text_sealed) == words.text and are_those_of(same, words.files):
        return once, same
    return "", None


def _new_thread(subject: Subject, anchor: str, actor: Actor) -> Thread:
    rows = Thread.objects.filter(kind=subject.kind.name, subject=subject.id)
    number = (rows.aggregate(last=Max("number"))["last"] or 0) + 1
    if number > MOST_THREADS:
        detail = f"There are {MOST_THREADS} discussions, the most there may be: use one of them"
        raise TooManyThreads(detail)
    thread = Thread(
        kind=subject.kind.name,
        subject=subject.id,
        project=subject.project,
        environment=subject.environment,
        title=subject.title[:300],
        number=number,
        anchor=anchor,
        opened_by=actor.id,
        said_at=now(),
    )
    thread.save(force_insert=True)
    return thread


def _say(thread: Thread, words: _Words, once: str, actor: Actor) -> Said:
    comment = Comment(
        thread=thread,
        author=actor.id,
        person=actor.accountable,
        text_sealed=seal(words.text, person=actor.accountable),
        once=once,
        created_at=now(),
    )
    comment.save(force_insert=True)
    thread.size, thread.said_at = thread.size + 1, comment.created_at
    thread.save(update_fields=["size", "said_at"])
    return Said(comment, mention(comment, words.handles, actor), attach(comment, words.files))

"""The pages of discussions: the threads about a thing, and one thread."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from apps.audit.queries import ERASED, unseal_many
from apps.console.queries.discussed import Thing, discussion_url, thing, thing_or_gone
from apps.console.queries.evidence_words import cut
from apps.console.queries.page_parts import counted
from apps.discussions.contents import FILE_BYTES, FILES_BYTES, MOST_FILES
from apps.discussions.hooks import Subject, kinds
from apps.discussions.markdown import render, said_in
from apps.discussions.models import Comment
from apps.discussions.queries import (
    CommentView,
    comment_views,
    comments_of,
    get_subject,
    get_thread,
    may_delete,
    may_edit,
    may_write,
    ordered,
    threads_of,
    unseen_in,
    with_first,
    with_names,
)
from placet.kernel.actor import Actor, Scope
from placet.kernel.ids import uuid7_hex
from placet.kernel.sizes import spell_size

THREADS, COMMENTS = 20, 25  # of one page
LONGEST = 160  # letters of a line of the list


@dataclass(frozen=True, slots=True)
class Pages:
    """Which page of how many is shown."""

    number: int
    count: int

    @property
    def before(self) -> int:
        """The page before it, 0 for none."""
        return self.number - 1

    @property
    def after(self) -> int:
        """The page behind it, 0 for none."""
        return self.number + 1 if self.number < self.count else 0


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as it was sent, and why it was refused; ``once`` tells one form from the next."""

    text: str = ""
    anchor: str = ""
    fault: SafeString | str = ""
    once: str = ""

    @property
    def sent(self) -> str:
        """What the form sends so that a double click says it once."""
        return self.once or uuid7_hex()


NOTHING = Typed()


@dataclass(frozen=True, slots=True)
class MostFiles:
    """What a browser holds chosen files against before it sends them."""

    count: int = MOST_FILES
    each: int = FILE_BYTES
    together: int = FILES_BYTES


LIMITS = (
    f"Optional, at most {MOST_FILES} of {spell_size(FILE_BYTES)} each and "
    f"{spell_size(FILES_BYTES)} together: charts, tables, documents, no programs. "
    "Each is scanned before anybody can download it."
)


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A thread as a line of the list."""

    thread: Any  # as with_names and with_first read it
    says: str

    @property
    def size(self) -> str:
        """How much was said."""
        return counted(self.thread.size, "comment")


@dataclass(frozen=True, slots=True)
class DiscussionPage:
    """The threads about one thing."""

    subject: Subject
    thing: Thing
    rows: Sequence[ThreadRow]
    pages: Pages
    total: int
    may_write: bool
    typed: Typed
    limits: str = LIMITS  # of files
    most: MostFiles = MostFiles()

    @property
    def parts(self) -> Sequence[tuple[str, str]]:
        """The parts of the thing that a thread may be about."""
        offered = [(part, part.capitalize()) for part in self.subject.kind.parts]
        asked = self.typed.anchor
        if asked and asked not in self.subject.kind.parts:
            offered.insert(0, (asked, asked))
        return offered

    @property
    def cannot(self) -> str:
        """Why the reader cannot write."""
        noun = self.subject.kind.noun
        return f"To discuss this {noun} you need a role that may comment on releases."


@dataclass(frozen=True, slots=True)
class Shown:
    """A comment as the page of its thread shows it."""

    view: CommentView
    reader: Actor
    may_write: bool
    is_open: bool  # the thread, which takes no other text once it is resolved
    typed: Typed = NOTHING  # the form that changes it, where that was refused

    @property
    def text(self) -> str:
        """What stands in the form that changes it."""
        return self.typed.text or self.view.text

    @property
    def html(self) -> SafeString:
        """Its Markdown, sanitised."""
        return mark_safe(render(self.view.text))  # noqa: S308

    @property
    def gone(self) -> str:
        """What is said in place of a text that there is no more; '' where there is one."""
        return {"deleted": "Deleted by its author.", "erased": "Erased."}.get(self.view.state, "")

    @property
    def may_edit(self) -> bool:
        """Whether the reader may put another text in its place."""
        may = self.may_write and self.is_open and not self.gone
        return may and may_edit(self.view.comment, self.reader)

    @property
    def may_delete(self) -> bool:
        """Whether the reader may take it off, though they may say nothing here any more."""
        return not self.gone and may_delete(self.view.comment, self.reader)

    @property
    def mentioned(self) -> str:
        """Who is mentioned, in a row."""
        return ", ".join(self.view.mentioned)


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """One thread."""

    thread: Any  # as get_thread reads it
    thing: Thing
    comments: Sequence[Shown]
    pages: Pages
    may_write: bool
    is_awaited: bool  # whether the reader is mentioned up to its end and has not read that yet
    typed: Typed
    limits: str = LIMITS  # of files
    most: MostFiles = MostFiles()

    @property
    def last(self) -> str:
        """The last comment that it shows."""
        return self.comments[-1].view.comment.pk if self.comments else ""

    @property
    def back_url(self) -> str:
        """Where the other threads are; '' where what they are about is gone."""
        if self.gone:
            return ""
        return discussion_url(self.thread.kind, self.thread.subject)

    @property
    def gone(self) -> str:
        """What the thread is about, where there is no such thing any more; '' where there is."""
        return "" if self.thing.url else kinds()[self.thread.kind].noun

    @property
    def part_url(self) -> str:
        """Where the part stands that it is about."""
        return self.thing.part_url(self.thread.anchor)


def discussion_page(
    kind: str, subject: str, actor: Actor, *, asked: str = "", typed: Typed = NOTHING
) -> DiscussionPage:
    """Return the threads about a thing, open ones first, in at most five queries."""
    about = get_subject(kind, subject, actor)
    rows = threads_of(about, actor)
    total = rows.count()
    pages = _pages(asked, total, THREADS, default=1)
    return DiscussionPage(
        subject=about,
        thing=thing(kind, subject, actor),
        rows=_rows(list(_cut(with_first(with_names(ordered(rows))), pages, THREADS))),
        pages=pages,
        total=total,
        may_write=may_write(about.kind, about.scope, actor),
        typed=typed,
    )


def thread_page(
    thread: str, actor: Actor, *, asked: str = "", typed: Typed = NOTHING
) -> ThreadPage:
    """Return one page of a thread, the newest unless another is asked for, in five queries. Who saw
    a thing that is gone reads on what was said, and takes back what they said themselves."""
    row = get_thread(thread, actor)
    pages = _pages(asked, row.size, COMMENTS, default=ceil(row.size / COMMENTS))
    views = comment_views(_cut(comments_of(row).order_by("pk"), pages, COMMENTS))
    scope = Scope(row.project_scope(), row.environment_scope())
    about = thing_or_gone(row.kind, row.subject, actor)
    may = bool(about.url) and may_write(kinds()[row.kind], scope, actor)
    unseen = unseen_in(row, actor, views[-1].comment.pk if views else "")
    return ThreadPage(
        thread=row,
        thing=about,
        comments=[Shown(view, actor, may, not row.is_resolved) for view in views],
        pages=pages,
        may_write=may,
        is_awaited=unseen.exists(),
        typed=typed,
    )


def refused_edit(thread: str, comment: str, actor: Actor, typed: Typed) -> ThreadPage:
    """Return the page of a thread on which a comment stands whose change was refused, with what was
    typed: in the form that changes it, or, where nobody may any more, in the one that answers."""
    before = Comment.objects.filter(thread=thread, pk__lt=comment).count()
    page = thread_page(thread, actor, asked=str(before // COMMENTS + 1))
    shown = [replace(c, typed=typed) if c.view.comment.pk == comment else c for c in page.comments]
    if any(one.typed is typed and one.may_edit for one in shown):
        return replace(page, comments=shown)
    return replace(page, typed=typed)


def _rows(threads: Sequence[Any]) -> list[ThreadRow]:
    texts = unseal_many(row.first for row in threads)
    return [ThreadRow(row, _line(texts.get(row.first, ""))) for row in threads]


def _line(text: str) -> str:
    """Return the beginning of a comment as one line."""
    if text in ("", ERASED):
        return "Erased" if text else "Deleted"
    start = text[: 3 * LONGEST]
    return cut(" ".join(" ".join(said_in(start)).split()) or " ".join(start.split()), LONGEST)


def _pages(asked: str, total: int, most: int, default: int) -> Pages:
    count = max(1, ceil(total / most))
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 5 else default
    return Pages(min(max(1, number), count), count)


def _cut(rows: Any, pages: Pages, most: int) -> Any:
    return rows[(pages.number - 1) * most : pages.number * most]

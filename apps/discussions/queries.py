"""What somebody may see of discussions, and who may see a discussion."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.audit.queries import ERASED, unseal_many
from apps.discussions.hooks import Subject, SubjectKind, kinds
from apps.discussions.models import Comment, Mention, Thread
from apps.identity.models import RoleBinding, TeamMember, User
from apps.identity.queries import name_in, sees_in
from apps.identity.rules.permissions import roles_with
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import NotFound

LISTED = 50  # threads that an inbox lists


@dataclass(frozen=True, slots=True)
class CommentView:
    """A comment as people read it. ``state`` is ``deleted`` by its author, ``erased`` with them, or
    '', and then there is a ``text``."""

    comment: Comment
    name: str
    text: str
    state: str
    mentioned: Sequence[str]  # names


def get_subject(kind: str, subject: str, actor: Actor) -> Subject:
    """Return what is discussed, or raise ``NotFound`` (one query)."""
    known = kinds().get(kind)
    found = next(iter(known.find(known, [subject])), None) if known else None
    if known is None or found is None or not sees_in(found.scope.project, known.view, actor):
        raise NotFound
    return found


def may_write(kind: SubjectKind, scope: Scope, actor: Actor) -> bool:
    """Tell whether ``actor`` may say something about what stands at ``scope``; about what belongs
    to a project as a whole whoever may anywhere in it."""
    if scope.environment is None:
        return sees_in(scope.project, kind.write, actor)
    return actor.can(kind.write, scope)


def visible_threads(actor: Actor) -> QuerySet[Thread]:
    """Return the threads about things that ``actor`` may see."""
    seen = Q(pk__in=[])
    for kind in kinds().values():
        projects = actor.projects_with(kind.view)
        among = Q() if projects is None else Q(project__in=projects)
        seen |= Q(kind=kind.name) & among
    return Thread.objects.filter(seen)


def threads_of(subject: Subject, actor: Actor) -> QuerySet[Thread]:
    """Return the threads about one thing."""
    return visible_threads(actor).filter(kind=subject.kind.name, subject=subject.id)


def get_thread(thread: str, actor: Actor) -> Thread:
    """Return one thread by id, or raise ``NotFound`` (one query)."""
    row = with_names(visible_threads(actor)).filter(pk=thread).first()
    if row is None:
        raise NotFound
    return row


def with_names(threads: QuerySet[Thread]) -> QuerySet[Thread]:
    """Read along who opened each thread, and who resolved it, by name."""
    named = {"opener": name_in("opened_by"), "resolver": name_in("resolved_by")}
    return threads.annotate(**named)


def with_first(threads: QuerySet[Thread]) -> QuerySet[Thread]:
    """Read along as ``first`` the commitment of each thread's first comment, '' once deleted."""
    first = Comment.objects.filter(thread=OuterRef("pk")).order_by("pk")
    return threads.annotate(first=Subquery(first.values("text_sealed")[:1]))


def get_comment(thread: str, comment: str, actor: Actor) -> Comment:
    """Return one comment of a thread that ``actor`` may see, or raise ``NotFound``."""
    rows = Comment.objects.filter(pk=comment, thread=thread, thread__in=visible_threads(actor))
    row = rows.select_related("thread").first()
    if row is None:
        raise NotFound
    return row


def may_edit(comment: Comment, actor: Actor) -> bool:
    """Tell whether a comment is in the actor's own words: a program and who answers for it put
    nothing into each other's mouths."""
    return comment.author == actor.id


def may_delete(comment: Comment, actor: Actor) -> bool:
    """Tell whether a comment is the actor's own, or that of a program they answer for."""
    return comment.person == actor.accountable and actor.id in (comment.author, comment.person)


def comments_of(thread: Thread) -> QuerySet[Comment]:
    """Return what was said in a thread, with the names of who did and of who is mentioned."""
    mentioned = Mention.objects.filter(comment=OuterRef("pk")).order_by("pk")
    names = ArraySubquery(mentioned.annotate(called=name_in("person_id")).values("called"))
    return Comment.objects.filter(thread=thread).annotate(name=name_in("author"), named=names)


def comment_views(comments: Iterable[Comment]) -> list[CommentView]:
    """Return rows of :func:`comments_of` with their texts (one query)."""
    rows = list(comments)
    texts = unseal_many(row.text_sealed for row in rows)
    return [_view(row, texts.get(row.text_sealed, "")) for row in rows]


def _view(row: Comment, text: str) -> CommentView:
    state = "deleted" if row.deleted_at else "erased" if text == ERASED else ""
    name, named = getattr(row, "name", row.author), getattr(row, "named", ())
    return CommentView(row, name, "" if state else text, state, [] if state else named)


def open_threads(kind: str, column: str = "pk") -> Coalesce:
    """Return the expression for how many threads about the row with the id in ``column`` are
    open."""
    rows = Thread.objects.filter(kind=kind, subject=OuterRef(column), resolved_at=None)
    counted = rows.order_by().values("subject").annotate(count=Count("pk"))
    return Coalesce(Subquery(counted.values("count")), 0)


def awaited_threads(actor: Actor) -> QuerySet[Thread]:
    """Return the open threads in which ``actor`` was mentioned since they last opened them, if they
    may see them still."""
    if actor.kind != "person":
        return Thread.objects.none()
    return visible_threads(actor).filter(Exists(_unseen(actor)), resolved_at=None)


def listed_threads(actor: Actor) -> list[Thread]:
    """Return as many of :func:`awaited_threads` as an inbox lists, the longest ago first, with when
    their reader was mentioned and by whom (one query)."""
    first = _unseen(actor).order_by("pk")
    rows = awaited_threads(actor).annotate(
        mentioned_at=Subquery(first.values("created_at")[:1]),
        mentioner=Subquery(first.values("comment__author")[:1]),
    )
    rows = rows.annotate(mentioned_by=name_in("mentioner"))
    return list(rows.order_by("mentioned_at", "pk")[:LISTED])


def sees_thread(thread: Thread, actor: Actor) -> bool:
    """Tell whether ``actor`` may see what a thread is about."""
    return sees_in(thread.project_scope(), kinds()[thread.kind].view, actor)


def _unseen(actor: Actor) -> QuerySet[Mention]:
    return Mention.objects.filter(thread=OuterRef("pk"), person=actor.id, seen_at=None)


def unseen_in(thread: Thread, actor: Actor, last: str = "") -> QuerySet[Mention]:
    """Return the actor's mentions in a thread that they have not read, up to the ``last`` comment
    if one is named."""
    rows = Mention.objects.filter(thread=thread, person=actor.id, seen_at=None)
    return rows.filter(comment__lte=last) if last else rows


def readers_called(thread: Thread, handles: Collection[str]) -> tuple[dict[str, User], list[str]]:
    """Return by what was typed whom it means, of the active people who may see what is discussed,
    and what means several of them (one query).

    What is typed is an address, or what stands in it before the ``@``.
    """
    if not handles:
        return {}, []
    asked = {handle: User.objects.normalize_email(handle) for handle in handles}
    called = Q(pk__in=[])
    for address in asked.values():
        called |= Q(email=address) if "@" in address else Q(email__startswith=f"{address}@")
    found = defaultdict(list)
    for person in _readers(thread).filter(called):
        for name in (person.email, person.email.partition("@")[0]):
            found[name].append(person)
    meant = {handle: found[address] for handle, address in asked.items() if found[address]}
    several = [handle for handle, people in meant.items() if len(people) > 1]
    return {handle: people[0] for handle, people in meant.items() if len(people) == 1}, several


def _readers(thread: Thread) -> QuerySet[User]:
    """Return the active people whose roles show them what ``thread`` is about: a role in one
    environment shows its project."""
    roles = roles_with(kinds()[thread.kind].view)
    at = Q(project=None) | Q(project=thread.project) if thread.project else Q(project=None)
    held = RoleBinding.objects.filter(at, role__in=roles)
    members = TeamMember.objects.filter(team__in=held.exclude(team=None).values("team"))
    who = Q(pk__in=held.exclude(person=None).values("person")) | Q(pk__in=members.values("person"))
    return User.objects.filter(who, is_active=True)


def ordered(threads: QuerySet[Thread]) -> QuerySet[Thread]:
    """Return threads as pages list them: open ones first, then by who spoke last."""
    return threads.order_by(F("resolved_at").desc(nulls_first=True), "-said_at", "-pk")

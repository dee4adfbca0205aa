"""What somebody may see of discussions, and who may see a discussion."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, JSONObject

from apps.audit.queries import ERASED, key_of, open_bytes, unseal, unseal_many
from apps.discussions.errors import FileRemoved, FileWaits
from apps.discussions.hooks import Subject, SubjectKind, kinds
from apps.discussions.models import Comment, CommentFile, FileContent, Mention, Thread
from apps.discussions.rules import DANGEROUS, SCANNED
from apps.identity.models import RoleBinding, TeamMember, User
from apps.identity.queries import name_in, sees_in
from apps.identity.rules.permissions import roles_with
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import NotFound

LISTED = 50  # threads that an inbox lists


@dataclass(frozen=True, slots=True)
class FileView:
    """A file of a comment as people read it: what it is called, and what was ``found`` in it."""

    file: CommentFile
    name: str
    found: str

    @property
    def scan(self) -> str:
        """What the scanner says, in words."""
        return SCANNED[self.file.verdict]

    @property
    def state(self) -> str:
        """Whether it can be read: ``ready``, or it is ``scanning`` yet, or was ``removed``."""
        if self.file.verdict in DANGEROUS:
            return "removed"
        return "ready" if self.file.verdict else "scanning"


@dataclass(frozen=True, slots=True)
class CommentView:
    """A comment as people read it. ``state`` is ``deleted`` by its author, ``erased`` with them, or
    '', and then there is a ``text``."""

    comment: Comment
    name: str
    text: str
    state: str
    mentioned: Sequence[str]  # names
    files: Sequence[FileView] = ()


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
    """Return rows of :func:`comments_of` with their texts and files (two queries)."""
    rows = list(comments)
    files = list(_files_of(rows))
    sealed = [row.text_sealed for row in rows] + [file.name_sealed for file in files]
    texts, views = unseal_many(sealed), defaultdict(list)
    for file in files:
        views[file.comment_id].append(_file_view(file, texts.get(file.name_sealed, "")))
    return [_view(row, texts.get(row.text_sealed, ""), views[row.pk]) for row in rows]


def _view(row: Comment, text: str, files: Sequence[FileView]) -> CommentView:
    state = "deleted" if row.deleted_at else "erased" if text == ERASED else ""
    name, named = getattr(row, "name", row.author), getattr(row, "named", ())
    if state:
        return CommentView(row, name, "", state, [])
    return CommentView(row, name, text, "", named, files)


def _files_of(comments: Iterable[Comment]) -> QuerySet[CommentFile]:
    rows = CommentFile.objects.filter(comment__in=[row.pk for row in comments], deleted_at=None)
    sealed = FileContent.objects.filter(file=OuterRef("pk")).values("found")
    return rows.annotate(found=Subquery(sealed), key=key_of("person")).order_by("pk")


def _file_view(row: CommentFile, name: str) -> FileView:
    sealed, key = getattr(row, "found", None) or b"", getattr(row, "key", None) or b""
    found = open_bytes(bytes(sealed), key=bytes(key), place=place_of(row, "found"))
    return FileView(row, name, (found or b"").decode())


def place_of(file: CommentFile, part: str) -> str:
    """Return where bytes about a file are sealed for, which open nowhere else."""
    return f"discussions.filecontent:{file.pk}:{part}"


def get_file(thread: str, comment: str, file: str, actor: Actor) -> CommentFile:
    """Return one file of a comment in a thread that ``actor`` may see, or raise ``NotFound``."""
    seen = {"comment__thread__in": visible_threads(actor), "comment__deleted_at": None}
    rows = CommentFile.objects.filter(pk=file, comment=comment, comment__thread=thread, **seen)
    row = rows.filter(deleted_at=None).select_related("comment__thread").first()
    if row is None:
        raise NotFound
    return row


def read_file(file: CommentFile) -> tuple[str, bytes]:
    """Return what a file is called, and its bytes; or refuse one that was not scanned yet, or that
    the scanner had removed. Nobody finds those of an erased person."""
    if file.verdict in DANGEROUS:
        raise FileRemoved(SCANNED[file.verdict])
    content = content_of(file)
    if content is None:
        raise NotFound
    if not file.verdict:
        raise FileWaits
    return unseal(file.name_sealed), content


def content_of(file: CommentFile) -> bytes | None:
    """Return the bytes of a file, ``None`` where there are none any more, or where they are not
    those that it was logged with."""
    rows = FileContent.objects.filter(file=file).annotate(key=key_of("file__person"))
    found = rows.values_list("ciphertext", "key").first()
    sealed, key = found if found else (b"", b"")
    raw = open_bytes(bytes(sealed), key=bytes(key or b""), place=place_of(file, "bytes"))
    if raw is None or f"sha256:{sha256(raw).hexdigest()}" != file.commitment:
        return None
    return raw[16:]


def waiting_file(file: str) -> tuple[str, bytes] | None:
    """Return name and bytes of a file that is to be scanned, for the scanner; ``None`` where that
    is settled, or nobody can read it any more."""
    row = CommentFile.objects.filter(pk=file, verdict="", deleted_at=None).first()
    content = content_of(row) if row else None
    return (unseal(row.name_sealed), content) if row and content is not None else None


def open_threads(kind: str, column: str = "pk") -> Coalesce:
    """Return the expression for how many threads about the row with the id in ``column`` are
    open."""
    rows = Thread.objects.filter(kind=kind, subject=OuterRef(column), resolved_at=None)
    counted = rows.order_by().values("subject").annotate(count=Count("pk"))
    return Coalesce(Subquery(counted.values("count")), 0)


def last_said(kind: str, column: str = "pk") -> Subquery:
    """Return the expression for who said something last about the row with the id in ``column``
    (``person``, ``name``) and when (``at``); null where nobody did, or nothing of it stands."""
    rows = Comment.objects.filter(thread__kind=kind, thread__subject=OuterRef(column))
    told = JSONObject(person="person", name=name_in("person"), at="created_at")
    # Not by the key, which has an index: who said nothing would be sought among all comments.
    last = rows.filter(deleted_at=None).order_by("-created_at", "-pk")
    return Subquery(last.values(json=told)[:1])


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

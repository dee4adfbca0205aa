"""Files of comments: keeping them, what the scanner says of them, and deleting them."""

import hashlib
from collections.abc import Sequence

from django.db import connection
from django.db.models import Exists, OuterRef, Q, Sum

from apps.audit.actions import fresh_salt, record, seal, seal_bytes
from apps.audit.queries import unseal_many
from apps.discussions.actions.locking import hold_to_delete
from apps.discussions.actions.telling import tell
from apps.discussions.contents import Checked
from apps.discussions.errors import OthersComment
from apps.discussions.events import DISCUSSION_FILE_DELETED, DISCUSSION_FILE_SCANNED, VERDICTS
from apps.discussions.models import Comment, CommentFile, FileContent, Thread
from apps.discussions.queries import content_of, may_delete, place_of
from apps.discussions.rules import DANGEROUS, share_of
from apps.identity.models import User
from apps.jobs.actions import enqueue
from apps.jobs.handlers import LeasedJob
from apps.jobs.models import Job, JobState
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import NotFound, QuotaReached

SCAN = "discussions.scan"
LOCK = 0x74686466  # any number that no other pair of advisory locks begins with


def attach(comment: Comment, files: Sequence[Checked]) -> list[CommentFile]:
    """Keep files with a comment that is being written, and have each scanned."""
    if not files:
        return []
    project = comment.thread.project
    _refuse_over_quota(project, comment.person, files)
    rows = [_keep(comment, file, project) for file in files]
    for row in rows:
        _have_scanned(row)
    return rows


def _refuse_over_quota(project: str, person: str, files: Sequence[Checked]) -> None:
    """Count bytes under a lock of the project: two cannot share room. One person fills no more than
    their share of it: nobody else could make room again."""
    key = int.from_bytes(hashlib.sha256(project.encode()).digest()[:4], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, key])
    own = Sum("size", filter=Q(file__person=person), default=0)
    rows = FileContent.objects.filter(project=project)
    kept = rows.aggregate(own=own, all=Sum("size", default=0))
    most = config().max_discussion_file_bytes
    _refuse_over(
        share_of(most), "Files of you and your programs", kept["own"], files, "delete some of yours"
    )
    _refuse_over(most, "Files", kept["all"], files, "delete files that are settled")


def _refuse_over(most: int, whose: str, kept: int, files: Sequence[Checked], remedy: str) -> None:
    wanted = sum(len(file.content) for file in files)
    if kept + wanted > most:
        names = ", ".join(file.name for file in files)
        raise QuotaReached(
            f"{whose} in this project's discussions have {kept:,} bytes, {names} would add "
            f"{wanted:,}",
            most,
            remedy=f"say where the file lies, or {remedy}",
            setting="PLACET_MAX_DISCUSSION_FILE_BYTES",
        )


def _keep(comment: Comment, file: Checked, project: str) -> CommentFile:
    salted = fresh_salt() + file.content
    row = CommentFile(
        comment=comment,
        person=comment.person,
        name_sealed=seal(file.name, person=comment.person),
        commitment=f"sha256:{hashlib.sha256(salted).hexdigest()}",
        size=len(file.content),
        type=file.type,
        created_at=comment.created_at,
    )
    row.save(force_insert=True)
    sealed = seal_bytes(salted, person=row.person, place=place_of(row, "bytes"))
    FileContent.objects.create(file=row, project=project, size=row.size, ciphertext=sealed)
    return row


def are_those_of(comment: Comment, files: Sequence[Checked]) -> bool:
    """Tell whether a comment came with these very files: in a form that is sent again. Of one whose
    bytes were removed meanwhile its name and size must do."""
    rows = list(comment.files.order_by("pk"))
    names = unseal_many(row.name_sealed for row in rows)
    if len(rows) != len(files):
        return False
    for row, file in zip(rows, files, strict=True):
        if row.size != len(file.content) or content_of(row) not in (None, file.content):
            return False
        if row.name_sealed and names[row.name_sealed] != file.name:
            return False
    return True


def settle_scan(file: str, *, verdict: str, found: str = "", job: LeasedJob) -> None:
    """Write down what the scanner says of a file: from then on it is read, or, where it is
    dangerous or could not be scanned, its bytes are gone. One that was settled or deleted stays."""
    if verdict not in VERDICTS:
        raise ValueError(f"the scanner has no verdict {verdict}")
    with record(SYSTEM) as log:
        job.fence()
        threads = Thread.objects.select_for_update(no_key=True)
        thread = threads.filter(comments__files=file).first()
        rows = CommentFile.objects.select_for_update(of=("self",), no_key=True)
        row = rows.select_related("comment__thread").filter(pk=file).first()
        if thread is None or row is None or row.verdict or row.deleted_at:
            return
        row.verdict = verdict
        row.save(update_fields=["verdict"])
        sealed = seal_bytes(found.encode(), person=row.person, place=place_of(row, "found"))
        kept = {"found": sealed if found else b""}
        gone = {"ciphertext": b"", "size": 0} if verdict in DANGEROUS else {}
        FileContent.objects.filter(file=row).update(**kept, **gone)
        tell(log, DISCUSSION_FILE_SCANNED, thread, row, verdict=verdict)


def scan_again(*, most: int = 100) -> int:
    """Have the files scanned whose scan somebody cancelled, or a restored backup: nobody could ever
    read them. Return how many."""
    jobs = Job.objects.filter(kind=SCAN, key=OuterRef("pk"))
    others = jobs.exclude(state=JobState.CANCELLED)
    rows = CommentFile.objects.filter(verdict="", deleted_at=None, content__isnull=False)
    rows = rows.filter(Exists(jobs), ~Exists(others)).select_related("comment__thread")
    lost = list(rows.order_by("pk")[:most])
    for row in lost:
        _have_scanned(row)
    return len(lost)


def _have_scanned(row: CommentFile) -> None:
    project = row.comment.thread.project or None
    enqueue(SCAN, queue="build", key=row.pk, project=project, file=row.pk)


def forget_files(person: User) -> None:
    """Delete the bytes of the files of somebody who is being erased, in that transaction: nobody
    could open them any more, and they would count for ever."""
    FileContent.objects.filter(file__person=person.pk).delete()


def delete_file(file: CommentFile, *, actor: Actor) -> None:
    """Delete a file of one's own comment, or of a program one answers for, with its bytes, as long
    as one sees it. A repeat does nothing."""
    with record(actor) as log:
        comment = hold_to_delete(file.comment, actor)
        if not may_delete(comment, actor):
            raise OthersComment
        rows = drop_files(comment, only=file.pk)
        if not rows and not comment.files.filter(pk=file.pk).exists():
            raise NotFound
        if rows:
            tell(log, DISCUSSION_FILE_DELETED, comment.thread, *rows)


def drop_files(comment: Comment, *, only: str = "") -> list[CommentFile]:
    """Delete the bytes and names of a comment's files, or of one; return those that had any."""
    rows = comment.files.select_for_update(no_key=True).filter(deleted_at=None).order_by("pk")
    files = list(rows.filter(pk=only) if only else rows)
    for row in files:
        row.comment = comment
        row.name_sealed, row.deleted_at = "", now()
        row.save(update_fields=["name_sealed", "deleted_at"])
    FileContent.objects.filter(file__in=files).delete()
    return files

"""Files on their way in: start, chunks, finish. File work happens outside transactions.

```
start ──► chunk … chunk ──► finish ──► ArtifactFile (the Upload row goes)
             │ a cut connection keeps what came; the client asks for the offset and goes on
             │                     │ bytes that are not here are asked for again, from the first
             └─────────────────────┴► wrong bytes at the end: row and bytes are dropped
```

Knowing a digest must not open a file: a row takes a blob that is there for its own only if it is
``verified``, which is committed between the hash of what it brought and the rename, together with
what it brings into the store: that counts for the quota before it is there. And rows go before
their bytes: who opens the name of bytes that are gone finds no row either.
"""

import io
import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Sum

from apps.audit.actions import record
from apps.identity.queries import authorize
from apps.jobs.each import each
from apps.registry import rules
from apps.registry.actions.dropping import drop
from apps.registry.actions.locking import lock_draft, refuse, touch
from apps.registry.actions.quotas import count_stored, lock_project, refuse_over_quota
from apps.registry.actions.unpacking import MAX_FILES, UnpackedFile, unpack
from apps.registry.errors import (
    ArchiveRefused,
    BlobCorrupt,
    BlobMissing,
    DigestMismatch,
    OffsetMismatch,
    PathTaken,
    UploadBusy,
    UploadIncomplete,
)
from apps.registry.events import FILE_REMOVED, FILES_ADDED, UPLOAD_STARTED
from apps.registry.models import ArtifactFile, ModelVersion, Upload
from apps.registry.store import Readable, Store, store
from apps.registry.usage import bytes_new
from placet.kernel.actor import Actor
from placet.kernel.clock import database_now
from placet.kernel.config import config
from placet.kernel.faults import crash_point
from placet.kernel.problems import FieldError, InvalidInput, NotFound, Stale, TooLarge
from placet_verify.archive import ArchiveNames

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
UPLOAD_LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """Where an upload stands after a chunk; ``files`` once it is complete."""

    offset: int
    files: list[ArtifactFile] = field(default_factory=list)


def start_upload(
    version: ModelVersion,
    *,
    path: str,
    size: int,
    sha256: str,
    archive: bool = False,
    actor: Actor,
) -> Upload | ArtifactFile:
    """Announce a file; return the upload to send bytes to, or the file when none are needed.

    Bytes that this project holds already are linked at once. An unfinished upload of the same
    bytes to the same path goes on where it stood. ``archive`` unpacks the file when complete.
    """
    authorize(actor, "version.edit", version, view="version.view")
    refuse(_announcement_faults(path, size, sha256, archive))
    present = not archive and _present(version, size, sha256)
    with record(actor) as log:
        project = lock_project(version.project_id)
        row = lock_draft(version, actor)
        if not archive and (same := row.files.filter(path=path).first()):
            if (same.sha256, same.size) != (sha256, size):
                raise PathTaken(f"The version has another file at {path}: delete it first")
            return same
        if present:
            files = _add(row, [UnpackedFile(path, size, sha256)])
            log.add(FILES_ADDED, row, *files, data={"count": 1})
            return files[0]
        waiting = row.uploads.filter(path=path, size=size, sha256=sha256, archive=archive).first()
        if waiting is not None:
            return waiting
        _refuse_crowding(row, path, size, archive)
        refuse_over_quota(project, size)
        upload = Upload(
            version=row, path=path, size=size, sha256=sha256, archive=archive, created_by=actor.id
        )
        upload.save(force_insert=True)
        data = {"version": row.pk, "size": size, "sha256": sha256}
        log.add(UPLOAD_STARTED, subject=upload.pk, project=row.project_id, data=data)
    return upload


def receive_chunk(
    upload: Upload, *, offset: int, stream: Readable, length: int | None = None, actor: Actor
) -> UploadProgress:
    """Append what ``stream`` holds at ``offset``; the last byte completes the upload.

    One writer at a time (:class:`UploadBusy`), and only where the received bytes end
    (:class:`OffsetMismatch`). A stream that breaks off keeps what came.
    """
    authorize(actor, "version.edit", upload.version, view="version.view")
    blobs = store()
    with blobs.writing(upload.pk) as file:
        row = _current(upload, blobs)
        refuse_over_quota(row.version.project)
        if row.received != offset:
            raise OffsetMismatch(f"{row.received} bytes are here: go on from there")
        room = row.size - offset
        if length is not None and length > room:
            detail = f"The chunk has {length} bytes, but only {room} are missing"
            raise InvalidInput(detail, errors=[FieldError("Content-Length", detail)])
        try:
            written = blobs.append(file, offset, stream, room if length is None else length)
        except OffsetMismatch:  # the store lost bytes: start over rather than never end
            _begin_anew(row)
            raise
        crash_point("registry.before_chunk_acknowledged")
        if not Upload.objects.filter(pk=row.pk).update(received=offset + written):
            blobs.drop(row.pk)  # its draft was discarded meanwhile
            raise NotFound
    crash_point("registry.after_chunk_acknowledged")
    upload.received = offset + written
    if upload.received < row.size:
        return UploadProgress(upload.received)
    return UploadProgress(upload.received, finish_upload(upload, actor=actor))


def finish_upload(upload: Upload, *, actor: Actor) -> list[ArtifactFile]:
    """Verify a complete upload and make it part of its version; unpack it if it is an archive.

    Bytes with another digest, and archives that hold what may not be unpacked, are dropped
    together with the upload. Nothing comes into the store for a version that has no room for it.
    Bytes that are not here, but on another host or lost, have to be sent again from the first:
    :class:`OffsetMismatch`.
    """
    authorize(actor, "version.edit", upload.version, view="version.view")
    blobs = store()
    with blobs.writing(upload.pk) as file:
        row = _current(upload, blobs)
        if row.received != row.size:
            raise UploadIncomplete(f"{row.received} of {row.size} bytes are here")
        try:
            files = _publish(row, _to_blobs(row, blobs, os.fstat(file.fileno()).st_size), actor)
        except (DigestMismatch, ArchiveRefused) as error:
            drop(row, blobs, error.code, actor)
            raise
        except Exception:  # an archive still lies there, beside what came out of it: both count
            Upload.objects.filter(pk=row.pk, archive=True).update(verified=False)
            raise
        crash_point("registry.after_files_added")
        blobs.drop(row.pk)
    return files


def cancel_upload(upload: Upload, *, actor: Actor) -> None:
    """Give up an upload and drop what was received."""
    authorize(actor, "version.edit", upload.version, view="version.view")
    blobs = store()
    with blobs.writing(upload.pk):
        drop(_current(upload, blobs), blobs, "cancelled", actor)


def remove_file(
    version: ModelVersion, *, path: str, actor: Actor, if_sha256: str | None = None
) -> None:
    """Take a file out of a draft. Its bytes stay in the store, and count, until they are collected:
    others may hold them too.

    ``if_sha256`` refuses when other bytes lie there by now.
    """
    with record(actor) as log:
        row = lock_draft(version, actor)
        file = row.files.filter(path=path).first()
        if file is None:
            raise NotFound
        if if_sha256 is not None and file.sha256 != if_sha256:
            raise Stale
        columns = ArtifactFile._meta.concrete_fields
        gone = ArtifactFile(**{f.attname: getattr(file, f.attname) for f in columns})
        file.delete()
        count_stored(row.project_id, {gone.sha256: gone.size})
        touch(row)
        log.add(FILE_REMOVED, row, deleted=(gone,))


def expire_uploads(*, actor: Actor) -> int:
    """Drop uploads that were not finished within a day, and bytes that belong to none.

    One that cannot be dropped stops no other: what it raised is raised at the end.
    """
    blobs, before, faults = store(), database_now() - UPLOAD_LIFE, list[Exception]()
    stale = list(Upload.objects.filter(created_at__lt=before).select_related("version"))
    dropped = sum(each(lambda upload: _expire(upload, blobs, actor), stale, faults))
    leftovers = set(blobs.leftovers(before.timestamp()))
    known = Upload.objects.filter(pk__in=leftovers).values_list("pk", flat=True)
    each(blobs.drop, leftovers - set(known), faults)
    blobs.abandon(before)
    if faults:
        raise faults[0]
    return dropped


def _announcement_faults(path: str, size: int, sha256: str, archive: bool) -> list[FieldError]:
    faults = rules.path_faults(path)
    limit = config().max_artifact_bytes
    if not 0 <= size <= limit:
        faults.append(FieldError("/size", f"From 0 to {limit} bytes"))
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        faults.append(FieldError("/sha256", "64 lower-case hex digits"))
    elif size == 0 and sha256 != EMPTY:
        faults.append(FieldError("/sha256", "Not the SHA-256 of an empty file"))
    if archive and size == 0:
        faults.append(FieldError("/size", "An archive is not empty"))
    return faults


def _present(version: ModelVersion, size: int, sha256: str) -> bool:
    """Tell whether this project holds these bytes. Other projects' bytes have to be sent again:
    knowing a digest must not open a file."""
    if size == 0:
        store().put_stream(io.BytesIO())
        return True
    known = ArtifactFile.objects.filter(project_id=version.project_id, sha256=sha256, size=size)
    return known.exists() and store().holds(sha256)


def _refuse_crowding(version: ModelVersion, path: str, size: int, archive: bool) -> None:
    files, uploads = version.files.all(), version.uploads.all()
    if files.count() + uploads.count() >= MAX_FILES:
        raise TooLarge(f"A version has at most {MAX_FILES} files")
    total = sum(q.aggregate(n=Sum("size"))["n"] or 0 for q in (files, uploads)) + size
    if total > config().max_artifact_bytes:
        raise TooLarge(f"A version's files have at most {config().max_artifact_bytes} bytes")
    if not archive:
        pending = uploads.filter(archive=False).values_list("path", flat=True)
        _refuse_conflict(path, ArchiveNames([*files.values_list("path", flat=True), *pending]))


def _refuse_conflict(path: str, names: ArchiveNames) -> None:
    """Refuse what no Bento could hold beside the others."""
    if other := names.conflict(path):
        raise PathTaken(f"{path} cannot lie beside {other}: delete that first")


def _reserve(upload: Upload, unpacked: list[UnpackedFile]) -> None:
    """Have blobs count for the project before they are stored, in place of what was announced; or
    refuse them, by what it has room for. Whether they fit the version is asked again when it is
    locked."""
    _fitting(upload.version, unpacked)
    sizes = {blob.sha256: blob.size for blob in unpacked}
    with transaction.atomic():
        project = lock_project(upload.version.project_id)
        if not Upload.objects.filter(pk=upload.pk).update(verified=True):
            raise NotFound  # it was given up meanwhile
        refuse_over_quota(project, bytes_new(project.pk, sizes))
        count_stored(project.pk, sizes)


def _publish(upload: Upload, unpacked: list[UnpackedFile], actor: Actor) -> list[ArtifactFile]:
    """Make the blobs of an upload files of its version, and end the upload."""
    crash_point("registry.before_files_added")
    with record(actor) as log:
        project = lock_project(upload.version.project_id)
        version = lock_draft(upload.version, actor)
        if not Upload.objects.filter(pk=upload.pk).delete()[0]:
            raise NotFound  # another request was faster, or gave it up
        files = _add(version, unpacked)
        refuse_over_quota(project)
        log.add(FILES_ADDED, version, *files, data={"count": len(files), "upload": upload.pk})
    return files


def _fitting(version: ModelVersion, unpacked: list[UnpackedFile]) -> list[ArtifactFile]:
    """Return the files that blobs would be of a version, which it may have already; all or none."""
    existing = {file.path: file for file in version.files.all()}
    names = ArchiveNames(existing)
    files: list[ArtifactFile] = []
    for blob in unpacked:
        same = existing.get(blob.path)
        if same is not None and same.sha256 == blob.sha256:
            files.append(same)
            continue
        _refuse_conflict(blob.path, names)
        names.add_file(blob.path)
        file = ArtifactFile(
            version=version,
            project_id=version.project_id,
            path=blob.path,
            size=blob.size,
            sha256=blob.sha256,
        )
        existing[file.path] = file
        files.append(file)
    if len(existing) > MAX_FILES:
        raise TooLarge(f"A version has at most {MAX_FILES} files")
    if sum(file.size for file in existing.values()) > config().max_artifact_bytes:
        raise TooLarge(f"A version's files have at most {config().max_artifact_bytes} bytes")
    return files


def _add(version: ModelVersion, unpacked: list[UnpackedFile]) -> list[ArtifactFile]:
    """Make blobs files of a locked draft; all or none."""
    files = _fitting(version, unpacked)
    for file in files:
        if file._state.adding:
            file.save(force_insert=True)
    touch(version)
    return files


def _current(upload: Upload, blobs: Store) -> Upload:
    """Return the row as it is now that its file is ours; a finished one leaves nothing behind."""
    row = Upload.objects.select_related("version__project").filter(pk=upload.pk).first()
    if row is None:
        blobs.drop(upload.pk)
        raise NotFound
    return row


def _to_blobs(upload: Upload, blobs: Store, present: int) -> list[UnpackedFile]:
    """Turn the received bytes, of which ``present`` are here, into blobs."""
    file = UnpackedFile(upload.path, upload.size, upload.sha256)
    if present != upload.size:
        if _is_kept(upload, blobs):
            return [file]
        _begin_anew(upload)
        raise OffsetMismatch("0 bytes are here: send all of them again")
    if upload.archive:
        return unpack(upload, blobs, partial(_reserve, upload))
    blobs.keep(upload.pk, upload.sha256, partial(_reserve, upload, [file]))
    return [file]


def _begin_anew(upload: Upload) -> None:
    """Have all bytes of an upload sent again, whatever was known of those that were here."""
    rows = Upload.objects.filter(pk=upload.pk, received=upload.received)
    rows.update(received=0, verified=False)


def _is_kept(upload: Upload, blobs: Store) -> bool:
    """Tell whether the upload's own bytes are a blob already, and stay one: its server died behind
    the rename, and what nothing needed meanwhile may be swept at any moment."""
    if upload.archive or not upload.verified or not blobs.holds(upload.sha256):
        return False
    try:
        with blobs.open_verified(upload.sha256) as stream:
            return stream.seek(0, os.SEEK_END) == upload.size
    except (BlobMissing, BlobCorrupt):  # the right bytes mend it
        return False


def _expire(upload: Upload, blobs: Store, actor: Actor) -> int:
    """Drop an upload, unless somebody writes to it at the moment; return how many went."""
    try:
        with blobs.writing(upload.pk):
            return drop(upload, blobs, "expired", actor)
    except UploadBusy:
        return 0
    except PermissionError:  # a server that died while it made a blob of it may have closed it
        return drop(upload, blobs, "expired", actor)

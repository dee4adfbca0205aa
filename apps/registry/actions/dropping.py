"""Giving up uploads: the row with its event, then the bytes that came."""

from collections.abc import Iterable
from contextlib import suppress

from apps.audit.actions import Recorder, record
from apps.registry.errors import UploadBusy
from apps.registry.events import UPLOAD_DROPPED
from apps.registry.models import Upload
from apps.registry.store import Store, store
from placet.kernel.actor import Actor


def drop(upload: Upload, blobs: Store, reason: str, actor: Actor) -> int:
    """Drop the row and then, still under the upload's lock, its bytes; return how many rows."""
    with record(actor) as log:
        gone = drop_row(upload, reason, log)
    blobs.drop(upload.pk)
    return gone


def drop_row(upload: Upload, reason: str, log: Recorder) -> int:
    """Drop the row alone, for ``reason``; return how many there were."""
    gone, _ = Upload.objects.filter(pk=upload.pk).delete()
    if gone:
        log.add(
            UPLOAD_DROPPED,
            subject=upload.pk,
            project=upload.version.project_id,
            data={"version": upload.version_id, "reason": reason},
        )
    return gone


def drop_bytes(uploads: Iterable[str]) -> None:
    """Drop what came of uploads whose rows are gone. Who still writes to one drops it then."""
    blobs = store()
    for upload in uploads:
        with suppress(UploadBusy), blobs.writing(upload):
            blobs.drop(upload)

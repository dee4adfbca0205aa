"""Discarding a draft that nobody goes on with."""

from collections.abc import Iterable

from apps.audit.actions import record
from apps.discussions.actions import forget_mentions
from apps.registry.actions.dropping import drop_bytes, drop_row
from apps.registry.actions.locking import lock_draft, lock_models
from apps.registry.actions.quotas import count_stored
from apps.registry.discussed import VERSION
from apps.registry.errors import IsParent
from apps.registry.events import VERSION_DISCARDED
from apps.registry.models import ModelVersion, Upload
from placet.kernel.actor import Actor
from placet.kernel.problems import Stale
from placet_verify import canonical


def held_beside(version: ModelVersion, uploads: Iterable[Upload]) -> str:
    """Return a digest of what a draft holds that its generation does not tell: what was reported of
    it, and the ``uploads`` that are on their way (one query)."""
    evidence = version.evidence.values_list("pk", flat=True)
    return canonical.digest(sorted([*evidence, *(upload.pk for upload in uploads)]))


def discard_draft(
    version: ModelVersion,
    *,
    actor: Actor,
    if_generation: int | None = None,
    if_beside: str | None = None,
) -> None:
    """Remove a draft with its files, its uploads and what was reported of it, for good.

    No other version gets its number. Bytes of its files stay in the store, and count, until they
    are collected: others may hold them too. ``if_generation`` refuses when it was changed
    meanwhile, ``if_beside`` (:func:`held_beside`) when something was reported or begun to be sent:
    both go with the draft, and nobody gets them back. Call it outside any transaction: bytes that
    are on their way in are dropped after it.
    """
    with record(actor) as log:
        model = lock_models([version.model_id])[version.model_id]
        row = lock_draft(version, actor, if_generation)
        _refuse_parent(row)
        files, evidence = list(row.files.all()), list(row.evidence.all())
        uploads = list(row.uploads.select_related("version"))
        if if_beside is not None and if_beside != held_beside(row, uploads):
            raise Stale
        for upload in uploads:
            drop_row(upload, "discarded", log)
        count_stored(row.project_id, {file.sha256: file.size for file in files})
        row.evidence.all().delete()
        forget_mentions(VERSION.name, row.pk)
        ModelVersion.objects.filter(pk=row.pk).delete()  # with its files
        model.highest_discarded = max(model.highest_discarded, row.number)
        model.save(update_fields=["highest_discarded"])
        data = {"number": row.number, "model": model.pk}
        gone = (row, *files, *evidence)
        log.add(VERSION_DISCARDED, model, subject=row.pk, deleted=gone, data=data)
    drop_bytes(upload.pk for upload in uploads)


def _refuse_parent(version: ModelVersion) -> None:
    """Keep what another version says it was made from."""
    children = ModelVersion.objects.filter(project_id=version.project_id)
    child = children.filter(lineage__parent=version.pk).select_related("model").first()
    if child is not None:
        raise IsParent(f"{child} names this draft as its parent")

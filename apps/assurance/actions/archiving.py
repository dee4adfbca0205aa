"""Archiving old events: a file in the artifact store first, and only then out of the database.

```
plan ──► file written, stored, read back and verified ──► one transaction: events out, event in
  └── nothing to archive        └── killed: a blob that nothing needs, collected later
```
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from apps.assurance.errors import NotTheOwner
from apps.assurance.models import Retention
from apps.assurance.queries.retention import held_subjects
from apps.audit.actions.archiving import ArchivePlan, Filed, limit, move_events, owns_tables, plan
from apps.audit.errors import NothingToArchive
from apps.audit.models import Archive
from apps.audit.queries.archive_file import write_file
from apps.audit.queries.archived import ArchiveTerms
from apps.registry.store import store
from placet.kernel.actor import Actor
from placet.kernel.clock import database_now
from placet.kernel.faults import crash_point
from placet.kernel.keystore import root_public
from placet_verify.log import archived_events

log = structlog.get_logger(__name__)


def next_plan() -> ArchivePlan:
    """Choose what the next file would hold. Raises :class:`NothingToArchive` with the reason."""
    rule = Retention.objects.first()
    if rule is None:
        raise NothingToArchive("No rule says after how many days events may be archived")
    subjects = held_subjects()
    if "" in subjects:
        raise NothingToArchive("A legal hold keeps everything")
    below, why = limit()
    before = database_now() - timedelta(days=rule.days)
    return plan(ArchiveTerms(before, below, subjects), why=why)


def archive_events(*, actor: Actor) -> Iterator[Archive]:
    """Move what may be archived into files, and yield each when its events are out of the database.

    Needs the role that owns the tables (:class:`NotTheOwner`). Raises :class:`NothingToArchive`
    when there is nothing at all.
    """
    if not owns_tables():
        raise NotTheOwner
    archive_plan = next_plan()
    while True:
        yield move_events(archive_plan, _store(archive_plan), held=held_subjects, actor=actor)
        try:
            archive_plan = next_plan()
        except NothingToArchive:
            return


def _store(archive_plan: ArchivePlan) -> Filed:
    """Write the file, store it, and verify what the store gives back."""
    with TemporaryDirectory(prefix="placet-archive-") as folder:
        path, copy = Path(folder) / "archive.zip", Path(folder) / "copy.zip"
        write_file(path, archive_plan.indexes, archive_plan.head, archive_plan.leaves)
        size = path.stat().st_size
        with path.open("rb") as stream:
            digest, _ = store().put_stream(stream, limit=size)
        crash_point("assurance.after_archive_file")
        with store().open_verified(digest) as stored, copy.open("wb") as stream:
            while piece := stored.read(1 << 20):
                stream.write(piece)
        verified = archived_events.verify(copy, root_public())
    assert verified.about.leaves == archive_plan.leaves
    log.info("archive_stored", file=digest, events=verified.about.count)
    return Filed(f"sha256:{digest}", size)

"""Making a backup while everything runs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from apps.audit.actions import record
from apps.audit.events import BACKUP_BEGUN
from apps.operations.backup import artifacts, database
from apps.operations.backup.manifest import BLOBS, DATABASE, BackupRefused, Manifest, file_digest
from apps.registry.store import store
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.config import config
from placet.kernel.faults import crash_point
from placet.kernel.keystore import root_public

SETTINGS = "settings.json"
KEPT_SETTINGS = ("secret_key", "token_key", "public_url", "endpoint_url", "artifact_url")
Say = Callable[[str], None]


def make_backup(folder: Path, *, copy: bool | None, say: Say) -> Manifest:
    """Write a backup into the new folder ``folder``; an unfinished one has no manifest.

    The event comes first, so that the log in the backup ends with it. ``copy`` is whether the
    artifacts are copied too; ``None`` copies those of a folder and checks those of a bucket.
    """
    _new_folder(folder)
    url, blobs = database.owner_url(), store()
    copied = blobs.path("0" * 64) is not None if copy is None else copy
    with record(SYSTEM) as log:
        log.add(BACKUP_BEGUN, subject="backup")
    with database.snapshot(url) as snapshot:
        say(f"The log has {snapshot.size} events, root {snapshot.root.hex()}")
        database.dump(url, snapshot, folder / DATABASE)
    crash_point("backup.after_dump")
    say(f"{'Copying' if copied else 'Checking'} {len(snapshot.blobs)} artifacts")
    total = artifacts.copy_out(blobs, snapshot.blobs, folder / artifacts.FOLDER if copied else None)
    (folder / BLOBS).write_text(json.dumps(sorted(snapshot.blobs)))
    manifest = Manifest(
        made_at=rfc3339(now()),
        size=snapshot.size,
        root=snapshot.root.hex(),
        root_key=root_public().id,
        checkpoint=snapshot.note,
        copied=copied,
        blobs=len(snapshot.blobs),
        blob_bytes=total,
        files={name: file_digest(folder / name) for name in (DATABASE, BLOBS)},
    )
    crash_point("backup.before_manifest")
    say(f"{total:,} bytes of artifacts; the manifest's SHA-256 is {manifest.write(folder)}")
    crash_point("backup.after_manifest")
    return manifest


def copy_keys(folder: Path, beside: Path) -> None:
    """Copy the key files, and the embedded mode's secrets, into a folder of their own."""
    if folder.resolve().is_relative_to(beside.resolve()):
        raise BackupRefused("Keep the keys apart: name a folder outside the backup, best elsewhere")
    _new_folder(folder)
    shutil.copytree(config().keys, folder, dirs_exist_ok=True)
    folder.chmod(0o700)
    if config().embedded_file.exists():
        known = json.loads(config().embedded_file.read_text())
        settings = {name: known[name] for name in KEPT_SETTINGS if name in known}
        path = folder / SETTINGS
        path.touch(mode=0o600)
        path.write_text(json.dumps(settings, indent=1))


def _new_folder(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise BackupRefused(f"{folder} is not empty: name a new folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)

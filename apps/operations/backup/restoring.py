"""Restoring into an empty installation: first the files and the database, then what it means."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apps.audit.actions import record, write_checkpoint
from apps.audit.events import RESTORED
from apps.audit.queries import checkpoint_files, verify_database
from apps.identity.actions import close_all_sessions
from apps.jobs.actions import settle_restored
from apps.operations.backup import artifacts
from apps.operations.backup.making import SETTINGS
from apps.operations.backup.manifest import BackupRefused, Manifest
from apps.registry.store import store
from apps.serving.actions import raise_epochs
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.faults import crash_point
from placet.kernel.keystore import ring, root_public
from placet_verify.errors import Refused
from placet_verify.log import checkpoint

# Jobs that look at the state of things and do what is missing: harmless to do again. Of any other
# that was open nobody knows whether it ran after the backup was made, so it is not run again.
REPEATABLE = (
    "builds.run",
    "discussions.scan",
    "rollouts.start",
    "rollouts.reconcile",
    "rollouts.reconcile_target",
    "serving.publish",
    "serving.publish_all",
    "audit.verify",
)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What a restore came to."""

    size: int
    root: str
    lost: int
    blobs: int
    again: int
    ended: int


def put_keys_back(folder: Path | None, manifest: Manifest) -> dict[str, str]:
    """Copy the keys from ``folder`` where none are; return the embedded mode's settings with them.

    Without the right keys nothing could be signed and no old signature be checked.
    """
    settings: dict[str, str] = {}
    if folder is not None:
        if not (config().keys / "keys.json").exists():
            shutil.copytree(
                folder, config().keys, dirs_exist_ok=True, ignore=shutil.ignore_patterns(SETTINGS)
            )
            config().keys.chmod(0o700)
        if (folder / SETTINGS).exists():
            settings = json.loads((folder / SETTINGS).read_text())
    try:
        root_key = root_public().id
    except Refused:
        raise BackupRefused(
            f"The keys are not in {config().keys}: put them back, or name their folder with --keys"
        ) from None
    if root_key != manifest.root_key:
        raise BackupRefused("The keys belong to another installation than the backup")
    return settings


def events_lost(manifest: Manifest, file: Path | None, accepted: bool) -> int:
    """Return how many events a checkpoint kept elsewhere covers beyond the backup.

    Refuses them unless they are ``accepted``.
    """
    try:
        kept = (file, checkpoint_files.read_kept(file)) if file else checkpoint_files.newest_kept()
    except Refused as refusal:
        raise BackupRefused(f"The checkpoint is not ours: {refusal.sentence}") from None
    if kept is None or kept[1].size <= manifest.size:
        return 0
    lost = kept[1].size - manifest.size
    if not accepted:
        raise BackupRefused(
            f"{kept[0]} was signed over {kept[1].size} events, the backup has {manifest.size}: "
            f"{lost} would be lost. Restore a newer backup, or repeat with --accept-lost-events"
        )
    return lost


def finish(
    folder: Path, manifest: Manifest, *, file: Path | None, lost: int, say: Say
) -> RestoreResult:
    """Compare the log, bring the artifacts back, and make the state fit to go on from.

    In one transaction: nodes accept it (the epoch goes up), open jobs are settled, planned times
    start from now, everybody signs in again, and the log says so.
    """
    if lost:
        _put_aside()
    _compare(manifest, file if not lost else None)
    say(f"The log's root is the manifest's: {manifest.root}")
    blobs = artifacts.copy_in(store(), folder, manifest.copied)
    crash_point("restore.after_artifacts")
    with record(SYSTEM) as log:
        again, ended = settle_restored(REPEATABLE)
        facts = {"size": manifest.size, "lost": lost, "again": again, "ended": ended}
        targets = raise_epochs(actor=SYSTEM)
        close_all_sessions(log)
        log.add(
            RESTORED, subject="backup", data={**facts, "targets": targets, "root": manifest.root}
        )
    write_checkpoint()
    return RestoreResult(manifest.size, manifest.root, lost, blobs, again, ended)


def _compare(manifest: Manifest, file: Path | None) -> None:
    """Recompute the root from the events and hold it against all that is known of it."""
    if manifest.checkpoint:
        try:
            checkpoint.verify(manifest.checkpoint, checkpoint.log_keys(ring()))
        except Refused as refusal:
            raise BackupRefused(f"The manifest's checkpoint: {refusal.sentence}") from None
    verification = verify_database(file)
    fault, report = verification.fault, verification.report
    if fault is not None:
        raise BackupRefused(f"The restored log is NOT what was signed: {fault.sentence}")
    if (report.size, report.root.hex()) != (manifest.size, manifest.root):
        raise BackupRefused(
            f"The restored log has {report.size} events and root "
            f"{report.root.hex()}, the manifest says {manifest.size} and {manifest.root}"
        )


def _put_aside() -> None:
    """Keep checkpoints of events that are lost, but where they no longer stop the log."""
    if checkpoint_files.folder().exists():
        stamp = now().strftime("%Y%m%d-%H%M%S")
        checkpoint_files.folder().rename(
            checkpoint_files.folder().with_name(f"checkpoints-before-{stamp}")
        )

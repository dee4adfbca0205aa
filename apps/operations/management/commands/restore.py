"""``manage.py restore``: a backup into an empty installation."""

import fcntl
import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations.backup import database, restoring
from apps.operations.backup.manifest import DATABASE, BackupRefused, Manifest, read_manifest
from placet.embedded.postgres import APPLICATION, OWNER, Cluster
from placet.embedded.supervisor import CannotStart, lock_data
from placet.kernel.config import ROOT, config
from placet.kernel.faults import crash_point
from placet.kernel.problems import Problem
from placet_verify.errors import Refused


class Command(BaseCommand):
    """Restores in two steps, the second in a process that knows the new database."""

    help = "Restore a backup into an empty installation, then start Placet as usual."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("folder", type=Path)
        parser.add_argument("--keys", type=Path, help="the folder that the keys were copied into")
        parser.add_argument(
            "--checkpoint", type=Path, help="a checkpoint kept elsewhere that the log must contain"
        )
        parser.add_argument(
            "--accept-lost-events",
            action="store_true",
            help="go on although the checkpoint covers events that the backup does not have",
        )
        parser.add_argument("--finish", action="store_true", help="the second step alone")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore; a refusal is one sentence and exit code 1."""
        os.environ.setdefault("PLACET_PROCESS", "manage")
        try:
            manifest = read_manifest(options["folder"])
            settings = restoring.put_keys_back(options["keys"], manifest)
            lost = restoring.events_lost(
                manifest, options["checkpoint"], options["accept_lost_events"]
            )
            if options["finish"]:
                self.finish(manifest, lost, options)
            else:
                self.begin(settings, options)
        except (BackupRefused, CannotStart, Problem, Refused) as refusal:
            raise CommandError(str(refusal)) from refusal

    def begin(self, told: dict[str, str], options: dict[str, Any]) -> None:
        """Load the database, bring its tables up to date, and go on in a new process."""
        with database_ready() as owner:
            crash_point("restore.before_load")
            database.load(owner, options["folder"] / DATABASE)
            crash_point("restore.after_load")
            if config().mode == "embedded":
                write_down(told)
            manage("migrate", "--no-input", PLACET_DATABASE_URL=owner)
            words = [str(options["folder"]), "--finish"]
            for name in ("keys", "checkpoint"):
                words += [f"--{name}", str(options[name])] if options[name] else []
            words += ["--accept-lost-events"] if options["accept_lost_events"] else []
            self.stdout.write(manage("restore", *words).rstrip())

    def finish(self, manifest: Manifest, lost: int, options: dict[str, Any]) -> None:
        """Compare, settle, and say what came of it."""
        restored = restoring.finish(
            options["folder"],
            manifest,
            file=options["checkpoint"],
            lost=lost,
            say=self.stdout.write,
        )
        self.stdout.write(f"{restored.blobs} artifacts are in their place")
        self.stdout.write(
            f"{restored.again} open jobs will be taken up again, {restored.ended} were ended "
            "because they may have run since"
        )
        if lost:
            self.stdout.write(f"{lost} events after the backup are lost")
        self.stdout.write(self.style.SUCCESS("Restored. Start Placet as usual."))


@contextmanager
def database_ready() -> Iterator[str]:
    """Give the owner's address of the new database; the embedded one is started for the while."""
    if config().mode != "embedded":
        yield database.owner_url()
        return
    data = config().data_dir.resolve()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock, cluster = lock_data(data), Cluster.at(data)
    try:
        cluster.start()
        cluster.ensure_database()
        yield cluster.url(OWNER)
    finally:
        cluster.stop()
        fcntl.flock(lock, fcntl.LOCK_UN)
        lock.close()


def write_down(told: dict[str, str]) -> None:
    """Write down the embedded mode's secrets and where its new database is."""
    cluster, path = Cluster.at(config().data_dir.resolve()), config().embedded_file
    urls = {"database_url": cluster.url(APPLICATION), "database_owner_url": cluster.url(OWNER)}
    path.touch(mode=0o600)
    path.write_text(json.dumps({**told, **urls}))


def manage(*args: str, **more: str) -> str:
    """Run a command in a process of its own; its refusal is ours."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *args],
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise BackupRefused(f"manage.py {args[0]}: {done.stdout}{done.stderr}".strip())
    return done.stdout

"""``manage.py audit``: verify the log in the database, sign it, and export it."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.assurance.actions import archive_events
from apps.assurance.actions.archiving import next_plan
from apps.assurance.queries.retention import missing_files
from apps.audit.actions import export_folder, write_checkpoint
from apps.audit.queries import Verification, verify_database
from apps.audit.queries.fsck import fsck
from apps.operations.backup.database import owner_url
from apps.operations.backup.manifest import BackupRefused
from apps.operations.management.commands.restore import manage
from placet.kernel.actor import SYSTEM
from placet.kernel.problems import Problem
from placet_verify.errors import Refused


class Command(BaseCommand):
    """Subcommands ``verify``, ``fsck``, ``checkpoint``, ``archive`` and ``export``."""

    help = "Verify the audit log against a checkpoint kept elsewhere, archive or export it."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the subcommands."""
        commands = parser.add_subparsers(dest="command", required=True)
        verify = commands.add_parser("verify", help="recompute everything; exit 1 at a fault")
        verify.add_argument(
            "--checkpoint", type=Path, help="start from this file (default: the newest kept one)"
        )
        verify.add_argument(
            "--deep", action="store_true", help="read each body too: canonical, times ascending"
        )
        whole = commands.add_parser(
            "fsck", help="verify --deep, and hold every column and every row against the log"
        )
        whole.add_argument("--checkpoint", type=Path, help="start from this file")
        commands.add_parser("checkpoint", help="sign the log as it stands now")
        old = commands.add_parser("archive", help="move the bodies of old events into a file")
        old.add_argument("--dry-run", action="store_true", help="say what would go, change nothing")
        old.add_argument(
            "--as-owner", action="store_true", help="PLACET_DATABASE_URL is the owner's"
        )
        export = commands.add_parser("export", help="write the log for `python -m placet_verify`")
        export.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one subcommand; a refusal is one sentence and exit code 1."""
        os.environ.setdefault("PLACET_PROCESS", "manage")
        try:
            getattr(self, "do_" + options["command"])(options)
        except (Problem, Refused, BackupRefused) as refusal:
            raise CommandError(str(refusal)) from refusal
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error

    def do_verify(self, options: dict[str, Any]) -> None:
        """Say where it starts from, then what was found."""
        self.say(verify_database(options["checkpoint"], deep=options["deep"]))
        self.stdout.write(self.style.SUCCESS("the log is intact"))

    def do_fsck(self, options: dict[str, Any]) -> None:
        """Say what was found in the log, then each thing that does not agree with it."""
        report = fsck(options["checkpoint"])
        report.faults.extend(missing_files())
        if report.how:
            self.stdout.write(f"{report.log.fault.place if report.log.fault else ''}: {report.how}")
        self.say(report.log)
        for fault in report.faults:
            self.stdout.write(fault.sentence)
        if report.faults:
            raise CommandError(f"the log is intact, but {len(report.faults)} things differ from it")
        self.stdout.write(self.style.SUCCESS("the log is intact, and everything is as it says"))

    def say(self, found: Verification) -> None:
        """Say where it was started from and what was found; raise at a fault."""
        if found.started_from:
            start = f"{found.started_from} (size {found.started_size})"
            self.stdout.write(f"starting from the checkpoint {start}")
        else:
            self.stdout.write(
                "no checkpoint is kept outside the database: the log can only be"
                " shown to agree with itself"
            )
        report = found.report
        self.stdout.write(
            f"{report.size} leaves, {report.tiles} tiles, checkpoints at {_few(report.heads)}"
        )
        if found.fault is not None:
            raise CommandError(f"the log is NOT intact: {found.fault.sentence}")
        self.stdout.write(f"root {report.root.hex()}")
        if report.unsealed:
            for fault in report.unsealed:
                self.stdout.write(fault.sentence)
            raise CommandError(
                "the log is intact, but somebody appended events that claim to give access, past"
                " Placet: they count for nothing; find out who writes to the database"
            )

    def do_checkpoint(self, options: dict[str, Any]) -> None:
        """Sign the log as it stands now."""
        checkpoint = write_checkpoint()
        self.stdout.write(
            checkpoint.note if checkpoint else "the newest checkpoint covers everything"
        )

    def do_archive(self, options: dict[str, Any]) -> None:
        """Move old events into files, as the role that owns the tables."""
        if options["dry_run"]:
            plan = next_plan()
            self.stdout.write(
                f"{len(plan.indexes)} events would go into the first file, {plan.indexes[0]} to"
                f" {plan.indexes[-1]}; nothing was changed"
            )
        elif not options["as_owner"]:  # the application's role may not
            output = manage("audit", "archive", "--as-owner", PLACET_DATABASE_URL=owner_url())
            self.stdout.write(output.rstrip())
        else:
            for row in archive_events(actor=SYSTEM):
                self.stdout.write(
                    f"{row.pk}: {row.count} events, {row.first} to {row.last}, are in {row.file}"
                    f" ({row.bytes} bytes)"
                )

    def do_export(self, options: dict[str, Any]) -> None:
        """Write the whole log into a new folder."""
        head = export_folder(options["folder"], actor=SYSTEM)
        folder = options["folder"]
        self.stdout.write(f"{folder}: {head.size} events, root {bytes(head.root).hex()}")
        self.stdout.write(f"check it with: python -m placet_verify log {folder}")


def _few(sizes: tuple[int, ...]) -> str:
    if len(sizes) <= 4:
        return ", ".join(str(size) for size in sizes) or "none"
    return f"{sizes[0]}, {sizes[1]}, … {sizes[-1]} ({len(sizes)})"

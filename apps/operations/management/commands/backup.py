"""``manage.py backup``: database, artifacts and a manifest in a folder; keys in another."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations.backup.making import copy_keys, make_backup
from apps.operations.backup.manifest import BackupRefused
from placet.kernel.problems import Problem
from placet_verify.errors import Refused


class Command(BaseCommand):
    """Makes a backup while everything runs."""

    help = "Write a backup into a new folder. The keys go into another one, or not at all."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("folder", type=Path)
        parser.add_argument("--keys", type=Path, help="copy the keys into this folder")
        parser.add_argument(
            "--artifacts",
            choices=("copy", "check"),
            help="copy them, or check them where they lie (default: copy a folder, check a bucket)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Back up; a refusal is one sentence and exit code 1."""
        os.environ.setdefault("PLACET_PROCESS", "manage")
        folder, chosen = options["folder"], options["artifacts"]
        try:
            if options["keys"]:
                copy_keys(options["keys"], folder)
            copy = None if chosen is None else chosen == "copy"
            make_backup(folder, copy=copy, say=self.stdout.write)
        except (BackupRefused, Problem, Refused) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(self.style.SUCCESS(f"The backup is in {folder}"))
        if not options["keys"]:
            self.stdout.write("The keys are not in it: keep a copy of them apart (--keys FOLDER)")

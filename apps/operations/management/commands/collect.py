"""``manage.py collect``: what the hourly collection does, now; or what it would do."""

import os
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.builds.actions import collect_bentos, unneeded_bentos, unneeded_runtimes
from apps.registry.actions import collect_blobs, unneeded
from apps.registry.store import store
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import database_now
from placet.kernel.config import config
from placet.kernel.problems import Problem


class Command(BaseCommand):
    """Gives up Bentos and runtimes that nothing needs, and removes blobs that nothing needs."""

    help = "Collect what nothing needs; with --dry-run only say what that is."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option."""
        parser.add_argument("--dry-run", action="store_true", help="change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Collect, or tell; a refusal is one sentence and exit code 1."""
        os.environ.setdefault("PLACET_PROCESS", "manage")
        try:
            self.tell() if options["dry_run"] else self.collect()
        except Problem as problem:
            raise CommandError(problem.detail) from problem

    def tell(self) -> None:
        """Name what would go, and change nothing."""
        before = database_now() - timedelta(days=config().collect_after_days)
        for bento in unneeded_bentos(before):
            self.stdout.write(f"Bento    {bento.pk}  {bento.size:,} bytes")
        for runtime in unneeded_runtimes(before):
            self.stdout.write(f"runtime  {runtime.pk}  {len(runtime.wheels)} wheels")
        blobs = list(unneeded(store(), before))
        for blob in blobs:
            self.stdout.write(f"blob     {blob.sha256}  {blob.size:,} bytes")
        self.stdout.write(
            f"{len(blobs)} blobs, {sum(b.size for b in blobs):,} bytes; nothing was changed"
        )

    def collect(self) -> None:
        """Do what the schedule does."""
        try:
            given_up = collect_bentos(actor=SYSTEM)
        finally:  # what cannot be given up keeps no blob that nothing needs
            collected = collect_blobs(actor=SYSTEM)
        self.stdout.write(
            f"{given_up.bentos} Bentos and {given_up.runtimes} runtimes given up; "
            f"{collected.blobs} blobs removed ({collected.size:,} bytes), "
            f"{collected.condemned} more condemned"
        )

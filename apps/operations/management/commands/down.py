"""``manage.py down``: stops what an interrupted ``up`` left behind, and may remove the data."""

import fcntl
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from placet.embedded.postgres import Cluster
from placet.kernel.config import ROOT, config


class Command(BaseCommand):
    """Stops the embedded PostgreSQL and the node's replicas when no supervisor does."""

    help = "Stop what an interrupted `up` left behind; with --remove-data forget everything."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option."""
        parser.add_argument("--remove-data", action="store_true", help="delete all data too")

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse while ``up`` runs; else stop and, if asked, delete."""
        data = config().data_dir.resolve()
        if not data.exists():
            return
        with (data / "up.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandError("Placet runs: stop it with Ctrl-C first") from None
            cluster = Cluster.at(data)
            if (cluster.data / "PG_VERSION").exists():
                cluster.stop()
            subprocess.run(
                [sys.executable, "-m", "placet_agent", "stop", "--data", str(data / "node")],
                check=False,
                capture_output=True,
                cwd=ROOT / "platform",
            )
            if options["remove_data"]:
                shutil.rmtree(cluster.home, ignore_errors=True)
                shutil.rmtree(data)

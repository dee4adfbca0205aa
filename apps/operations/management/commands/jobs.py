"""``manage.py jobs``: is the worker of a queue alive, and what waits."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.jobs.queries import open_jobs
from placet.kernel.config import config


class Command(BaseCommand):
    """Subcommands ``alive`` (for health checks) and ``list``."""

    help = "Show the jobs that wait and run, or check that a worker still looks for work."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the subcommands."""
        commands = parser.add_subparsers(dest="command", required=True)
        alive = commands.add_parser("alive", help="exit 1 when no worker looked for work lately")
        alive.add_argument("queue")
        alive.add_argument("--within", type=float, default=15, help="seconds (default 15)")
        commands.add_parser("list", help="the jobs that wait or run")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one subcommand."""
        getattr(self, "do_" + options["command"])(options)

    def do_alive(self, options: dict[str, Any]) -> None:
        """Look at the file that a worker rewrites after each successful look for work."""
        path = config().data_dir / "run" / f"worker-{options['queue']}.json"
        try:
            age = time.time() - path.stat().st_mtime
        except FileNotFoundError:
            raise CommandError(f"no worker of {options['queue']} has looked for work") from None
        if age > options["within"]:
            raise CommandError(f"the worker last looked for work {age:.0f} seconds ago")
        self.stdout.write(f"looked for work {age:.1f} seconds ago")

    def do_list(self, options: dict[str, Any]) -> None:
        """Print one line for each open job."""
        for job in open_jobs():
            self.stdout.write(
                f"{job.pk}  {job.queue:8} {job.kind:28} {job.state:8} attempt {job.attempts}"
                f"  {job.error[:80]}"
            )

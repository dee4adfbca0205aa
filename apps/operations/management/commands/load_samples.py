"""``manage.py load_samples``: register the sample models, as the button on Home does."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.builds.actions import request_samples
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from placet.kernel.problems import Problem


class Command(BaseCommand):
    """Makes the project of the sample models; a worker fills it."""

    help = "Load four sample models, in three versions each, into a project called Samples."

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask for them and say where they will be."""
        try:
            project = request_samples(actor=SYSTEM)
        except Problem as problem:
            raise CommandError(problem.detail) from None
        url = f"{config().public_url}/projects/{project.slug}/members/"
        self.stdout.write("A worker registers the sample models. Who has a role sees them:")
        self.stdout.write(url)

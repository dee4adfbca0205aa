"""``manage.py setup_link PERSON``: a one-time link for somebody who cannot sign in any more."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from apps.identity import actions
from apps.identity.models import User
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from placet.kernel.problems import Problem


class Command(BaseCommand):
    """Prints a set-up link for an existing person; with ``--repair`` for a damaged account too."""

    help = "Print a one-time link where a person sets a new password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the person, and whether to put the account right first."""
        parser.add_argument("person", help="e-mail address, or id (per_…) where that was changed")
        parser.add_argument(
            "--repair",
            action="store_true",
            help="first discard password, second factors and linked identities, and restore name"
            " and address from the log",
        )

    def handle(self, *args: Any, person: str, repair: bool, **options: Any) -> None:
        """Find the person, repair if asked, print the link."""
        os.environ.setdefault("PLACET_PROCESS", "manage")
        typed = User.objects.normalize_email(person.strip())
        row = User.objects.filter(Q(pk=person) | Q(email=typed)).first()
        if row is None:
            raise CommandError(f"Nobody has the address or id {person}")
        try:
            path = repaired(row) if repair else actions.setup_link(row, actor=SYSTEM)
        except Problem as problem:
            raise CommandError(problem.detail) from None
        self.stdout.write(config().public_url.rstrip("/") + path)


def repaired(person: User) -> str:
    """Discard and restore what was changed past Placet; return the path of a set-up link."""
    actions.deactivate_person(person, actor=SYSTEM)
    actions.reactivate_person(person, actor=SYSTEM)
    return actions.setup_link(person, actor=SYSTEM)

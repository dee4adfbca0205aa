"""``manage.py create_admin --email … --name …``: an access admin and their one-time set-up link."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.actions import record
from apps.identity import actions
from apps.identity.models import RoleBinding, User
from apps.identity.queries import fresh_grants
from placet.kernel.actor import INSTANCE, SYSTEM
from placet.kernel.config import config
from placet.kernel.problems import Problem


class Command(BaseCommand):
    """Adds an access admin (or makes an existing person one) and prints a set-up link."""

    help = "Add an access admin and print the one-time link where they set their password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the address and the name."""
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", default="")

    def handle(self, *args: Any, email: str, name: str, **options: Any) -> None:
        """Make the person, grant the role, print the link."""
        os.environ.setdefault("PLACET_PROCESS", "manage")
        try:
            person = admin(email, name)
            link = config().public_url.rstrip("/") + actions.setup_link(person, actor=SYSTEM)
        except Problem as problem:
            faults = [f"{e.pointer} {e.detail}" for e in problem.errors]
            raise CommandError("; ".join([problem.detail, *faults])) from None
        self.stdout.write(f"{person.email} is an access admin. Set a password here, once:\n{link}")


def admin(email: str, name: str) -> User:
    """Return the person with this address, made if need be, as an access admin."""
    person = User.objects.with_email(email.strip()).first()
    if person is None:
        person = actions.create_person(email=email, name=name or email, actor=SYSTEM)
    with record(SYSTEM):
        if not holds_admin(person):
            for binding in RoleBinding.objects.filter(person=person, role="admin", project=None):
                actions.revoke_role(binding, actor=SYSTEM)  # in the table, but not in the log
            actions.grant_role(role="admin", person=person, actor=SYSTEM)
    return person


def holds_admin(person: User) -> bool:
    """Tell whether the log vouches for the person's role, whatever second factor it waits for."""
    grants = fresh_grants(person.pk, lock=False, even_withheld=True)
    return any(g.role == "admin" and g.scope == INSTANCE for g in grants)

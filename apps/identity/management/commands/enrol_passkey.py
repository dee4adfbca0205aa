"""``manage.py enrol_passkey ID``: vouch for one of the first approvers' passkeys with the root."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.identity import actions
from apps.identity.models import ApproverPasskey, PasskeyState
from apps.identity.trust.passkeys import public_half
from placet.kernel import keystore
from placet.kernel.config import config
from placet.kernel.problems import Problem
from placet_verify.errors import Refused


class Command(BaseCommand):
    """Signs an offered passkey with the root key. Without an id, lists what is offered."""

    help = "Vouch for an offered passkey with the root key; without an id, list those offered."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the passkey's id and where the root key lies."""
        parser.add_argument("id", nargs="?")
        parser.add_argument("--root-key", type=Path, help="the root key, when it is kept elsewhere")

    def handle(self, *args: Any, id: str | None, root_key: Path | None, **options: Any) -> None:
        """List, or enrol one and print what was vouched for."""
        os.environ.setdefault("PLACET_PROCESS", "manage")
        rows = ApproverPasskey.objects.filter(state=PasskeyState.OFFERED).select_related("person")
        if id is None:
            for row in rows.order_by("created_at"):
                self._say(row)
            return
        offered = rows.filter(pk=id).first()
        if offered is None:
            raise CommandError(f"no passkey {id} is offered: leave the id away to see which are")
        try:
            row = actions.enrol_by_root(offered, keystore.root_of(config().keys, root_key))
        except (Problem, Refused) as refusal:
            raise CommandError(str(refusal)) from None
        self._say(row)

    def _say(self, row: ApproverPasskey) -> None:
        who = f"{row.person} <{row.person.email}>"
        self.stdout.write(
            f"{row.pk}  {row.state}  {who}  {row.name}  {public_half(row).fingerprint}"
        )

"""``manage.py keys``: make, list, rotate, revoke and export the installation's keys."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.integrations.queries import webhooks_behind_key
from apps.serving.queries import versions_behind_key
from placet.kernel import keystore
from placet.kernel.config import config
from placet.kernel.secret_key import SECRET, retire_secret, rotate_secret
from placet_protocol.secret_box import SealingKey
from placet_verify import times
from placet_verify.errors import Refused


class Command(BaseCommand):
    """Each subcommand changes files in the keys folder alone; but ``retire`` none reads the
    database."""

    help = "Make, list, rotate, revoke and export the keys that sign what Placet says."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the subcommands."""
        parser.add_argument("--folder", type=Path, help="the keys folder (default: configured)")
        parser.add_argument("--root-key", type=Path, help="the root key, when it is kept elsewhere")
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("init", help="make every key that is missing")
        commands.add_parser("list", help="show every key, past ones too")
        rotate = commands.add_parser("rotate", help="replace a key; what it did stays valid")
        rotate.add_argument("purpose", choices=(*keystore.SERVER_PURPOSES, SECRET))
        commands.add_parser("retire", help="forget the secret keys before the one in use")
        revoke = commands.add_parser("revoke", help="declare a key lost")
        revoke.add_argument("id")
        revoke.add_argument(
            "--compromised-at",
            help="since when it may be in strange hands, e.g. 2026-11-25T09:58:00Z (default: now)",
        )
        export = commands.add_parser("export", help="write the public keys for an auditor")
        export.add_argument("destination", type=Path)
        demand = commands.add_parser(
            "demand-passkeys", help="let nothing count without passkeys in these environments"
        )
        demand.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
        share = commands.add_parser("share", help="let a process's group read the keys it loads")
        share.add_argument("process")
        share.add_argument("group", type=int, help="the number of its group")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one subcommand; a refusal is one sentence and exit code 1."""
        folder = options["folder"] or config().keys
        try:
            getattr(self, "do_" + options["command"].replace("-", "_"))(folder, options)
        except Refused as refusal:
            raise CommandError(refusal.sentence) from refusal
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error

    def do_init(self, folder: Path, options: dict[str, Any]) -> None:
        """Make what is missing."""
        ring = keystore.ensure_keys(folder, root_key=options["root_key"])
        self.stdout.write(f"{folder}: keys.json number {ring.number}, {len(ring.entries)} keys")
        self.stdout.write(f"root {ring.root.id}, fingerprint {ring.root.fingerprint}")
        self._remind(folder)

    def do_list(self, folder: Path, options: dict[str, Any]) -> None:
        """Print one line for each key."""
        ring = keystore.read_ring(folder)
        self.stdout.write(f"keys.json number {ring.number}, root {ring.root.fingerprint}")
        if ring.passkeys:
            self.stdout.write(f"passkeys are demanded in {', '.join(sorted(ring.passkeys))}")
        for line in keystore.lines(folder):
            until = times.rfc3339(line.valid_until) if line.valid_until else "-"
            state = "in use" if line.in_use else line.ended or "not valid now"
            start = times.rfc3339(line.valid_from)
            self.stdout.write(f"{line.id}  {line.purpose:<8}  {start}  {until:<27}  {state}")
        self._remind(folder)

    def do_rotate(self, folder: Path, options: dict[str, Any]) -> None:
        """Replace one key."""
        if options["purpose"] == SECRET:
            fresh_id = rotate_secret(folder).id
            self.stdout.write(f"secrets are encrypted for key {fresh_id} from now on")
            return
        ring = keystore.rotate(folder, options["purpose"], root_key=options["root_key"])
        fresh = ring.entries[-1]
        self.stdout.write(f"{fresh.purpose} key is now {fresh.id}; keys.json number {ring.number}")

    def do_retire(self, folder: Path, options: dict[str, Any]) -> None:
        """Forget former secret keys that nothing is encrypted for any more."""

        def check(key: SealingKey) -> None:
            if count := len(webhooks_behind_key(key)):
                raise CommandError(
                    f"Webhooks that are still encrypted for a former key: {count}. The control"
                    " worker encrypts them anew within ten minutes; remove those that it cannot"
                    " read, and add them again"
                )
            if count := len(versions_behind_key(key)):
                raise CommandError(
                    f"Secrets that are still encrypted for a former key: {count}. The control"
                    " worker encrypts them anew within ten minutes; set those again that it cannot"
                    " read"
                )

        count = retire_secret(folder, check)
        self.stdout.write(f"secret.key holds the key in use alone; {count} before it are gone")

    def do_revoke(self, folder: Path, options: dict[str, Any]) -> None:
        """Declare one key lost."""
        text = options["compromised_at"]
        moment = times.parse(text) if text else datetime.now(tz=UTC)
        ring = keystore.revoke(
            folder, options["id"], compromised_at=moment, root_key=options["root_key"]
        )
        self.stdout.write(
            f"{options['id']} counts for nothing signed from {times.rfc3339(moment)} on; "
            f"keys.json number {ring.number}"
        )
        fresh = ring.entries[-1]
        if fresh.purpose == ring.get(options["id"]).purpose and not fresh.ended:
            self.stdout.write(f"the {fresh.purpose} key is now {fresh.id}")

    def do_demand_passkeys(self, folder: Path, options: dict[str, Any]) -> None:
        """Name the environments in which only passkeys count."""
        names = options["environments"]
        ring = keystore.demand_passkeys(folder, names, root_key=options["root_key"])
        where = ", ".join(sorted(ring.passkeys)) or "no environment"
        self.stdout.write(f"passkeys are demanded in {where}; keys.json number {ring.number}")
        if ring.passkeys:
            self.stdout.write("nodes stop what serves there under a policy published without one")

    def do_export(self, folder: Path, options: dict[str, Any]) -> None:
        """Write the public keys."""
        for path in keystore.export(folder, options["destination"]):
            self.stdout.write(str(path))

    def do_share(self, folder: Path, options: dict[str, Any]) -> None:
        """Give files to a group."""
        for path in keystore.share(folder, options["process"], options["group"]):
            self.stdout.write(f"{path} is read by group {options['group']}")

    def _remind(self, folder: Path) -> None:
        if (folder / "root.key").exists():
            self.stdout.write("root.key lies in this folder: move it offline (see docs/keys.md)")

"""``manage.py up``: the whole of Placet on this machine, until Ctrl-C."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from placet.embedded.supervisor import CannotStart, Supervisor, choose_ports
from placet.kernel.config import config

# As README calls them, with the roles that they hold.
ROLES = {"contributor": "data scientist (contributor, reviewer)"}


class Command(BaseCommand):
    """Starts and supervises everything on loopback; stops all of it on Ctrl-C."""

    help = "Start PostgreSQL, Valkey, web, workers and one node on this machine."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--port", type=int, help="the web port (8000 or the next free one)")
        parser.add_argument(
            "--endpoint-port", type=int, help="the port of the model endpoints (8080)"
        )
        parser.add_argument("--demo", action="store_true", help="also make six people to try out")

    def handle(self, *args: Any, **options: Any) -> None:
        """Start, say where everything is, and stay until told to stop."""
        try:
            ports = choose_ports(config(), options["port"], options["endpoint_port"])
            supervisor = Supervisor(config(), *ports, self.say, options["demo"])
            try:
                facts = supervisor.start()
                introduce(self.say, supervisor, facts)
                code = supervisor.run()
            finally:
                self.say("Stopping …")
                supervisor.stop()
        except CannotStart as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            sys.exit(130)
        if code:
            sys.exit(code)

    def say(self, text: str) -> None:
        """Print at once, whoever reads."""
        self.stdout.write(text)
        self.stdout.flush()


def introduce(say: Any, supervisor: Supervisor, facts: dict[str, Any]) -> None:
    """Print what a person needs next: addresses, the set-up link, the demo's people."""
    say(f"\nPlacet runs at       http://localhost:{supervisor.port}")
    say(f"Endpoints answer at  http://localhost:{supervisor.endpoint_port}")
    say(f"Data and logs in     {supervisor.data}")
    if link := facts.get("setup_link"):
        say(f"\nSet the password of {facts['administrator']}, the administrator, here, once:")
        say(f"  http://localhost:{supervisor.port}{link}")
    people = facts.get("people", [])
    administrator = {"role": "administrator", "email": facts["administrator"]}
    if password := facts.get("password"):
        people = [administrator | {"password": password}, *people]
    for person in people:
        role = ROLES.get(person["role"], person["role"])
        say(f"  {role:<38} {person['email']:<28} {person['password']}")
    if not link and not password:
        say(f"\nNo password for {facts['administrator']}? A link where to set one:")
        say(f"  .venv/bin/python manage.py setup_link {facts['administrator']}")
    say("\nCtrl-C stops all of it.")

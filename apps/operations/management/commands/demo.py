"""``manage.py demo``: start everything, walk the whole path, leave it running."""

import json
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations.demo.errors import DemoFailed
from apps.operations.demo.people import DemoPerson
from apps.operations.demo.story import DemoStory
from apps.operations.management.commands.up import introduce
from placet.embedded.supervisor import CannotStart, Supervisor, choose_ports
from placet.kernel.config import config
from placet_client import PlacetError


class Command(BaseCommand):
    """Runs the demo; exits non-zero when any step fails."""

    help = "Walk the whole path on real data. With PLACET_DEMO_EXIT=1 stop everything at the end."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Start, tell the story, write ``demo.json``, stay or stop."""
        try:
            ports = choose_ports(config(), None, None)
            # short windows: the second act waits for what nodes count
            supervisor = Supervisor(config(), *ports, self.say, demo=True, window_seconds=2)
            try:
                code = self.walk(supervisor)
            finally:
                supervisor.stop()
        except CannotStart as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            sys.exit(130)
        if code:
            sys.exit(code)

    def walk(self, supervisor: Supervisor) -> int:
        """Tell the story on a fresh start; return the exit code."""
        facts = supervisor.start()
        introduce(self.say, supervisor, facts)
        url = f"http://localhost:{supervisor.port}"
        supervisor.watch_in_background()
        people = {
            p["role"]: DemoPerson.sign_in(
                url, role=p["role"], name=p["name"], email=p["email"], password=p["password"]
            )
            for p in facts["people"]
        }
        try:
            result = DemoStory(url, people, self.say).tell()
        except (DemoFailed, PlacetError, RuntimeError, TimeoutError) as error:
            self.say(f"\ndemo: failed: {error}")
            return 1
        (supervisor.data / "demo.json").write_text(json.dumps(result, indent=1) + "\n")
        self.say(json.dumps(result["seconds"] | result["requests"] | result["canary"]))
        self.say("demo: ok")
        if os.environ.get("PLACET_DEMO_EXIT") == "1":
            return 0
        self.say("It keeps running: look around. Ctrl-C stops all of it.")
        return supervisor.run()

    def say(self, text: str) -> None:
        """Print at once, whoever reads."""
        self.stdout.write(text)
        self.stdout.flush()

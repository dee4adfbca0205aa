"""The whole of Placet, started as a user starts it, for tests that drive it from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from apps.operations.demo.people import DemoPerson
from placet.embedded.supervisor import free_port
from tests.support import warm
from tests.support.cache import RUNTIMES

ROOT = Path(__file__).resolve().parents[2]
EMAILS = {
    "contributor": ("dana@placet.local", "Dana Scientist"),
    "reviewer": ("ravi@placet.local", "Ravi Reviewer"),
    "approver": ("alma@placet.local", "Alma Approver"),
    "operator": ("omar@placet.local", "Omar Operator"),
    "auditor": ("aude@placet.local", "Aude Auditor"),
}
ADMINISTRATOR = {"admin": ("admin@placet.local", "Administrator")}


@dataclass
class Running:
    """A platform with the demo's five people; ``armed`` goes to its processes and commands."""

    data: Path
    armed: Mapping[str, str] = field(default_factory=dict)
    runtimes: Path | None = RUNTIMES  # its own when None
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """What a command on its data needs."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
        return clean | {"PLACET_DATA_DIR": str(self.data)}

    @property
    def output(self) -> Path:
        """What the newest start printed."""
        return self.data.parent / f"{self.data.name}.{self.starts}.log"

    @property
    def known(self) -> dict[str, str]:
        """The addresses and secrets of its services."""
        found: dict[str, str] = json.loads((self.data / "embedded.json").read_text())
        return found

    @property
    def url(self) -> str:
        """Where its pages are."""
        return self.known["public_url"]

    @property
    def endpoint_url(self) -> str:
        """Where its models answer."""
        return self.known["endpoint_url"]

    @property
    def people(self) -> dict[str, dict[str, str]]:
        """The five people, by role."""
        return {role: self.account(role) for role in EMAILS}

    def account(self, role: str) -> dict[str, str]:
        """How one of them signs in, or the administrator."""
        passwords = json.loads((self.data / "demo-people.json").read_text())
        email, name = (EMAILS | ADMINISTRATOR)[role]
        return {"email": email, "name": name, "password": passwords[role]}

    @property
    def setup_link(self) -> str:
        """The administrator's link, if the newest start printed one."""
        lines = self.output.read_text().splitlines()
        return next((line.strip() for line in lines if "/password/reset/" in line), "")

    def start(self, *arguments: str, seconds: float = 180) -> None:
        """Run ``manage.py up --demo`` until it says that it runs."""
        self.starts += 1
        self._share_runtimes()
        command = [sys.executable, str(ROOT / "manage.py"), "up", "--demo", *arguments]
        with self.output.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env={**self.environment, **self.armed},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        end = time.monotonic() + seconds
        while "Ctrl-C stops" not in self.output.read_text():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < end, f"not in {seconds} s: {self.output.read_text()}"
            time.sleep(0.1)

    def _share_runtimes(self) -> None:
        """Lead to the shared runtimes: ``up`` hands no ``PLACET_`` variable on to its workers."""
        place = self.data / "runtimes"
        if self.runtimes is not None and not place.is_symlink():
            self.runtimes.mkdir(parents=True, exist_ok=True)
            self.data.mkdir(parents=True, exist_ok=True)
            place.symlink_to(self.runtimes)

    def stop(self) -> int:
        """Press Ctrl-C; return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(120)

    def person(self, role: str) -> DemoPerson:
        """Sign somebody in over HTTP."""
        who = self.people[role]
        return DemoPerson.sign_in(
            self.url, role=role, name=who["name"], email=who["email"], password=who["password"]
        )

    def manage(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a management command on its data."""
        return self.run(str(ROOT / "manage.py"), *args)

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run Python on its data, with everything of ours to import."""
        more = {
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "placet.settings",
        }
        return warm.run([*args], {**self.environment, **self.armed, **more}, ROOT)

    def rebuilt(self) -> subprocess.CompletedProcess[str]:
        """Rebuild every row of its database from its log alone; prints how many there are."""
        return self.run(
            "-c",
            "import django; django.setup()\n"
            "from tests.support.replay import assert_log_rebuilds_every_row\n"
            "print(assert_log_rebuilds_every_row())",
        )

    def sql(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Run a statement as the application's role, which is all that its processes have."""
        with psycopg.connect(self.known["database_url"], row_factory=dict_row) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def running(
    data: Path, *, armed: Mapping[str, str] | None = None, runtimes: Path | None = RUNTIMES
) -> Iterator[Running]:
    """Start ``manage.py up --demo`` with its data in ``data``; stop it with Ctrl-C afterwards."""
    port = free_port(18000 + os.getpid() % 500 * 4, 400)
    endpoint_port = free_port(port + 1, 400)
    found = Running(data, armed or {}, runtimes)
    try:
        found.start("--port", str(port), "--endpoint-port", str(endpoint_port))
        yield found
    finally:
        if found.process is not None and found.process.poll() is None:
            found.stop()
        done = found.manage("down", "--remove-data")
        assert done.returncode == 0, done.stderr


@contextmanager
def signed_in(placet: Running) -> Iterator[dict[str, DemoPerson]]:
    """Sign the five people in over HTTP, by role."""
    with ExitStack() as stack:
        yield {role: stack.enter_context(placet.person(role)) for role in placet.people}

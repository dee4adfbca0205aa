"""The whole of Placet, started as a user starts it, for tests that drive it from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from placet.demo.people import Person
from placet.embedded.supervisor import free_port

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Running:
    """A running platform with the demo's five people."""

    url: str
    endpoint_url: str
    data: Path
    people: dict[str, dict[str, str]]
    output: Path
    setup_link: str
    environment: dict[str, str]

    def person(self, role: str) -> Person:
        """Sign somebody in over HTTP."""
        who = self.people[role]
        return Person.sign_in(
            self.url, role=role, name=who["name"], email=who["email"], password=who["password"]
        )

    def manage(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a management command on its data."""
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *args],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


@contextmanager
def running(data: Path, *, keep: bool = False) -> Iterator[Running]:
    """Start ``manage.py up --demo`` with its data in ``data``; stop it with Ctrl-C afterwards."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
    environment = clean | {"PLACET_DATA_DIR": str(data)}
    port, endpoint_port = free_port(18000 + os.getpid() % 500 * 4, 400), 0
    endpoint_port = free_port(port + 1, 400)
    output = data.parent / f"{data.name}.log"
    command = [sys.executable, str(ROOT / "manage.py"), "up", "--demo"]
    if not (data / "embedded.json").exists():
        command += ["--port", str(port), "--endpoint-port", str(endpoint_port)]
    with output.open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    try:
        _wait(process, output)
        yield _facts(data, output, environment)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)
        if not keep:
            subprocess.run(
                [sys.executable, str(ROOT / "manage.py"), "down", "--remove-data"],
                env=environment, check=True, capture_output=True,
            )  # fmt: skip


def _wait(process: subprocess.Popen[bytes], output: Path, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while "Ctrl-C stops" not in output.read_text():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < end, f"it did not start in {seconds} s: {output.read_text()}"
        time.sleep(0.1)


def _facts(data: Path, output: Path, environment: dict[str, str]) -> Running:
    known = json.loads((data / "embedded.json").read_text())
    passwords = json.loads((data / "demo-people.json").read_text())
    text = output.read_text()
    links = [line.strip() for line in text.splitlines() if "/password/reset/" in line]
    emails = {
        "contributor": ("dana@placet.local", "Dana Scientist"),
        "reviewer": ("ravi@placet.local", "Ravi Reviewer"),
        "approver": ("alma@placet.local", "Alma Approver"),
        "operator": ("omar@placet.local", "Omar Operator"),
        "auditor": ("aude@placet.local", "Aude Auditor"),
    }
    people = {
        role: {"email": email, "name": name, "password": passwords[role]}
        for role, (email, name) in emails.items()
    }
    return Running(
        known["public_url"], known["endpoint_url"], data, people, output,
        links[0] if links else "", environment,
    )  # fmt: skip

"""``make prove``: the previous release serves under load while this one's migrations run.

Takes the previous release's code from git, starts its web process on a database of its own, and
lets clients create versions, upload files and read lists and the log. Meanwhile this checkout's
migrations run; then its web process starts beside the old one, takes over, and the old one stops.
Every answer counts. The result is written to ``proofs/results/upgrade-DATE-COMMIT.json``.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

import httpx  # noqa: E402

from placet.embedded import valkey  # noqa: E402
from placet.embedded.postgres import APPLICATION, OWNER, Cluster  # noqa: E402
from placet.embedded.supervisor import free_port  # noqa: E402
from proofs.record import RESULTS, commit  # noqa: E402

PREVIOUS = "5a35692"  # what this release is upgraded from: the commit of the last one
CLIENTS, PHASE_SECONDS, PAUSE = 4, 6.0, 0.02
# Run by the previous release, whose tests stand on tests.factories.
PEOPLE = """
import django; django.setup()
from tests.factories import person, project, token_for
ada = person("Ada", roles={"contributor": project("risk")})
aude = person("Aude", roles={"auditor": None})
print("TOKENS", *[token_for(ada) for _ in range(4)], token_for(aude))
"""


@dataclass
class Code:
    """One release's code on the shared data."""

    root: Path
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        """What its processes find."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
        return clean | {
            "PLACET_DATA_DIR": str(self.data),
            "DJANGO_SETTINGS_MODULE": "placet.settings",
            "PYTHONPATH": f"{self.root / 'platform'}:{self.root}",
            "PYTHONWARNINGS": "ignore",
            "PLACET_PROCESS": "manage",
        }

    def run(self, *words: str, **more: str) -> str:
        """Run Python with this code and return what it prints; fail when it does."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.root,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def migrate(self) -> float:
        """Bring the tables up to this code as their owner; return the seconds it took."""
        begun = time.monotonic()
        owner = Cluster.at(self.data).url(OWNER)
        self.run(str(self.root / "manage.py"), "migrate", "--no-input", PLACET_DATABASE_URL=owner)
        return round(time.monotonic() - begun, 2)

    @contextmanager
    def web(self, port: int) -> Iterator["subprocess.Popen[bytes]"]:
        """Serve with this code, and stop as a deployment does: what is under way is answered."""
        log = (self.data / f"web-{port}.log").open("wb")
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "placet.wsgi",
                "--bind",
                f"127.0.0.1:{port}",
                "--workers",
                "2",
                "--threads",
                "8",
                "--graceful-timeout",
                "20",
                "--no-control-socket",
                "--chdir",
                str(self.root),
            ],
            cwd=self.root,
            env=self.environment | {"PLACET_PROCESS": "web"},
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(f"http://localhost:{port}/readyz", process, Path(log.name))
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            log.close()


@dataclass
class Load:
    """Clients behind a balancer: ``servers`` is where new requests go."""

    tokens: list[str]
    servers: list[int]
    phase: str = "old code, old tables"
    stop: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)
    versions: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, number: int) -> None:
        """Work until told to stop."""
        turn = 0
        with httpx.Client(timeout=60) as wire:
            while not self.stop.is_set():
                turn += 1
                self.round(wire, number, turn)
                time.sleep(PAUSE)

    def round(self, wire: httpx.Client, number: int, turn: int) -> None:
        """Create a version, upload its file, and read what lists and the log say."""
        model = f"/projects/risk/models/m{number}"
        if turn == 1:
            self.ask(wire, number, "POST", "/projects/risk/models", {"name": f"m{number}"})
        made = self.ask(wire, number, "POST", f"{model}/versions", {})
        if made is None:
            return
        with self.lock:
            self.versions += 1
        data = os.urandom(2000)
        announced = {
            "path": "model.bin",
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        address = f"{model}/versions/{made['number']}"
        started = self.ask(wire, number, "POST", f"{address}/uploads", announced)
        if started is not None:
            upload = f"/uploads/{started['upload']['id']}"
            self.ask(wire, number, "PATCH", upload, data)
        self.ask(wire, number, "GET", f"{model}/versions?limit=20")
        self.ask(wire, -1, "GET", "/audit/events?limit=20")

    def ask(self, wire: httpx.Client, number: int, method: str, path: str, body: Any = None) -> Any:
        """Send one request and count its answer; ``None`` when it is a failure."""
        with self.lock:
            phase = self.phase
            server = self.servers[sum(self.counts.values()) % len(self.servers)]
        headers = {"Authorization": f"Bearer {self.tokens[number]}"}
        sent: dict[str, Any] = {} if body is None else {"json": body}
        if isinstance(body, bytes):
            sent = {"content": body}
            headers |= {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        try:
            answer = wire.request(
                method, f"http://localhost:{server}/api/v1{path}", headers=headers, **sent
            )
            good, said = answer.is_success, f"{answer.status_code} {answer.text[:300]}"
        except httpx.HTTPError as error:
            good, said = False, repr(error)
        with self.lock:
            self.counts[phase] += 1
            if not good:
                self.failures.append({"phase": phase, "request": f"{method} {path}", "said": said})
        return (answer.json() if answer.content else {}) if good else None

    def during(self, phase: str, seconds: float = PHASE_SECONDS) -> None:
        """Let the load go on for a while under this name."""
        self.phase = phase
        time.sleep(seconds)


def wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the process answers there."""
    end, said = time.monotonic() + 120, ""
    while True:
        try:
            answer = httpx.get(url, timeout=5)
            if answer.status_code == 200:
                return
            said = answer.text
        except httpx.HTTPError as error:
            said = repr(error)
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"{url} does not answer: {said} {log.read_text()[-3000:]}")
        time.sleep(0.1)


def previous(folder: Path) -> Path:
    """Unpack the previous release's code."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", PREVIOUS], cwd=ROOT, capture_output=True)
    if archive.returncode:
        raise SystemExit(f"{PREVIOUS} is not in this clone: fetch the whole history")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def prepare(old: Code) -> list[str]:
    """Make the previous release's database with two people; return their tokens."""
    cluster = Cluster.at(old.data)
    cluster.start()
    cluster.ensure_database()
    known = {
        "database_url": cluster.url(APPLICATION),
        "database_owner_url": cluster.url(OWNER),
        "secret_key": "s" * 60,
        "token_key": "t" * 60,
    }
    (old.data / "embedded.json").write_text(json.dumps(known))
    old.migrate()
    old.run(str(old.root / "manage.py"), "prepare")
    said = old.run("-c", PEOPLE).splitlines()
    return next(line for line in said if line.startswith("TOKENS")).split()[1:]


@contextmanager
def broker(data: Path) -> Iterator[None]:
    """Run the doorbell that the web processes ring, and write down where it is."""
    path = valkey.socket_path(data)
    server = subprocess.Popen(valkey.command(path), stdout=subprocess.DEVNULL)
    try:
        known = json.loads((data / "embedded.json").read_text())
        (data / "embedded.json").write_text(json.dumps(known | {"broker_url": valkey.url(path)}))
        yield
    finally:
        server.terminate()
        server.wait(20)


def upgrade(old: Code, new: Code) -> dict[str, Any]:
    """Carry the upgrade out under load."""
    first = free_port(19000 + os.getpid() % 400, 200)
    second = free_port(first + 1, 200)
    load = Load(prepare(old), [first])
    threads = [threading.Thread(target=load.client, args=[n]) for n in range(CLIENTS)]
    with broker(new.data), new_when_asked(new, second) as start_new:
        with old.web(first):
            for thread in threads:
                thread.start()
            load.during("old code, old tables")
            load.phase = "old code while the tables change"
            seconds = new.migrate()
            load.during("old code, new tables")
            start_new()
            with load.lock:
                load.servers[:] = [first, second]
            load.during("old and new code")
            with load.lock:
                load.servers[:] = [second]
            load.phase = "the old one stops"
        load.during("new code, new tables")
        load.stop.set()
        for thread in threads:
            thread.join()
    return {
        "migrations_seconds": seconds,
        "requests": dict(load.counts),
        "failures": load.failures,
        "versions": load.versions,
    }


@contextmanager
def new_when_asked(new: Code, port: int) -> Iterator[Any]:
    """Yield a function that starts the new web process, which is stopped at the end."""
    running = new.web(port)
    started: list[bool] = []

    def start() -> None:
        running.__enter__()
        started.append(True)

    try:
        yield start
    finally:
        if started:
            running.__exit__(None, None, None)


def verified(new: Code) -> dict[str, Any]:
    """Check the whole log with the new code, and every row against it. Events about access that the
    previous release wrote may lack a seal, which it did not know: they are counted, and are no
    fault of the log."""
    log, rows = audit(new, "verify", "--deep"), audit(new, "fsck")
    return {
        "log": "intact" if "the log is intact" in log else log,
        "unsealed": log.count("it has no seal"),
        "rows": "as the log says" if "everything is as it says" in rows else rows,
    }


def audit(new: Code, *words: str) -> str:
    """Return what the new code says of the log."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "audit", *words],
        cwd=ROOT,
        env=new.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def main() -> int:
    """Prove it; 1 when any request failed or anything is missing afterwards."""
    ArgumentParser(description="Upgrade from the previous release under load.").parse_args()
    begun, state = datetime.now(tz=UTC), commit()
    folder = Path(tempfile.mkdtemp(prefix="placet-upgrade-"))
    data = folder / "data"
    data.mkdir()
    old, new = Code(previous(folder / "previous"), data), Code(ROOT, data)
    cluster = Cluster.at(data)
    try:
        result = upgrade(old, new)
        result |= verified(new)
        count = "import django; django.setup()\nfrom apps.registry.models import ModelVersion\n"
        result["found"] = int(new.run("-c", count + "print(ModelVersion.objects.count())"))
    finally:
        cluster.stop()
        shutil.rmtree(cluster.home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
    good = not result["failures"] and result["log"] == "intact"
    good = good and result["rows"] == "as the log says"
    good = good and result["found"] == result["versions"] > 0
    report = {
        "what": "upgrade under load",
        "date": begun.isoformat(timespec="seconds"),
        "commit": state,
        "previous": PREVIOUS,
        "clients": CLIENTS,
        **result,
        "good": good,
    }
    out = RESULTS / f"upgrade-{begun:%Y%m%d-%H%M}-{state[:12]}.json"
    out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

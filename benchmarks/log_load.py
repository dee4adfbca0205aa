"""Fills a log and measures what it costs to check: ``python benchmarks/log_load.py --events N``.

The events are appended by the code and the SQL that every action uses, two hundred at a time, and
signed on the way. Verification runs in a process of its own, at a tenth of the log and at all of
it, so that its time and the memory it came to can be compared: memory must not grow with the log.
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from benchmarks.log import fresh_database, intact  # noqa: E402
from placet.kernel.actor import SYSTEM, Actor  # noqa: E402
from placet.kernel.ids import new_id  # noqa: E402
from proofs.record import commit  # noqa: E402

AT_ONCE = 200  # whoever holds the head of the log may idle for five seconds
SIGN_EVERY = 20_000
PROOFS = 500
CALLS = 20
PERSON, MACHINE = Actor(kind="person", id=new_id("per")), SYSTEM
SUBJECTS = [new_id("ver") for _ in range(500)]
PROJECTS = [new_id("prj") for _ in range(10)]
PAGES = (
    "",
    "kind=evidence",
    "kind=freeze",
    "kind=recall",
    "people=1",
    f"actor={PERSON.id}",
    f"project={PROJECTS[0]}",
    f"project={PROJECTS[-1]}",
    f"subject={SUBJECTS[0]}",
    f"subject={SUBJECTS[-1]}",
    f"subject={new_id('ver')}",
    "since=2999-01-01",
    "kind=freeze&since=2999-01-01",
)


def fill(first: int, last: int, early: int) -> float:
    """Append the events ``first`` to ``last`` and sign them on the way; return the seconds.

    Those before ``early`` are what people did in the first days, in a project of then: whoever asks
    for it later finds it behind all that machines have done since.
    """
    from apps.audit.actions import record, write_checkpoint
    from apps.audit.events import kinds

    frozen, added = kinds()["freeze.set.v1"], kinds()["evidence.added.v1"]
    begun = time.perf_counter()
    for start in range(first, last, AT_ONCE):
        with record(MACHINE) as log:
            for n in range(start, min(start + AT_ONCE, last)):
                if n < early:
                    log.add(frozen, subject=SUBJECTS[-1], actor=PERSON, project=PROJECTS[-1])
                    continue
                data = {"kind": "metrics", "digest": f"sha256:{n:064x}", "source": "measured"}
                log.add(added, subject=SUBJECTS[n % 499], project=PROJECTS[n % 9], data=data)
        if start % SIGN_EVERY == 0:
            write_checkpoint()
    write_checkpoint()
    return time.perf_counter() - begun


def verify() -> dict[str, float]:
    """Verify the database; return the seconds, those of the processor, and the peak of memory."""
    from apps.audit.queries import verify_database

    begun, before = time.perf_counter(), time.process_time()
    intact(verify_database())
    took = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - before}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {name: round(value, 2) for name, value in (took | {"peak_mib": peak}).items()}


def verified_apart() -> dict[str, float]:
    """Run :func:`verify` in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, "--verify"], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def times(calls: int, act: Callable[[int], object]) -> list[float]:
    """Return the milliseconds of each of so many calls."""
    found = []
    for n in range(calls):
        begun = time.perf_counter()
        act(n)
        found.append((time.perf_counter() - begun) * 1000)
    return found


def cuts(found: list[float]) -> dict[str, float]:
    """Return the median, the 95th percentile and the slowest."""
    p95 = statistics.quantiles(found, n=20)[18]
    named = {"median": statistics.median(found), "p95": p95, "slowest": max(found)}
    return {name: round(value, 2) for name, value in named.items()}


def look(size: int, seed: int) -> dict[str, Any]:
    """Measure proofs of random events, and the pages of the log."""
    from django.test import Client

    from apps.audit.models import Event
    from apps.audit.queries import inclusion
    from tests.support import factories

    chance, client = random.Random(seed), Client()
    client.force_login(factories.person("Eve", roles={"auditor": None}))

    def get(path: str) -> None:
        assert client.get(path).status_code == 200, path

    def event(_: int) -> None:
        get(f"/audit/{chance.randrange(size)}/")

    middle = Event.objects.get(pk=size // 2).at
    asked = (*PAGES, f"before={size // 2}")
    listed = ("kind=freeze.set", f"until={quote(middle)}")
    get("/audit/")
    inclusion(0)
    pages = {query: times(CALLS, lambda _, q=query: get(f"/audit/?{q}")) for query in asked}
    lists = {q: times(CALLS, lambda _, q=q: get(f"/api/v1/audit/events?{q}")) for q in listed}
    return {
        "inclusion_proof_ms": cuts(times(PROOFS, lambda _: inclusion(chance.randrange(size)))),
        "audit_page_ms": cuts([one for calls in pages.values() for one in calls]),
        "audit_page_ms_by_query": {query: cuts(calls) for query, calls in pages.items()},
        "event_list_ms_by_query": {query: cuts(calls) for query, calls in lists.items()},
        "event_page_ms": cuts(times(CALLS, event)),
    }


def measure(count: int, seed: int) -> dict[str, Any]:
    """Fill the log in two steps and return the figures."""
    from django.db import connection

    first, early = count // 10, count // 1000
    seconds = fill(0, first, early)
    small = verified_apart()
    seconds += fill(first, count, early)
    large = verified_apart()
    with connection.cursor() as cursor:
        cursor.execute("SELECT avg(octet_length(body)) FROM audit_event WHERE index % 1000 = 0")
        (body,) = cursor.fetchone()
    return {
        "events": count,
        "body_bytes": round(body),
        "appended_per_second": round(count / seconds),
        "verified": {str(first): small, str(count): large},
        "verified_per_second": round(count / large["seconds"]),
        "load": os.getloadavg()[0],
        **look(count, seed),
    }


def main() -> int:
    """Measure, print the figures as JSON, and write them down when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", type=Path, help="write the figures to this file")
    parser.add_argument("--verify", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.verify:
        import django

        django.setup()
        sys.stdout.write(json.dumps(verify()))
        return 0
    os.environ["PLACET_ALLOWED_HOSTS"] = "testserver"  # what the test client calls itself
    state = commit()
    with fresh_database():
        found = measure(options.events, options.seed)
    when = datetime.now(tz=UTC).isoformat(timespec="seconds")
    text = json.dumps({"date": when, "commit": state, "seed": options.seed, **found}, indent=1)
    sys.stdout.write(text + "\n")
    if options.to:
        options.to.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

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

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from benchmarks.crashes import commit  # noqa: E402
from benchmarks.log import fresh_database, intact  # noqa: E402

AT_ONCE = 200  # whoever holds the head of the log may idle for five seconds
SIGN_EVERY = 20_000
PROOFS = 500
PAGES = 60


def fill(count: int) -> float:
    """Append ``count`` events and sign them on the way; return the seconds it took."""
    from apps.audit.actions import record, write_checkpoint
    from apps.audit.events import kinds
    from placet.kernel.actor import Actor
    from placet.kernel.ids import new_id

    kind, actor = kinds()["evidence.added.v1"], Actor(kind="person", id=new_id("per"))
    subjects, begun = [new_id("ver") for _ in range(500)], time.perf_counter()
    for start in range(0, count, AT_ONCE):
        with record(actor) as log:
            for n in range(start, min(start + AT_ONCE, count)):
                data = {"kind": "metrics", "digest": f"sha256:{n:064x}", "source": "measured"}
                log.add(kind, subject=subjects[n % 500], data=data)
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


def milliseconds(calls: int, act: Callable[[int], object]) -> dict[str, float]:
    """Return the median and the 95th percentile of ``calls`` calls."""
    times = []
    for n in range(calls):
        begun = time.perf_counter()
        act(n)
        times.append((time.perf_counter() - begun) * 1000)
    cuts = statistics.quantiles(times, n=20)
    return {"median": round(statistics.median(times), 2), "p95": round(cuts[18], 2)}


def look(size: int, seed: int) -> dict[str, Any]:
    """Measure proofs of random events, and the pages of the log."""
    from django.test import Client

    from apps.audit.queries import inclusion
    from tests import factories

    chance, client = random.Random(seed), Client()
    client.force_login(factories.person("Eve", roles={"auditor": None}))
    pages = ("/audit/", f"/audit/?before={size // 2}", "/audit/?kind=evidence", "/audit/?people=1")

    def page(n: int) -> None:
        assert client.get(pages[n % len(pages)]).status_code == 200

    def event(n: int) -> None:
        assert client.get(f"/audit/{chance.randrange(size)}/").status_code == 200

    page(0)
    return {
        "inclusion_proof_ms": milliseconds(PROOFS, lambda n: inclusion(chance.randrange(size))),
        "audit_page_ms": milliseconds(PAGES, page),
        "event_page_ms": milliseconds(PAGES, event),
    }


def measure(count: int, seed: int) -> dict[str, Any]:
    """Fill the log in two steps and return the figures."""
    from django.db import connection

    first = count // 10
    seconds = fill(first)
    small = verified_apart()
    seconds += fill(count - first)
    large = verified_apart()
    with connection.cursor() as cursor:
        cursor.execute("SELECT avg(octet_length(body)) FROM audit_event WHERE index < 10000")
        (body,) = cursor.fetchone()
        cursor.execute("ANALYZE")
    return {
        "events": count, "body_bytes": round(body), "appended_per_second": round(count / seconds),
        "verified": {str(first): small, str(count): large},
        "verified_per_second": round(count / large["seconds"]), "load": os.getloadavg()[0],
        **look(count, seed),
    }  # fmt: skip


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

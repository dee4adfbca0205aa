"""How long each page and each list takes over 100,000 versions and 1,000,000 events.

Run: ``python benchmarks/pages.py [--versions N] [--events N] [--rounds N] [--only PART]``. Filling
takes some minutes; every answer is checked, and its queries are counted.
"""

import argparse
import gzip
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from benchmarks.log import fresh_database  # noqa: E402
from benchmarks.page_paths import Filled, paths  # noqa: E402
from proofs.record import commit  # noqa: E402

PROJECTS = 40
GOAL_MS, GOAL_QUERIES, GOAL_KB = 150.0, 12, 60.0
REFUSED = (302, 400, 403, 404, 409)  # not this reader, or not about this thing


@dataclass(frozen=True, slots=True)
class Figure:
    """What one page took: milliseconds, the ``first`` of which found nothing kept."""

    path: str
    reader: str
    first: float
    p50: float
    p95: float
    cpu: float  # of this process, which does without waiting what the web process does
    database: float  # CPU time of PostgreSQL's process of this connection
    queries: int
    kb: float

    @property
    def over(self) -> list[str]:
        """Which goals it misses."""
        page = not self.path.startswith("/api/")
        misses = {
            "p95": self.p95 > GOAL_MS,
            "queries": self.queries > GOAL_QUERIES,
            "kb": page and self.kb > GOAL_KB,
        }
        return [name for name, missed in misses.items() if missed]


def fill(sizes: dict[str, int]) -> Filled:
    """Make one real example of everything, then copies of it."""
    import psycopg

    from apps.audit.actions import write_checkpoint
    from apps.identity.actions import create_project
    from apps.jobs.actions import enqueue
    from apps.rollouts.actions import start_rollout
    from placet.kernel.actor import SYSTEM
    from tests.permissions.world import build
    from tests.support.nodes import SimulatedNode
    from tests.support.world import World

    for number in range(PROJECTS):
        create_project(slug=f"project-{number:02}", name=f"Project {number}", actor=SYSTEM)
    world = World("bench")
    world.decide(world.request("staging", world.bento(world.version())), world.rex)
    release = world.live(bento=world.bento(world.version(), metrics={"auc": 0.9}))
    serving = {"unit": {"header": "X-User"}, "capture": {"percent": 100, "days": 7}}
    bento = world.bento(world.version("other"))
    moving = world.request("development", bento, endpoint="moving", serving=serving)
    node = SimulatedNode.joined(moving.endpoint.target)
    start_rollout(moving, actor=SYSTEM)
    capture(node, moving.endpoint.revisions.get().pk)
    enqueue("benchmark.nothing", project=world.project.pk)
    with patch("tests.permissions.world.owning_tables", as_owner):
        example = build()
    statements = (ROOT / "benchmarks" / "bulk.sql").read_text()
    names = "|".join(sizes)
    sql = re.sub(rf"(?<!:):({names})\b", lambda found: str(sizes[found[1]]), statements)
    with psycopg.connect(os.environ["PLACET_DATABASE_URL"]) as connection:
        connection.execute(sql.encode())
    write_checkpoint()
    return Filled(example, release, moving.endpoint_id)


@contextmanager
def as_owner() -> Iterator[None]:
    """Be the role that owns the tables, by another connection."""
    from django.db import connection

    from placet.settings import database

    mine = {**connection.settings_dict}
    connection.close()
    connection.settings_dict.update(database(os.environ["PLACET_DATABASE_URL"]))
    yield
    connection.close()
    connection.settings_dict.update(mine)


def capture(node: Any, revision: str) -> None:
    """Have ``node`` bring a thousand predictions."""
    from apps.monitoring.actions import store_captures
    from tests.support.captures import line, send, text

    lines = [line(revision, f"u{n}", inputs=f'[{{"age":{n % 90}}}]') for n in range(1000)]
    assert send(node, revision, text(*lines))[0] == 201
    store_captures()


def readers() -> dict[str, Any]:
    """Return clients: who reads everything, who reads three projects, who administers access."""
    from django.test import Client

    from apps.identity.models import Project
    from tests.support import factories

    some = Project.objects.filter(slug__in=["bench", "project-01", "project-02"])
    people = {
        "everything": factories.person("Eve", roles={"auditor": None, "reviewer": None}),
        "three projects": factories.person("Vic"),
        "access": factories.person("Ann", roles={"admin": None}),
    }
    for place in some:
        factories.grant(people["three projects"], {"reviewer": place})
    for _ in range(100):
        factories.token_for(people["everything"])
    clients = {}
    for name, who in people.items():
        clients[name] = Client()
        factories.sign_in(clients[name], who)
    return clients


def measured(client: Any, reader: str, path: str, rounds: int) -> Figure | None:
    """Ask for ``path`` again and again; ``None`` when this reader may not see it."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    begun = time.perf_counter()
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(path)
        text = body_of(answer)
    first, queries = (time.perf_counter() - begun) * 1000, len(caught)
    if answer.status_code in REFUSED:
        return None
    assert answer.status_code == 200, f"{path} as {reader}: {answer.status_code}"
    rounds = min(rounds, max(2, int(20_000 / first)))  # of what takes seconds two say enough
    taken, cpu, database = [], time.process_time(), database_seconds()
    for _ in range(rounds):
        begun = time.perf_counter()
        answer = client.get(path)
        again = body_of(answer)
        taken.append((time.perf_counter() - begun) * 1000)
        assert abs(len(again) - len(text)) < 4000, f"{path}: another answer"
    cpu = (time.process_time() - cpu) * 1000 / rounds
    database = (database_seconds() - database) * 1000 / rounds
    last = statistics.quantiles(taken, n=20, method="inclusive")[-1]
    kb = len(gzip.compress(text)) / 1000
    p50 = statistics.median(taken)
    return Figure(path, reader, first, p50, last, cpu, database, queries, kb)


def database_seconds() -> float:
    """Return the CPU time that this connection's process of PostgreSQL has had."""
    from django.db import connection

    pid = connection.connection.info.backend_pid
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def body_of(answer: Any) -> bytes:
    """Read a streamed answer to its end."""
    text: bytes = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return text


def shown(figure: Figure) -> str:
    """Return a figure as a line."""
    flag = f" <- over: {', '.join(figure.over)}" if figure.over else ""
    return (
        f"{figure.first:8.1f} {figure.p50:8.1f} {figure.p95:8.1f} {figure.cpu:8.1f} "
        f"{figure.database:8.1f} {figure.queries:4} {figure.kb:6.1f}  "
        f"{figure.path[:80]:80} {figure.reader}{flag}"
    )


def sizes_of(wanted: argparse.Namespace) -> dict[str, int]:
    """Return how many rows there are of each kind."""
    return {
        "versions": wanted.versions,
        "events": wanted.events,
        "models": max(10, wanted.versions // 50),
        "endpoints": max(10, wanted.versions // 100),
        "releases": max(100, wanted.versions // 5),
        "people": max(100, wanted.versions // 5),
    }


def measure(filled: Filled, wanted: argparse.Namespace) -> list[Figure]:
    """Time every path for every reader; tell which route none of them sees."""
    heads = ("first ms", "p50", "p95", "own CPU", "its DB")
    print(*(f"{head:>8}" for head in heads), " SQL     kB", flush=True)
    figures: list[Figure] = []
    clients, every = readers(), paths(filled, sizes_of(wanted))
    for reader, client in clients.items():
        for either in every:
            for path in either:
                if wanted.only not in path:
                    continue
                if figure := measured(client, reader, path, wanted.rounds):
                    figures.append(figure)
                    print(shown(figure), flush=True)
                    break
    seen = {figure.path for figure in figures}
    for either in every:
        if wanted.only in either[0] and not seen & set(either):
            print(f"none of the readers sees {either[0]}", flush=True)
    return figures


def summary(figures: list[Figure]) -> dict[str, Any]:
    """Return what is said of all of them."""
    slowest = max(figures, key=lambda figure: figure.p95)
    return {
        "measured": len(figures),
        "over_the_goal": sum(bool(figure.over) for figure in figures),
        "slowest": slowest.path,
        "slowest_p95_ms": round(slowest.p95, 1),
        "median_p95_ms": round(statistics.median(figure.p95 for figure in figures), 1),
        "most_queries": max(figure.queries for figure in figures),
        "most_kb": round(max(f.kb for f in figures if not f.path.startswith("/api/")), 1),
    }


def main() -> int:
    """Measure, print, and tell how many pages fall short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="paths that hold this text")
    parser.add_argument("--to", type=Path, help="a file for all figures")
    wanted = parser.parse_args()
    os.environ["PLACET_ALLOWED_HOSTS"] = "testserver"  # what the test client calls itself
    os.environ["PLACET_SESSION_REQUESTS_PER_MINUTE"] = "1000000"  # counted, and never enough
    begun = datetime.now(UTC)
    with fresh_database():
        filled = fill(sizes_of(wanted))
        print(f"filled in {(datetime.now(UTC) - begun).seconds} s: {sizes_of(wanted)}", flush=True)
        figures = measure(filled, wanted)
    print(json.dumps({"pages": summary(figures)}))
    if wanted.to:
        head = {"date": begun.isoformat(timespec="seconds"), "commit": commit()}
        wanted.to.write_text(json.dumps(head | recorded(figures, wanted), indent=1) + "\n")
    return 0


def recorded(figures: list[Figure], wanted: argparse.Namespace) -> dict[str, Any]:
    """Return the figures as a file keeps them: an entry a line's worth for each page."""
    goals = {"p95_ms": GOAL_MS, "queries": GOAL_QUERIES, "kb": GOAL_KB}
    rows = [
        {name: round(v, 1) if isinstance(v, float) else v for name, v in asdict(f).items()}
        for f in figures
    ]
    head = {"what": "milliseconds, queries and kB of each page", "goals": goals}
    return {**head, "rows": sizes_of(wanted), "summary": summary(figures), "figures": rows}


if __name__ == "__main__":
    sys.exit(main())

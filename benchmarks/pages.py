"""How long each page and each list takes over 100,000 versions and 1,000,000 events.

Run: ``python benchmarks/pages.py [--versions N] [--events N] [--rounds N] [--only PART]``. Filling
takes some minutes; every answer is checked, and its queries are counted.
"""

import argparse
import json
import os
import re
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from benchmarks.log import fresh_database  # noqa: E402

PROJECTS = 40
GOAL_MS, GOAL_QUERIES = 150.0, 12


@dataclass(frozen=True, slots=True)
class Figure:
    """What one page took."""

    path: str
    reader: str
    p50: float
    p95: float
    cpu: float
    queries: int

    @property
    def falls_short(self) -> bool:
        """Tell whether it is over a goal."""
        return self.p95 > GOAL_MS or self.queries > GOAL_QUERIES


def fill(sizes: dict[str, int]) -> Any:
    """Make one real example of everything, then copies of it; return the real live release."""
    import psycopg

    from apps.audit.actions import write_checkpoint
    from apps.identity.actions import create_project
    from apps.jobs.actions import enqueue
    from apps.rollouts.actions import start_rollout
    from placet.kernel.actor import SYSTEM
    from tests.support.nodes import SimulatedNode
    from tests.support.world import World

    for number in range(PROJECTS):
        create_project(slug=f"project-{number:02}", name=f"Project {number}", actor=SYSTEM)
    world = World("bench")
    world.decide(world.request("staging", world.bento(world.version())), world.rex)
    release = world.live(bento=world.bento(world.version(), metrics={"auc": 0.9}))
    moving = world.request("development", world.bento(world.version("other")), endpoint="moving")
    SimulatedNode.joined(moving.endpoint.target)
    start_rollout(moving, actor=SYSTEM)
    enqueue("benchmark.nothing", project=world.project.pk)
    statements = (ROOT / "benchmarks" / "bulk.sql").read_text()
    names = "|".join(sizes)
    sql = re.sub(rf"(?<!:):({names})\b", lambda found: str(sizes[found[1]]), statements)
    with psycopg.connect(os.environ["PLACET_DATABASE_URL"]) as connection:
        connection.execute(sql.encode())
    write_checkpoint()
    return release


def readers() -> dict[str, Any]:
    """Return clients: one who reads everything, and one of three projects."""
    from django.test import Client

    from apps.identity.models import Project
    from tests.support import factories

    some = Project.objects.filter(slug__in=["bench", "project-01", "project-02"])
    people = {
        "everything": factories.person("Eve", roles={"auditor": None, "reviewer": None}),
        "three projects": factories.person("Vic"),
    }
    for place in some:
        factories.grant(people["three projects"], {"reviewer": place})
    for _ in range(100):
        factories.token_for(people["everything"])
    clients = {}
    for name, who in people.items():
        clients[name] = Client()
        clients[name].force_login(who)
    return clients


def paths(release: Any) -> list[str]:
    """Return every list page and every list endpoint, filtered and far into them too."""
    from apps.registry.models import RegisteredModel
    from placet.kernel.ids import is_id

    busy = RegisteredModel.objects.select_related("project").get(name="model-1")
    one = f"/models/{busy.project.slug}/{busy.name}/"
    version = busy.versions.order_by("-number").first()
    assert version is not None
    assert is_id(version.pk)
    api = f"/api/v1/projects/{busy.project.slug}"
    digest = version.artifact_digest
    return [
        "/",
        "/models/",
        "/models/?q=model-19",
        "/models/?project=bench",
        "/models/?after=project-20/model-1",
        one,
        f"{one}?before=500",
        f"{one}{version.number}/",
        f"{one}compare/?v=1&v=2",
        "/releases/",
        "/releases/?state=live",
        "/releases/?state=failed",
        f"/releases/?after={release.pk}",
        f"/releases/{release.pk}/",
        "/endpoints/",
        f"/endpoints/{release.endpoint_id}/",
        "/targets/",
        "/policies/",
        "/tokens/",
        "/search/?q=model-19",
        "/search/?q=champion",
        "/search/?q=12",
        f"/search/?q={digest[7:17]}",
        f"/search/?q={busy.name}:7",
        "/search/?q=person",
        "/audit/",
        "/audit/?people=1",
        "/audit/?kind=policy",
        "/audit/?kind=freeze",
        "/audit/?since=2000-01-01",
        "/audit/?since=2999-01-01",
        f"/audit/?subject={version.pk}",
        f"/audit/?project={busy.project_id}",
        "/audit/?before=1000",
        "/audit/500/",
        f"{api}/models",
        f"{api}/models/{busy.name}/versions",
        f"{api}/models/{busy.name}/aliases",
        f"{api}/releases",
        f"{api}/environments",
        f"{api}/environments/development/endpoints",
        "/api/v1/releases",
        "/api/v1/releases?state=requested",
        "/api/v1/releases?model=model-7",
        "/api/v1/inbox",
        "/api/v1/rollouts",
        "/api/v1/targets",
        "/api/v1/tokens",
        "/api/v1/jobs",
        "/api/v1/projects",
        "/api/v1/people",
        "/api/v1/teams",
        "/api/v1/service-accounts",
        "/api/v1/roles",
        "/api/v1/audit/events",
        "/api/v1/audit/events?kind=policy.published",
        "/api/v1/audit/events?limit=500",
        f"/api/v1/search?q={digest[:20]}",
        "/api/v1/search?q=model",
    ]


def measured(client: Any, reader: str, path: str, rounds: int) -> Figure | None:
    """Ask for ``path`` again and again; ``None`` when this reader may not see it."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as caught:
        answer = client.get(path)
    queries = len(caught)
    if answer.status_code in (403, 404):
        return None
    assert answer.status_code == 200, f"{path} as {reader}: {answer.status_code}"
    size = len(answer.content)
    client.get(path)
    taken, cpu = [], time.process_time()
    for _ in range(rounds):
        begun = time.perf_counter()
        answer = client.get(path)
        taken.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200
        assert abs(len(answer.content) - size) < 4000, f"{path}: another answer"
    cpu = (time.process_time() - cpu) * 1000 / rounds
    last = statistics.quantiles(taken, n=20, method="inclusive")[-1]
    return Figure(path, reader, statistics.median(taken), last, cpu, queries)


def shown(figure: Figure) -> str:
    """Return a figure as a line."""
    flag = " <- over the goal" if figure.falls_short else ""
    return (
        f"{figure.p50:8.1f} {figure.p95:8.1f} {figure.cpu:8.1f} {figure.queries:4}  "
        f"{figure.path[:70]:70} "
        f"{figure.reader}{flag}"
    )


def measure(wanted: argparse.Namespace) -> list[Figure]:
    """Fill, then time every path for every reader."""
    sizes = {
        "versions": wanted.versions,
        "events": wanted.events,
        "models": max(10, wanted.versions // 50),
        "endpoints": max(10, wanted.versions // 100),
        "releases": max(100, wanted.versions // 5),
    }
    begun = time.perf_counter()
    release = fill(sizes)
    print(f"filled in {time.perf_counter() - begun:.0f} s: {sizes}", flush=True)
    print(f"{'p50 ms':>8} {'p95 ms':>8} {'own CPU':>8} {'SQL':>4}", flush=True)
    figures = []
    for reader, client in readers().items():
        for path in paths(release):
            if wanted.only in path and (figure := measured(client, reader, path, wanted.rounds)):
                figures.append(figure)
                print(shown(figure), flush=True)
    return figures


def main() -> int:
    """Measure, print, and tell how many pages fall short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="paths that hold this text")
    wanted = parser.parse_args()
    os.environ["PLACET_ALLOWED_HOSTS"] = "testserver"  # what the test client calls itself
    with fresh_database():
        figures = measure(wanted)
    slowest = max(figures, key=lambda f: f.p95)
    print(
        json.dumps(
            {
                "pages": {
                    "measured": len(figures),
                    "over_the_goal": sum(f.falls_short for f in figures),
                    "slowest": slowest.path,
                    "slowest_p95_ms": round(slowest.p95, 1),
                    "median_p95_ms": round(statistics.median(f.p95 for f in figures), 1),
                    "most_queries": max(f.queries for f in figures),
                }
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

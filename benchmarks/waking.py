"""How long the first requests wait that wake a revision of a real Bento.

A node with a real HAProxy, holder and sandboxes serves a forest with ``min_replicas: 0``, by
BentoML and slim. Each round waits until it sleeps, then sends 100 one-row predictions at once from
another process. Every answer must be the one that it gives when it is awake. The figure is the 95th
hundredth of their seconds, beside 1.5 × (the cold start that the build's smoke test measured + 100
× the seconds that one takes when it is awake, the median of 200 behind one another). Ends with 1
when the median of the rounds is above that, or an answer was missing or another.

Usage: python benchmarks/waking.py [--rounds N] [--to FILE]
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import django
import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")
django.setup()  # for what builds: it reads settings and no database

from placet_agent import scaling  # noqa: E402
from placet_agent.loop import Options  # noqa: E402
from placet_agent.state.data_dir import Home  # noqa: E402
from placet_agent.state.joining import join  # noqa: E402
from proofs.record import tell  # noqa: E402
from tests.e2e.agent.test_real_bentos import offer  # noqa: E402
from tests.integration.agent.conftest import PATH, NodeUnderTest, free_port  # noqa: E402
from tests.integration.agent.control import Platform  # noqa: E402
from tests.support.bentos import build  # noqa: E402
from tests.support.models import sklearn_model  # noqa: E402
from workers.builder.spec import BuildResult  # noqa: E402

AT_ONCE, ONE_BY_ONE, GOAL = 100, 200, 1.5
REST_SECONDS = 3.0  # without a request, until it sleeps
WAIT = 240.0
SERVERS: dict[str, dict[str, str]] = {"bentoml": {}, "slim": {"server": "slim"}}


async def call(url: str, row: bytes, requests: int) -> list[tuple[float, str]]:
    """Send requests at once; return the seconds of each and what it answered, '' for no answer."""

    async def once(client: httpx.AsyncClient) -> tuple[float, str]:
        began = time.monotonic()
        try:
            answer = await client.post(url, content=row)
        except httpx.HTTPError:
            return time.monotonic() - began, ""
        told = answer.text if answer.status_code == 200 else ""
        return time.monotonic() - began, told

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60) as client:
        return await asyncio.gather(*(once(client) for _ in range(requests)))


def from_another_process(url: str, row: bytes) -> list[tuple[float, str]]:
    """Return what ``call`` does there."""
    command = [sys.executable, __file__, "--call", url, row.decode()]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return [(seconds, told) for seconds, told in json.loads(done.stdout)]


def service_seconds(url: str, row: bytes) -> tuple[float, str]:
    """Return what one request takes when it is awake, and its answer."""
    with httpx.Client() as client:
        took = []
        for _ in range(ONE_BY_ONE):
            began = time.monotonic()
            answer = client.post(url, content=row).raise_for_status()
            took.append(time.monotonic() - began)
    return statistics.median(took), answer.text


def wake(platform: Platform, revision: str, url: str, row: bytes, rounds: int) -> dict[str, Any]:
    """Wake it so often; return the figures."""
    platform.wait_phase(revision, "serving", WAIT)
    each, right = service_seconds(url, row)
    p95, wrong = [], 0
    for _ in range(rounds):
        platform.wait_phase(revision, "asleep", WAIT)
        told = from_another_process(url, row)
        wrong += sum(answer != right for _, answer in told)
        p95.append(sorted(seconds for seconds, _ in told)[int(0.95 * len(told))])
        platform.wait_phase(revision, "serving", WAIT)
    return {"service_ms": round(1000 * each, 2), "p95_s": p95, "missing_or_wrong": wrong}


def measure_one(name: str, made: BuildResult, folder: Path, rounds: int) -> dict[str, Any]:
    """Serve the forest by one server, wake it, and return the figures beside their bound."""
    row = json.dumps(sklearn_model().facts["example"][0]).encode()
    platform = Platform("3.13")
    home, port = Home(folder / name), free_port()
    join(home, platform.url, platform.token, root="", port=port, pythons=[])
    node = NodeUnderTest(platform, home, port)
    try:
        node.start(Options(bind="127.0.0.1", poll_seconds=1))
        offer(platform, made, folder)
        bounds = {"min_replicas": 0, "max_replicas": 1, "target_inflight": 50}
        only = platform.revision(1, made.bento_digest, weight=10_000, **bounds, **SERVERS[name])
        platform.serve(only, stable="rev_1")
        found = wake(platform, "rev_1", f"http://127.0.0.1:{port}{PATH}/predict", row, rounds)
    finally:
        node.clean()
        platform.close()
    smoke = made.smoke
    cold = smoke.slim_cold_start_seconds if SERVERS[name] else smoke.cold_start_seconds
    assert cold is not None
    bound = GOAL * (cold + AT_ONCE * found["service_ms"] / 1000)
    median = statistics.median(found["p95_s"])
    return {
        **found,
        "p95_s": [round(one, 2) for one in found["p95_s"]],
        "median_p95_s": round(median, 2),
        "cold_start_s": cold,
        "bound_s": round(bound, 2),
        "holds": median <= bound and not found["missing_or_wrong"],
    }


def measure(rounds: int) -> dict[str, Any]:
    """Build the forest once, and measure each server."""
    scaling.QUIET_SECONDS = scaling.REST_SECONDS = REST_SECONDS
    with tempfile.TemporaryDirectory(prefix="placet-waking-") as name:
        folder = Path(name)
        made = build(sklearn_model(), 1, folder)
        return {server: measure_one(server, made, folder, rounds) for server in SERVERS}


def main() -> int:
    """Measure and write the figures; return 1 when one misses its bound."""
    if sys.argv[1:2] == ["--call"]:
        url, row = sys.argv[2:]
        print(json.dumps(asyncio.run(call(url, row.encode(), AT_ONCE))))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--to", type=Path)
    asked = parser.parse_args()
    load, found = os.getloadavg(), measure(asked.rounds)
    tell({"rounds": asked.rounds, "load_before": load, **found}, asked.to)
    return int(not all(one["holds"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())

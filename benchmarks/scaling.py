"""How a node follows a load that rises and falls, with a Bento that waits 50 ms without CPU.

A node with a real HAProxy and sandboxed replicas scales one revision between 1 and 8 replicas, for
two requests in flight each. A process of its own sends requests at random moments (a Poisson
process, seeded) whose rate is a sine between 0 and ``--top`` a second. The figures: the 95th
hundredth of the seconds of an answer, those that failed, and the replica-seconds beside those of
ceil(rate × 0.05 / 2) at each moment. Ends with 1 when these are more than 1.3 times as many, or
that hundredth is above 100 ms.

Usage: python benchmarks/scaling.py [--period SECONDS] [--periods N] [--top RATE] [--seed N]
           [--to FILE]
"""

import argparse
import asyncio
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from placet_agent.state.data_dir import Home  # noqa: E402
from placet_agent.state.joining import join  # noqa: E402
from proofs.record import tell  # noqa: E402
from tests.integration.agent.conftest import (  # noqa: E402
    PATH,
    NodeUnderTest,
    a_platform,
    free_port,
)

SERVICE_SECONDS, TARGET, MOST = 0.05, 2, 8
GOAL_SECONDS, GOAL_RATIO = 0.1, 1.3


def rate_at(seconds: float, period: float, top: float) -> float:
    """Return how many requests a second there are to be after so many seconds."""
    return top / 2 * (1 - math.cos(2 * math.pi * seconds / period))


async def call(url: str, seconds: float, period: float, top: float, seed: int) -> list[float]:
    """Send requests for so long; return the seconds of each answer, -1 of one that failed."""
    chance, told, under_way = random.Random(seed), list[float](), set[asyncio.Task[None]]()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)

    async def once(client: httpx.AsyncClient) -> None:
        began = time.monotonic()
        try:
            answer = await client.get(url)
        except httpx.HTTPError:
            told.append(-1.0)
            return
        told.append(time.monotonic() - began if answer.status_code == 200 else -1.0)

    async with httpx.AsyncClient(limits=limits, timeout=20) as client:
        began, due = time.monotonic(), 0.0
        while due < seconds:  # thinning: Lewis and Shedler, Naval Research Logistics 26, 1979
            due += chance.expovariate(top)
            await asyncio.sleep(max(0.0, began + due - time.monotonic()))
            if chance.random() < rate_at(due, period, top) / top:
                task = asyncio.create_task(once(client))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)
    return told


def from_another_process(words: list[str]) -> list[float]:
    """Return what ``call`` does there."""
    command = [sys.executable, __file__, "--call", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return list(json.loads(done.stdout))


def follow(
    running: Callable[[], int], answers: Future[list[float]], rate: Callable[[float], float]
) -> dict[str, Any]:
    """Count replicas until there are all answers; return these beside what there was."""
    used = needed = 0.0
    began = before = time.monotonic()
    most = 0
    while not answers.done():
        time.sleep(0.1)
        now = time.monotonic()
        count = running()
        used += count * (now - before)
        ideal = max(1, math.ceil(rate(now - began) * SERVICE_SECONDS / TARGET))
        needed, most, before = needed + ideal * (now - before), max(most, count), now
    told = answers.result()
    good = sorted(one for one in told if one >= 0)
    return {
        "requests": len(told),
        "failed": len(told) - len(good),
        "p50_ms": round(1000 * good[len(good) // 2], 1),
        "p95_ms": round(1000 * good[int(0.95 * len(good))], 1),
        "p99_ms": round(1000 * good[int(0.99 * len(good))], 1),
        "replica_seconds": round(used, 1),
        "needed_seconds": round(needed, 1),
        "ratio": round(used / needed, 3),
        "most_replicas": most,
    }


def measure(period: float, periods: int, top: float, seed: int) -> dict[str, Any]:
    """Serve, have it called, and return the figures."""
    platform = a_platform()
    with tempfile.TemporaryDirectory(prefix="placet-scaling-") as folder:
        home, port = Home(Path(folder, "node")), free_port()
        join(home, platform.url, platform.token, root="", port=port, pythons=[])
        node = NodeUnderTest(platform, home, port)
        try:
            node.start()
            bounds = {"max_replicas": MOST, "target_inflight": TARGET}
            only = platform.revision(1, platform.build("waits"), weight=10_000, **bounds)
            platform.serve(only, stable="rev_1")
            platform.wait_phase("rev_1", "serving")
            url = f"http://127.0.0.1:{port}{PATH}/who?ms={round(SERVICE_SECONDS * 1000)}"
            seconds = period * periods
            words = [str(word) for word in (url, seconds, period, top, seed)]
            replicas = node.agent.replicas
            with ThreadPoolExecutor(1) as pool:
                return follow(
                    lambda: sum(not r.stopping for r in list(replicas.of("rev_1"))),
                    pool.submit(from_another_process, words),
                    lambda at: rate_at(at, period, top),
                )
        finally:
            node.clean()
            platform.close()


def main() -> int:
    """Measure and write the figures; return 1 when they miss their goals."""
    if sys.argv[1:2] == ["--call"]:
        url, seconds, period, top, seed = sys.argv[2:]
        told = asyncio.run(call(url, float(seconds), float(period), float(top), int(seed)))
        print(json.dumps(told))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--period", type=float, default=120.0)
    parser.add_argument("--periods", type=int, default=2)
    parser.add_argument("--top", type=float, default=160.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", type=Path)
    asked = parser.parse_args()
    load = os.getloadavg()
    found = measure(asked.period, asked.periods, asked.top, asked.seed)
    how = {name: value for name, value in vars(asked).items() if name != "to"}
    tell({**how, "load_before": load, **found}, asked.to)
    return int(found["ratio"] > GOAL_RATIO or found["p95_ms"] > 1000 * GOAL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())

"""Approved to first prediction beside plain ``bentoml serve``, and rollback under load.

Starts the whole platform and keeps one version live. A round times plain ``bentoml serve`` of the
other version's Bento from start to ready, releases that version to an open environment (its
runtime present on the node) until the endpoint answers with it, and rolls back while four callers
keep calling: the figure is the time from the accepted action to the last answer of the version
that was left. Prints one JSON object.

Usage: python benchmarks/serving.py [--rounds N]
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from apps.operations.demo.load import Load  # noqa: E402
from apps.operations.demo.people import DemoPerson  # noqa: E402
from apps.operations.demo.story import BASE, MODEL, SCIENTIST, DemoStory  # noqa: E402
from tests.support.installation import Running, running  # noqa: E402

ENDED = {"done", "failed", "aborted"}
RATE = 200.0  # requests a second, from four callers
ASK_EVERY = 0.03  # seconds: asking oftener takes the CPU from what is asked
AFTER = 100  # more requests after the rollback, so that no late answer is missed
Version = dict[str, Any]


@dataclass
class Figures:
    """Seconds, one a round."""

    ours: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    failed: int = 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    folder = tempfile.TemporaryDirectory(prefix="placet-bench-")
    with folder as name, running(Path(name) / "data") as placet:
        print(json.dumps({"serving": measure(placet, asked.rounds)}))


def measure(placet: Running, rounds: int) -> dict[str, Any]:
    """Return medians in seconds, the ratio of the two starts, and the slowest rollback."""
    found = Figures()
    operator, scientist = placet.person("operator"), placet.person("contributor")
    story = DemoStory(placet.url, {"operator": operator}, lambda text: None)
    with operator, scientist, scientist.client(SCIENTIST) as client:
        stays, comes = (story.register(client, kind)[0] for kind in ("forest", "boosting"))
        for version in (comes, stays):  # the first releases install the runtime on the node
            story.build(client, version)
            live, _ = release(operator, scientist, version)
        for _ in range(rounds):
            found.plain.append(serve_alone(placet.data, comes))
            newer, seconds = release(operator, scientist, comes)
            found.ours.append(seconds)
            seconds, failed, _ = back(operator, newer, live, stays["example"])
            found.back.append(seconds)
            found.failed += failed
    ours, plain = statistics.median(found.ours), statistics.median(found.plain)
    return {
        "approved_to_first_prediction": round(ours, 3),
        "bentoml_serve_to_ready": round(plain, 3),
        "ratio": round(ours / plain, 3),
        "rollback_to_last_bad_answer": round(statistics.median(found.back), 3),
        "rollback_p99": round(sorted(found.back)[int(0.99 * len(found.back))], 3),
        "failed_requests": found.failed,
        "rounds": rounds,
    }


def release(operator: DemoPerson, scientist: DemoPerson, version: Version) -> tuple[str, float]:
    """Release to the open environment; return which release, and the seconds until it answers."""
    asked = {
        "model": MODEL,
        "version": version["number"],
        "environment": "development",
        "endpoint": "bench",
    }
    begun = time.monotonic()
    made = scientist.do("POST", f"{BASE}/releases", asked)
    place = operator.do("GET", f"/endpoints/{made['endpoint_id']}")
    until(f"{place['url']}/predict", version["example"][0], made["id"])
    seconds = time.monotonic() - begun
    settled(operator)
    return made["id"], seconds


def back(operator: DemoPerson, left: str, restored: str, rows: list[Any]) -> tuple[float, int, int]:
    """Roll back under load; return the seconds to the last answer of ``left``, how many requests
    failed, and how many there were."""
    place = operator.do("GET", f"/releases/{left}")["release"]["endpoint_id"]
    place = operator.do("GET", f"/endpoints/{place}")
    url = f"{place['url']}/predict"
    load = Load(url, rows, rate=RATE)
    load.start()
    try:
        load.until(50)
        operator.do("POST", f"/endpoints/{place['id']}/rollback", {"reason": "measured"})
        accepted = time.monotonic()
        until(url, rows[0], restored)
        settled(operator)
        load.until(load.sent + AFTER)
    finally:
        load.stop()
    return max(0.0, load.last[left] - accepted), load.failed, load.sent


def until(url: str, row: Any, wanted: str) -> None:
    """Call until the release ``wanted`` answers. Raises ``TimeoutError`` after two minutes."""
    end = time.monotonic() + 120
    with httpx.Client(timeout=30) as client:
        while time.monotonic() < end:
            answer = client.post(url, json=row)
            if answer.status_code == 200 and answer.headers.get("x-placet-release") == wanted:
                return
            time.sleep(ASK_EVERY)
    raise TimeoutError(f"{wanted} never answered at {url}")


def settled(operator: DemoPerson) -> None:
    """Return when no rollout is open. Raises ``TimeoutError`` after two minutes."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if all(r["state"] in ENDED for r in operator.do("GET", "/rollouts?limit=5")["items"]):
            return
        time.sleep(0.05)
    raise TimeoutError("a rollout did not end")


def serve_alone(data: Path, version: dict[str, Any]) -> float:
    """Return the seconds of plain ``bentoml serve`` of the same Bento from start to ready."""
    digest = version["bento"].removeprefix("sha256:")
    folder = next(data.glob(f"node/bentos/{digest}/bento"))
    runtime = next(data.glob("node/runtimes/*/home"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [
                str(runtime / "bin" / "python"),
                "-m",
                "bentoml",
                "serve",
                str(folder),
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--api-workers",
                "1",
            ],
            env=environment | {"BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "true"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return ready_after(f"http://127.0.0.1:{port}/readyz")
        finally:
            process.terminate()
            process.wait(30)


def ready_after(url: str) -> float:
    """Return the seconds until ``url`` answers 200. Raises ``TimeoutError`` after two minutes."""
    begun = time.monotonic()
    with httpx.Client(timeout=1) as client:
        while time.monotonic() - begun < 120:
            try:
                if client.get(url).status_code == 200:
                    return time.monotonic() - begun
            except httpx.TransportError:
                pass
            time.sleep(ASK_EVERY)
    raise TimeoutError("bentoml serve did not become ready")


if __name__ == "__main__":
    main()

"""Creating and listing model versions beside ``mlflow server`` on the same PostgreSQL.

Starts the whole platform, and an MLflow tracking server on a database of its own in the same
PostgreSQL, both with two worker processes. Eight callers, each with a model of its own and one
open connection, create versions with one tag (ours with its audit event), then list fifty; the
two servers take turns. Prints one JSON object: medians over the rounds.

Usage: python benchmarks/registry.py [--rounds N] [--calls N]
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from placet.embedded.postgres import SUPERUSER, Cluster  # noqa: E402
from tests.support.installation import Running, running  # noqa: E402

CLIENTS = 8
WORKERS = 2  # what the embedded web process has
SCOPES = ["project.view", "model.view", "version.view", "model.create", "version.create"]
Call = Callable[["Caller"], None]


class Caller:
    """One client: a connection that stays open, and the headers it sends."""

    def __init__(self, url: str, headers: dict[str, str], model: str) -> None:
        place = urlsplit(url)
        assert place.hostname is not None
        self.connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        self.headers = {"Content-Type": "application/json", **headers}
        self.model = model

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request; return the JSON of its 2xx answer."""
        raw = json.dumps(body) if body is not None else None
        self.connection.request(method, path, raw, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert 200 <= answer.status < 300, f"{method} {path}: {answer.status} {text[:500]!r}"
        return json.loads(text)


@dataclass(frozen=True)
class Side:
    """One of the two servers: who calls it, and how."""

    callers: list[Caller]
    create: Call
    find: Call


def placet_side(placet: Running) -> Side:
    """Give each caller a model in the demo's project, and one token to all."""
    expires = (datetime.now(tz=UTC) + timedelta(days=1)).isoformat()
    with placet.person("contributor") as person:
        asked = {"name": "bench", "scopes": SCOPES, "expires_at": expires}
        secret = person.do("POST", "/tokens", asked)["secret"]
        for n in range(CLIENTS):
            person.do("POST", "/projects/clinic/models", {"name": f"bench-{n}"})
    base = "/api/v1/projects/clinic/models"

    def create(c: Caller) -> None:
        body = {"format": "sklearn", "tags": {"stage": "bench"}}
        made = c.ask("POST", f"{base}/{c.model}/versions", body)
        assert made["tags"] == body["tags"]

    def find(c: Caller) -> None:
        found = c.ask("GET", f"{base}/{c.model}/versions?limit=50")["items"]
        assert len(found) == 50 and found[0]["tags"] == {"stage": "bench"}

    headers = {"Authorization": f"Bearer {secret}"}
    callers = [Caller(placet.url, headers, f"bench-{n}") for n in range(CLIENTS)]
    return Side(callers, create, find)


def mlflow_side(url: str) -> Side:
    """Give each caller a registered model."""
    base = "/api/2.0/mlflow"
    callers = [Caller(url, {}, f"bench-{n}") for n in range(CLIENTS)]
    for c in callers:
        c.ask("POST", f"{base}/registered-models/create", {"name": c.model})

    def create(c: Caller) -> None:
        tag = {"key": "stage", "value": "bench"}
        body = {"name": c.model, "source": "s3://bench/model", "tags": [tag]}
        made = c.ask("POST", f"{base}/model-versions/create", body)["model_version"]
        assert made["tags"] == [tag]

    def find(c: Caller) -> None:
        asked = quote(f"name='{c.model}'")
        place = f"{base}/model-versions/search?max_results=50&filter={asked}"
        assert len(c.ask("GET", place)["model_versions"]) == 50

    return Side(callers, create, find)


@contextmanager
def mlflow_server(placet: Running, folder: Path) -> Iterator[str]:
    """Run ``mlflow server`` on a database of its own in the platform's PostgreSQL."""
    cluster = Cluster.at(placet.data)
    with psycopg.connect(cluster.url(SUPERUSER), autocommit=True) as connection:
        connection.execute("CREATE DATABASE mlflow")
    address = cluster.url(SUPERUSER, "mlflow").removeprefix("postgresql")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        f"postgresql+psycopg{address}",
        "--port",
        str(port),
        "--workers",
        str(WORKERS),
        "--artifacts-destination",
        str(folder),
    ]
    with (folder / "mlflow.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ}, start_new_session=True
        )
        try:
            url = f"http://localhost:{port}"
            until_it_answers(url, process, folder / "mlflow.log")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def until_it_answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait for ``/health``. Raises ``TimeoutError`` after two minutes."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            Caller(url, {}, "").connection.connect()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(log.read_text())


def turn(side: Side, call: Call, calls: int) -> tuple[float, list[float]]:
    """Let every caller make its share of ``calls``; return the rate and all durations."""

    def share(caller: Caller) -> list[float]:
        took = []
        caller.connection.close()  # the server has closed what was idle; the next call opens it
        for _ in range(calls // CLIENTS):
            begun = time.perf_counter()
            call(caller)
            took.append(time.perf_counter() - begun)
        return took

    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        took = [t for part in pool.map(share, side.callers) for t in part]
    return len(took) / (time.perf_counter() - begun), took


def compare(sides: dict[str, Side], name: str, rounds: int, calls: int) -> dict[str, Any]:
    """Take turns; return rates, their ratio and the 99th percentile of each."""
    rates: dict[str, list[float]] = {who: [] for who in sides}
    took: dict[str, list[float]] = {who: [] for who in sides}
    for _ in range(rounds):
        for who, side in sides.items():
            rate, seconds = turn(side, getattr(side, name), calls)
            rates[who].append(rate)
            took[who] += seconds
    ratios = [a / b for a, b in zip(rates["placet"], rates["mlflow"], strict=True)]
    return {
        "ratio": round(statistics.median(ratios), 2),
        **{f"{who}_per_second": round(statistics.median(r), 1) for who, r in rates.items()},
        **{
            f"{who}_p99_ms": round(statistics.quantiles(t, n=100)[98] * 1000, 1)
            for who, t in took.items()
        },
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=400, help="a turn: at least 400 for the lists")
    asked = parser.parse_args()
    folder = tempfile.TemporaryDirectory(prefix="placet-bench-")
    with (
        folder as name,
        running(Path(name) / "data") as placet,
        mlflow_server(placet, Path(name)) as url,
    ):
        sides = {"placet": placet_side(placet), "mlflow": mlflow_side(url)}
        for side in sides.values():  # both have answered before anything is counted
            turn(side, side.create, CLIENTS)
        found = {
            what: compare(sides, what, asked.rounds, asked.calls) for what in ("create", "find")
        }
    print(json.dumps({"registry": found}))


if __name__ == "__main__":
    main()

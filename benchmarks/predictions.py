"""One-row predictions of a 50-tree forest beside ``mlflow models serve`` and a service by hand.

Starts the whole platform with the forest behind two endpoints, once as it is and once accelerated
(as ONNX), an ``mlflow models serve`` of the same model, and a BentoML service of a few lines as one
would write it by hand, in the same runtime. All of them have one worker. Eight callers with one
open connection each ask for one row at a time; the servers take turns; every answer is compared
with the model's own. ``gateway`` is one caller asking the replica directly, around HAProxy, in
turns with the endpoint. Prints one JSON object: medians over the rounds.

Usage: python benchmarks/predictions.py [--rounds N] [--calls N]
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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from apps.operations.demo.story import BASE, MODEL, SCIENTIST, DemoStory  # noqa: E402
from tests.support.installation import Running, running, signed_in  # noqa: E402

CLIENTS = 8
BY_HAND = """
import bentoml, joblib, pandas as pd

@bentoml.service
class Forest:
    def __init__(self):
        self.model = joblib.load("model.joblib")

    @bentoml.api
    def predict(self, rows: list[dict]) -> list[int]:
        return self.model.predict(pd.DataFrame(rows)).tolist()
"""


@dataclass(frozen=True)
class Server:
    """Where one row is asked for, how the request is written, and where the answer stands."""

    url: str
    wrap: str  # of the request: row, rows, split
    inside: str = ""  # of the answer: the member that holds the predictions

    def body(self, row: dict[str, Any]) -> bytes:
        """Return the request for one row."""
        if self.wrap == "split":
            split = {"columns": list(row), "data": [list(row.values())]}
            return json.dumps({"dataframe_split": split}).encode()
        return json.dumps(row if self.wrap == "row" else {"rows": [row]}).encode()

    def read(self, answer: bytes) -> Any:
        """Return the prediction."""
        found = json.loads(answer)
        found = found[self.inside] if self.inside else found
        return found[0] if isinstance(found, list) else found


def ask(server: Server, rows: list[dict[str, Any]], expected: list[Any], calls: int) -> list[float]:
    """Ask for one row after the other on one connection; return the seconds of each."""
    place, took = urlsplit(server.url), []
    bodies = [server.body(row) for row in rows]
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    for n in range(calls):
        begun = time.perf_counter()
        connection.request(
            "POST", place.path, bodies[n % len(rows)], {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        raw = answer.read()
        took.append(time.perf_counter() - begun)
        assert answer.status == 200, f"{server.url}: {answer.status} {raw[:300]!r}"
        assert server.read(raw) == expected[n % len(rows)], f"{server.url}: {raw[:300]!r}"
    connection.close()
    return took


def turn(server: Server, rows: Any, expected: Any, calls: int) -> float:
    """Let eight callers ask at once; return predictions a second."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _: ask(server, rows, expected, calls // CLIENTS), range(CLIENTS)))
    return calls // CLIENTS * CLIENTS / (time.perf_counter() - begun)


@contextmanager
def started(command: list[str], folder: Path, ready: str) -> Iterator[None]:
    """Run a server in ``folder`` until it answers at ``ready``; end it and its children."""
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=log,
            stderr=log,
            process_group=0,
            env={k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
            | {
                "BENTOML_HOME": str(folder / "home"),
                "BENTOML_DO_NOT_TRACK": "true",
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },  # for uvicorn
        )
        try:
            until_ready(ready, process, folder / "server.log")
            yield
        finally:
            process.terminate()
            process.wait(30)


def until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return when ``url`` answers 200. Raises ``TimeoutError`` after two minutes."""
    place, end = urlsplit(url), time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=5)
            connection.request("GET", place.path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError(log.read_text())


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ours(placet: Running, folder: Path) -> tuple[dict[str, Server], list[Any], list[Any]]:
    """Put the forest behind two endpoints; return them, the direct way to one, rows, answers."""
    with signed_in(placet) as people, people["contributor"].client(SCIENTIST) as client:
        story, operator = DemoStory(placet.url, people, lambda text: None), people["operator"]
        servers: dict[str, Server] = {}
        for name, accelerate in (("plain", False), ("accelerated", True)):
            version, rows = story.register(client, "forest")
            begun = client.post(f"{version['path']}/builds", {"accelerate": accelerate})
            built = client.wait(
                f"/builds/{begun['id']}",
                lambda b: b["state"] not in ("queued", "running"),
                seconds=900,
                every=0.5,
            )
            assert built["state"] == "succeeded", built["error"]
            asked = {
                "model": MODEL,
                "version": version["number"],
                "endpoint": name,
                "environment": "development",
            }
            made = people["contributor"].do("POST", f"{BASE}/releases", asked)
            story.until_live(client, made["id"])
            place = operator.do("GET", f"/endpoints/{made['endpoint_id']}")
            servers[name] = Server(f"{place['url']}/predict", "row", "prediction")
    records = [json.loads(p.read_text()) for p in placet.data.glob("node/replicas/*.json")]
    first = min(records, key=lambda record: str(record["revision"]))  # ids grow: the plain one
    servers["direct"] = Server(f"http://127.0.0.1:{first['port']}/predict", "row", "prediction")
    return servers, rows, version["expected"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=800, help="a turn")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="placet-bench-")))
        placet = stack.enter_context(running(folder / "data"))
        servers, rows, expected = ours(placet, folder)
        servers |= others(stack, placet, folder)
        direct = servers.pop("direct")
        rates: dict[str, list[float]] = {name: [] for name in servers}
        added = []
        for _ in range(asked.rounds):
            for name, server in servers.items():
                rates[name].append(turn(server, rows, expected, asked.calls))
            through, past = (
                statistics.median(ask(s, rows, expected, 200)) for s in (servers["plain"], direct)
            )
            added.append((through - past) * 1000)
    found = {name: round(statistics.median(r), 1) for name, r in rates.items()}
    ratio = {
        f"{name}_to_{other}": round(
            statistics.median(a / b for a, b in zip(rates[name], rates[other], strict=True)), 2
        )
        for name in ("plain", "accelerated")
        for other in ("mlflow", "by_hand")
    }
    gateway = round(statistics.median(added), 3)
    print(json.dumps({"predictions": {**found, **ratio, "gateway_p50_ms": gateway}}))


def others(stack: ExitStack, placet: Running, folder: Path) -> dict[str, Server]:
    """Start the two servers that the endpoints are compared with, on the same model file."""
    model, hand = folder / "mlflow", folder / "hand"
    example = [sys.executable, str(ROOT / "examples" / "breast_cancer.py"), "forest", str(hand)]
    subprocess.run(example, check=True)
    save = (
        "import joblib, mlflow, sys\n"
        "mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2],"
        " serialization_format='cloudpickle')\n"
    )
    command = [sys.executable, "-c", save, str(hand / "model.joblib"), str(model)]
    subprocess.run(command, check=True, capture_output=True)
    (hand / "service.py").write_text(BY_HAND)
    runtime = next(placet.data.glob("node/runtimes/*/home/bin/python"))
    ports = free_port(), free_port()
    serve = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        str(model),
        "--port",
        str(ports[0]),
        "--env-manager",
        "local",
        "--workers",
        "1",
    ]
    stack.enter_context(started(serve, folder, f"http://127.0.0.1:{ports[0]}/ping"))
    serve = [
        str(runtime),
        "-m",
        "bentoml",
        "serve",
        "service:Forest",
        "--host",
        "127.0.0.1",
        "--port",
        str(ports[1]),
    ]
    stack.enter_context(started(serve, hand, f"http://127.0.0.1:{ports[1]}/readyz"))
    return {
        "mlflow": Server(f"http://127.0.0.1:{ports[0]}/invocations", "split", "predictions"),
        "by_hand": Server(f"http://127.0.0.1:{ports[1]}/predict", "rows"),
    }


if __name__ == "__main__":
    main()

"""One-row predictions of a 50-tree forest beside ``mlflow models serve`` and services by hand.

Starts the whole platform with the forest behind four endpoints: as it is and accelerated (as ONNX),
each served by BentoML and slim. Beside them ``mlflow models serve`` of the same model and BentoML
services of a few lines as one would write them by hand, of the forest and of the same ONNX file, in
the same runtimes. All of them have one worker and share one core; eight connections of ``wrk`` on a
core of its own ask for one row at a time, the servers take turns, and every answer is compared.
Prints one JSON object: of each the medians of the rounds, with the CPU time of its processes
(HAProxy's too) a request, and ratios of the rates, round by round.

Usage: python benchmarks/predictions.py [--rounds N] [--seconds S] [--to FILE]
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
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from apps.operations.demo.story import BASE, MODEL, SCIENTIST, DemoStory  # noqa: E402
from benchmarks.callers import Server, Turn, stay_on_first_core, turn  # noqa: E402
from proofs.record import commit  # noqa: E402
from tests.support.installation import Running, running, signed_in  # noqa: E402

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
BY_HAND_ONNX = """
import bentoml, numpy, onnxruntime

@bentoml.service
class Forest:
    def __init__(self):
        self.session = onnxruntime.InferenceSession("model.onnx")
        self.name = self.session.get_inputs()[0].name

    @bentoml.api
    def predict(self, rows: list[dict]) -> list[int]:
        table = numpy.array([list(row.values()) for row in rows], dtype=numpy.float32)
        return self.session.run(None, {self.name: table})[0].tolist()
"""
KINDS = {
    "plain": (False, {}),
    "plain_slim": (False, {"server": "slim"}),
    "accelerated": (True, {}),
    "accelerated_slim": (True, {"server": "slim"}),
}


@contextmanager
def started(command: list[str], folder: Path, ready: str, server: Server) -> Iterator[Server]:
    """Run a server in ``folder``, on a port of its own, until it answers at ``ready``; end it and
    its children. ``server`` names its path alone."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
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
            until_ready(url + ready, process, folder / "server.log")
            children = partial(with_children, process.pid)
            yield replace(server, url=url + server.url, processes=children)
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


def with_children(pid: int) -> list[psutil.Process]:
    """Return a process and all below it."""
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def serving(placet: Running, release: str) -> Callable[[], list[psutil.Process]]:
    """Return who finds the processes that answer for a release: HAProxy and its replicas."""
    haproxy = str(placet.data / "node" / "haproxy")

    def found() -> list[psutil.Process]:
        chosen = []
        records = (placet.data / "node" / "replicas").glob("*.json")
        names = {p.stem for p in records if json.loads(p.read_text())["release"] == release}
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("PLACET_REPLICA") in names
                if ours or (process.name() == "haproxy" and process.cwd() == haproxy):
                    chosen.append(process)
            except psutil.Error:
                continue
        assert len(chosen) > 1, "HAProxy and at least one replica"
        return chosen

    return found


def built(client: Any, path: str, accelerate: bool) -> None:
    """Build a version and wait until it is. Raises ``AssertionError`` when it failed."""
    begun = client.post(f"{path}/builds", {"accelerate": accelerate})
    done = client.wait(
        f"/builds/{begun['id']}",
        lambda b: b["state"] not in ("queued", "running"),
        seconds=900,
        every=0.5,
    )
    assert done["state"] == "succeeded", done["error"]


def released(
    placet: Running, people: Any, client: Any, version: Any, endpoint: str, config: dict[str, Any]
) -> Server:
    """Put a version behind an endpoint with a serving configuration; return it when it is live."""
    asked = {
        "model": MODEL,
        "version": version["number"],
        "endpoint": endpoint,
        "environment": "development",
        "serving": config,
    }
    made = people["contributor"].do("POST", f"{BASE}/releases", asked)
    DemoStory(placet.url, people, lambda text: None).until_live(client, made["id"])
    place = people["operator"].do("GET", f"/endpoints/{made['endpoint_id']}")
    processes = serving(placet, made["id"])
    return Server(f"{place['url']}/predict", "row", "prediction", processes)


def ours(placet: Running) -> tuple[dict[str, Server], list[Any], list[Any]]:
    """Put the forest behind four endpoints; return them, rows and answers."""
    with signed_in(placet) as people, people["contributor"].client(SCIENTIST) as client:
        story = DemoStory(placet.url, people, lambda text: None)
        servers: dict[str, Server] = {}
        versions: dict[bool, Any] = {}
        for name, (accelerate, config) in KINDS.items():
            if accelerate not in versions:
                versions[accelerate], rows = story.register(client, "forest")
                built(client, versions[accelerate]["path"], accelerate)
            named = name.replace("_", "-")
            servers[name] = released(placet, people, client, versions[accelerate], named, config)
    return servers, rows, versions[True]["expected"]


def others(stack: ExitStack, placet: Running, folder: Path) -> dict[str, Server]:
    """Start the servers that the endpoints are compared with, on the same model files."""
    model, hand, onnx = (folder / name for name in ("mlflow", "hand", "onnx"))
    example = [sys.executable, str(ROOT / "examples" / "breast_cancer.py"), "forest", str(hand)]
    subprocess.run(example, check=True)
    save = (
        "import joblib, mlflow, sys\n"
        "mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2],"
        " serialization_format='cloudpickle')\n"
    )
    command = [sys.executable, "-c", save, str(hand / "model.joblib"), str(model)]
    subprocess.run(command, check=True, capture_output=True)
    onnx.mkdir()
    (served,) = placet.data.glob("node/bentos/*/bento/src/**/accelerated.onnx")
    (onnx / "model.onnx").write_bytes(served.read_bytes())
    (hand / "service.py").write_text(BY_HAND)
    (onnx / "service.py").write_text(BY_HAND_ONNX)
    serve = ["mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    invocations = Server("/invocations", "split", "predictions")
    mlflow = started([sys.executable, "-m", *serve, "--workers", "1"], folder, "/ping", invocations)
    found = {"mlflow": stack.enter_context(mlflow)}
    for name, place in (("by_hand", hand), ("by_hand_onnx", onnx)):
        python = runtime(placet, "onnxruntime" if place == onnx else "sklearn")
        command = [python, "-m", "bentoml", "serve", "service:Forest", "--host", "127.0.0.1"]
        found[name] = stack.enter_context(
            started(command, place, "/readyz", Server("/predict", "rows"))
        )
    return found


def runtime(placet: Running, package: str) -> str:
    """Return the Python of a runtime that the node serves with, which has a package."""
    for python in placet.data.glob("node/runtimes/*/home/bin/python"):
        if any((python.parents[1] / "lib").glob(f"python*/site-packages/{package}")):
            return str(python)
    raise AssertionError(f"no runtime has {package}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="a turn")
    parser.add_argument("--to", type=Path, help="a file that gets the figures too")
    asked = parser.parse_args()
    core = stay_on_first_core()
    turns: dict[str, list[Turn]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="placet-bench-")))
        placet = stack.enter_context(running(folder / "data"))
        servers, rows, expected = ours(placet)
        servers |= others(stack, placet, folder)
        for n in range(asked.rounds):
            for name, server in servers.items():
                seen = turn(
                    server, rows[n % len(rows)], expected[n % len(rows)], asked.seconds, core
                )
                turns.setdefault(name, []).append(seen)
    found = {
        "commit": commit(),
        "servers": {
            name: {
                figure: round(statistics.median(asdict(each)[figure] for each in some), 3)
                for figure in ("rate", "p50", "p99", "cpu")
            }
            for name, some in turns.items()
        },
        "ratios": ratios(turns),
    }
    text = json.dumps({"predictions": found})
    print(text)
    if asked.to:
        asked.to.write_text(text + "\n")


def ratios(turns: dict[str, list[Turn]]) -> dict[str, list[float]]:
    """Return how many times the rate of each other server each endpoint has: the median of the
    rounds, the lowest and the highest."""
    found = {}
    for name in KINDS:
        for other in turns.keys() - KINDS.keys():
            pairs = zip(turns[name], turns[other], strict=True)
            of = sorted(a.rate / b.rate for a, b in pairs)
            figures = statistics.median(of), of[0], of[-1]
            found[f"{name}_to_{other}"] = [round(figure, 2) for figure in figures]
    return dict(sorted(found.items()))


if __name__ == "__main__":
    main()

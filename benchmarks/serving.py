"""Approved to first prediction beside plain ``bentoml serve``, and rollback.

Starts the whole platform, releases two versions to an open environment, and alternates: a release
of the other version (its runtime and Bento present) against ``bentoml serve`` of the same Bento
from start to ready. Then rolls back to a warm revision. Prints one JSON object.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from placet.demo.people import Person  # noqa: E402
from placet.demo.story import BASE, MODEL, SCIENTIST, Story  # noqa: E402
from placet_client import Client  # noqa: E402
from tests.running import Running, running  # noqa: E402

ROUNDS = 5


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as name:
        data = Path(name) / "data"
        with running(data) as placet:
            print(json.dumps({"serving": measure(placet)}))


def measure(placet: Running) -> dict[str, Any]:
    """Return medians in seconds, and the ratio of the two starts."""
    people = {role: placet.person(role) for role in placet.people}
    story = Story(placet.url, people, lambda text: None)
    with people["contributor"].client(SCIENTIST) as client:
        versions = [story.register(client, kind)[0] for kind in ("forest", "boosting")]
        for version in versions:
            story.build(client, version)
        ours, plain, back = [], [], []
        for version in versions:  # the first releases install the runtime on the node
            release(client, people, version)
        for number in range(ROUNDS):
            version = versions[number % 2]
            plain.append(serve_alone(placet.data, version))
            ours.append(release(client, people, version))
            back.append(roll_back(people["operator"], client))
    for person in people.values():
        person.http.close()
    return {
        "approved_to_first_prediction": round(statistics.median(ours), 3),
        "bentoml_serve_to_ready": round(statistics.median(plain), 3),
        "ratio": round(statistics.median(ours) / statistics.median(plain), 3),
        "rollback_to_last_bad_answer": round(statistics.median(back), 3),
        "rounds": ROUNDS,
    }


def release(client: Client, people: dict[str, Person], version: dict[str, Any]) -> float:
    """Release to the open environment; return the seconds until the endpoint answers with it."""
    model = f"{MODEL}:{version['number']}"
    begun = time.monotonic()
    asked = client.post(
        f"{BASE}/releases",
        {"model": MODEL, "version": version["number"], "environment": "development",
         "endpoint": "bench"},
    )  # fmt: skip
    url = endpoint(people["operator"], asked["endpoint_id"])["url"] + "/predict"
    until(url, version["example"][0], model)
    seconds = time.monotonic() - begun
    client.wait(f"/releases/{asked['id']}", lambda r: r["release"]["state"] == "live", every=0.05)
    wait_for_rollouts(client)
    return seconds


def roll_back(operator: Person, client: Client) -> float:
    """Roll the endpoint back; return the seconds until the last answer of the bad revision."""
    live = next(
        r for r in client.every("/releases", environment="development") if r["state"] == "live"
    )
    place = endpoint(operator, live["endpoint_id"])
    row = client.get(f"{BASE}/models/{MODEL}/versions/{live['version']}")["example"][0]
    begun = last = time.monotonic()
    operator.do("POST", f"/endpoints/{place['id']}/rollback", {"reason": "measured"})
    bad = f"{MODEL}:{live['version']}"
    good = 0
    while good < 20:
        answer = httpx.post(f"{place['url']}/predict", json=row, timeout=30)
        if answer.headers.get("x-placet-model") == bad:
            last, good = time.monotonic(), 0
        else:
            good += 1
    wait_for_rollouts(client)
    return last - begun


def endpoint(operator: Person, endpoint_id: str) -> dict[str, Any]:
    """Return the endpoint as the API shows it."""
    return operator.do("GET", f"/endpoints/{endpoint_id}")


def until(url: str, row: dict[str, Any], model: str) -> None:
    """Call until ``model`` answers."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        answer = httpx.post(url, json=row, timeout=30)
        if answer.status_code == 200 and answer.headers.get("x-placet-model") == model:
            return
        time.sleep(0.01)
    raise TimeoutError(f"{model} never answered at {url}")


def wait_for_rollouts(client: Client) -> None:
    """Return when no rollout is open."""
    ended = {"done", "failed", "aborted"}
    while any(r["state"] not in ended for r in client.get("/rollouts", limit=5)["items"]):
        time.sleep(0.05)


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
            [str(runtime / "bin" / "python"), "-m", "bentoml", "serve", str(folder),
             "--host", "127.0.0.1", "--port", str(port), "--api-workers", "1"],
            env=environment | {"BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "true"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        begun = time.monotonic()
        try:
            while time.monotonic() - begun < 120:
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=1).status_code == 200:
                        return time.monotonic() - begun
                except httpx.TransportError:
                    time.sleep(0.01)
            raise TimeoutError("bentoml serve did not become ready")
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()

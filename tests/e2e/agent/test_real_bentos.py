"""Real BentoML services, built by the pipeline, served by a node and exchanged under load."""

import http.client
import io
import json
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import joblib
import pytest

from apps.registry.store import Store
from placet_agent.loop import Agent, Options, stop_everything
from placet_agent.state.data_dir import Home
from placet_agent.state.joining import join
from tests.integration.agent.conftest import PATH, free_port
from tests.integration.agent.control import Platform
from tests.support.bentos import build, served
from tests.support.cache import RUNTIMES
from tests.support.models import Trained, breast_cancer, forest, sklearn_model
from workers.builder.spec import BuildResult

pytestmark = [pytest.mark.e2e]


def another_model() -> Trained:
    """Return a model with the same signature that says the opposite of the first."""
    features, labels = breast_cancer()
    file = io.BytesIO()
    model = forest(features, 1 - labels)
    joblib.dump(model, file)
    first = sklearn_model()
    chances = model.predict_proba(features.head(5))[:, 1]
    expected = [
        {"prediction": int(label), "probability": float(chance)}
        for label, chance in zip(model.predict(features.head(5)), chances, strict=True)
    ]
    return replace(
        first, files={"model.joblib": file.getvalue()}, facts={**first.facts, "expected": expected}
    )


def offer(platform: Platform, made: BuildResult, folder: Path) -> None:
    """Let nodes fetch a Bento and its runtime."""
    store, runtime = Store(folder / "store"), made.runtime
    platform.python_version, platform.runtime = runtime.python_version, runtime.digest
    wheels = [{"name": w.name, "sha256": w.sha256, "size": w.size} for w in runtime.wheels]
    platform.manifest = {
        "python_version": runtime.python_version,
        "lock": runtime.lock,
        "wheels": wheels,
    }
    for sha256 in (made.bento.sha256, *(w.sha256 for w in runtime.wheels)):
        platform.blobs[sha256] = store.path(sha256).read_bytes()


class Callers:
    """Four connections that predict for ever, two of them new for each request."""

    def __init__(self, port: int, row: dict[str, Any]) -> None:
        self.port, self.body = port, json.dumps(row)
        self.revisions: Counter[str] = Counter()
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n % 2 == 0,)) for n in range(4)]
        for thread in self._threads:
            thread.start()

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return self.revisions.total() + len(self.failures)

    def stop(self) -> None:
        """End."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, fresh: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json"}
        while not self._stop.is_set():
            try:
                connection.request("POST", f"{PATH}/predict", self.body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    raise ConnectionError(str(answer.status))
                self.revisions[answer.headers["X-Placet-Revision"]] += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            if fresh:
                connection.close()
        connection.close()


def test_real_bentos_are_served_equal_and_exchanged_without_a_lost_request(
    platform: Platform, tmp_path: Path
) -> None:
    models = [sklearn_model(), another_model()]
    made = [build(model, n, tmp_path) for n, model in enumerate(models, start=1)]
    for one in made:
        offer(platform, one, tmp_path)
    plain = seconds_of_plain_serve(made[0], tmp_path)
    home, port = Home(tmp_path / "node"), free_port()
    join(home, platform.url, platform.token, root="", port=port, pythons=[])
    agent = Agent(home, Options(bind="127.0.0.1", poll_seconds=1))
    thread = threading.Thread(target=agent.run)
    thread.start()
    try:
        drive(platform, models, made, port, plain)
    finally:
        agent.stop()
        thread.join()
        stop_everything(home)
        for replica in agent.replicas.all.values():
            assert replica.child is not None
            replica.child.wait(10)
        assert not agent.proxy.process.alive


def drive(
    platform: Platform, models: list[Trained], made: list[BuildResult], port: int, plain: float
) -> None:
    """Serve the first by BentoML, then the second slim over it under load."""
    everything = {"percent": 100, "redact": []}
    one = platform.revision(1, made[0].bento_digest, weight=10_000, capture=everything)
    two = platform.revision(2, made[1].bento_digest, capture=everything, server="slim")
    platform.prefetch = [{"bento_digest": one["bento_digest"], "runtime_digest": platform.runtime}]
    platform.publish()
    platform.wait(lambda: platform.reports and platform.reports[-1]["prefetched"], 300)
    platform.serve(one)
    platform.wait_phase("rev_1", "serving", 120)
    ready = platform.reports[-1]["arrived"] - platform.published_at
    print(f"state to serving {ready:.2f} s, plain bentoml serve {plain:.2f} s")
    check_answers(port, models[0], "rel_1")

    callers = Callers(port, models[0].facts["example"][0])
    platform.serve(one, two)
    platform.wait_phase("rev_2", "ready", 120)
    platform.serve({**one, "weight": 0}, {**two, "weight": 10_000})
    platform.wait_phase("rev_2", "serving")
    shifted = platform.reports[-1]["arrived"] - platform.published_at
    platform.serve({**one, "weight": 0, "wanted": "stop"}, {**two, "weight": 10_000})
    platform.wait_phase("rev_1", "stopped", 60)
    end = time.monotonic() + 120
    while callers.sent < 2_000 and time.monotonic() < end:
        time.sleep(0.05)
    callers.stop()
    print(f"traffic shifted in {shifted:.3f} s, {callers.sent} requests, {callers.revisions}")

    assert callers.failures == []
    assert callers.sent >= 2_000
    assert set(callers.revisions) == {"rev_1", "rev_2"}
    check_answers(port, models[1], "rel_2")
    check_captured(platform, models[0], callers.revisions)


def check_captured(platform: Platform, model: Trained, answered: Counter[str]) -> None:
    """Every answer of both revisions arrived once, those to whole examples too."""
    expected = answered + Counter({"rev_1": 1, "rev_2": 1})
    platform.wait(lambda: len(captured(platform)) == expected.total())
    lines = captured(platform)
    assert Counter(line["revision"] for line in lines) == expected
    assert len({line["id"] for line in lines}) == len(lines)
    whole = [line for line in lines if line["rows"] == len(model.facts["example"])]
    assert len(whole) == 2
    assert all(json.loads(line["inputs"]) == model.facts["example"] for line in whole)
    assert all(line["unit"] is None and line["dropped"] == 0 for line in lines)


def captured(platform: Platform) -> list[Any]:
    """Return every line that arrived."""
    arrived = list(platform.captured.values())  # more arrives meanwhile
    return [json.loads(line) for raw in arrived for line in raw.splitlines()]


def check_answers(port: int, model: Trained, release: str) -> None:
    """Every example row is answered as the model's author expects, and names its release."""
    answer = httpx.post(
        f"http://127.0.0.1:{port}{PATH}/predict",
        json={"instances": model.facts["example"]},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Placet-Release"] == release
    for got, expected in zip(answer.json()["predictions"], model.facts["expected"], strict=True):
        assert got["prediction"] == expected["prediction"]
        assert got["probability"] == pytest.approx(expected["probability"])


def seconds_of_plain_serve(made: BuildResult, folder: Path) -> float:
    """Return how long plain ``bentoml serve`` takes to be ready on this machine."""
    archive = Store(folder / "store").path(made.bento.sha256)
    python = RUNTIMES / made.runtime.digest.removeprefix("sha256:") / "bin" / "python"
    began = time.monotonic()
    with served(archive, python, folder / "plain"):
        return time.monotonic() - began

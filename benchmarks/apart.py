"""``make prove``: what it costs to keep replicas apart, beside the release before.

Two nodes with the same real Bentos take turns, one with the agent of ``FORMER``, taken from git,
one with this checkout's. In each round each of them starts a revision (seconds from the signed
state to *serving*), answers four callers for some seconds (requests a second), and goes back from
a second revision to the first under load (seconds from the signed state to the last answer of the
second). Which goes first changes from round to round. What counts is the median of the rounds'
ratios, new to old, with its interval by the order of the ratios (the sign test's, 95 %).

Written to ``benchmarks/results/apart-DATE-COMMIT.json``; 1 when a figure is more than 5 % worse and
its interval does not reach 1, or is wider than 10 % to a side.
"""

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")
import django  # noqa: E402

django.setup()  # for what builds: it reads settings and no database

from benchmarks.intervals import interval  # noqa: E402
from placet_agent.loop import stop_everything  # noqa: E402
from placet_agent.state.data_dir import Home  # noqa: E402
from placet_agent.state.joining import join  # noqa: E402
from proofs.record import commit  # noqa: E402
from tests.e2e.agent.test_real_bentos import another_model, build, offer  # noqa: E402
from tests.integration.agent.conftest import PATH, free_port  # noqa: E402
from tests.integration.agent.control import Platform  # noqa: E402
from tests.integration.agent.former import FORMER, former_code  # noqa: E402
from tests.support.models import sklearn_model  # noqa: E402

CALLERS, SECONDS = 4, 4.0
# figure → whether more of it is better
FIGURES = {"ready_seconds": False, "requests_a_second": True, "rollback_seconds": False}
Answer = tuple[float, str]


@dataclass
class Node:
    """One of the two: an agent's code, its folder, and a platform of its own."""

    code: Path
    home: Path
    row: dict[str, Any]
    platform: Platform = field(default_factory=lambda: Platform("3.13"))
    number: int = 0
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, bentos: list[Any], store: Path) -> None:
        """Join, run the agent, and have both Bentos and their runtime lie ready."""
        for bento in bentos:
            offer(self.platform, bento, store)
        join(
            Home(self.home),
            self.platform.url,
            self.platform.token,
            root="",
            port=self.port,
            pythons=[],
        )
        path = f"{self.code / 'platform'}:{self.code}"
        with (self.home / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "placet_agent",
                    "run",
                    "--data",
                    str(self.home),
                    "--bind",
                    "127.0.0.1",
                ],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
                stdout=log,
                stderr=log,
            )
        runtime = self.platform.runtime
        self.platform.prefetch = [
            {"bento_digest": b.bento_digest, "runtime_digest": runtime} for b in bentos
        ]
        self.platform.publish()
        self.platform.wait(
            lambda: self.platform.reports and len(self.platform.reports[-1]["prefetched"]) == 2, 600
        )

    def round(self, bentos: list[Any]) -> dict[str, float]:
        """Start, answer, go back, stop; return the figures."""
        self.number += 2
        name, other = f"rev_{self.number}", f"rev_{self.number + 1}"
        one = self.platform.revision(self.number, bentos[0].bento_digest, weight=10_000)
        two = self.platform.revision(self.number + 1, bentos[1].bento_digest)
        self.platform.serve(one, stable=name)
        self.platform.wait_phase(name, "serving", 120)
        ready = self.platform.reports[-1]["arrived"] - self.platform.published_at
        answers = Callers(self.port, self.row).during(SECONDS)
        self.platform.serve(one, two, stable=name)
        self.platform.wait_phase(other, "ready", 120)
        back = self._go_back(one, two, name, other)
        self.platform.serve(one | {"weight": 0, "wanted": "stop"})
        self.platform.wait_phase(name, "stopped", 60)
        return {
            "ready_seconds": ready,
            "requests_a_second": len(answers) / SECONDS,
            "rollback_seconds": back,
        }

    def _go_back(self, one: dict[str, Any], two: dict[str, Any], name: str, other: str) -> float:
        self.platform.serve(one | {"weight": 0}, two | {"weight": 10_000}, stable=name)
        self.platform.wait(lambda: self.platform.seen(other)["weight"] == 10_000)
        callers = Callers(self.port, self.row)
        callers.start()
        time.sleep(0.5)
        self.platform.serve(one, two, stable=name)
        at = self.platform.published_at
        self.platform.wait(lambda: self.platform.seen(name)["weight"] == 10_000)
        time.sleep(0.5)
        answers = callers.stop()
        return max((when for when, who in answers if who == other), default=at) - at

    def end(self) -> None:
        """End everything of this node."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        stop_everything(Home(self.home))
        self.platform.close()


class Callers:
    """Connections that predict one after another, each in a thread."""

    def __init__(self, port: int, row: dict[str, Any]) -> None:
        self.port, self.body = port, json.dumps(row)
        self.answers: list[Answer] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CALLERS)]

    def during(self, seconds: float) -> list[Answer]:
        """Call for so long; return when each answer came and whose it is."""
        self.start()
        time.sleep(seconds)
        return self.stop()

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[Answer]:
        """End, and return the answers."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.answers

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json"}
        while not self._over.is_set():
            connection.request("POST", f"{PATH}/predict", self.body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"an answer of status {answer.status}")
            self.answers.append((time.monotonic(), answer.headers["X-Placet-Revision"]))
        connection.close()


def judged(rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Return each figure's medians and ratio, and whether it is what it must be."""
    told = {}
    for name, more_is_better in FIGURES.items():
        ratios = [one["new"][name] / one["old"][name] for one in rounds]
        low, high = interval(ratios)
        middle = statistics.median(ratios)
        worse = middle < 0.95 if more_is_better else middle > 1.05
        reaches = low <= 1 <= high and low >= 0.9 and high <= 1.1
        better = low > 1 if more_is_better else high < 1
        told[name] = {
            "old": round(statistics.median(one["old"][name] for one in rounds), 4),
            "new": round(statistics.median(one["new"][name] for one in rounds), 4),
            "ratio": round(middle, 4),
            "interval": [round(low, 4), round(high, 4)],
            "holds": better or not worse or reaches,
        }
    return told


def main() -> int:
    """Measure, write the result down; 1 when a figure does not hold."""
    parser = ArgumentParser(description="What it costs to keep replicas apart.")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    begun, state = datetime.now(tz=UTC), commit()
    out = ROOT / "benchmarks" / "results" / f"apart-{begun:%Y%m%d-%H%M}-{state[:12]}.json"
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as name:
        folder = Path(name)
        models = [sklearn_model(), another_model()]
        bentos = [build(model, n, folder) for n, model in enumerate(models, start=1)]
        row = models[0].facts["example"][0]
        old = Node(former_code(folder / "former"), folder / "old", row)
        new = Node(ROOT, folder / "new", row)
        nodes = {"old": old, "new": new}
        try:
            for node in nodes.values():
                node.start(bentos, folder)
            rounds = turns(nodes, options.rounds, lambda node: node.round(bentos))
        finally:
            for node in nodes.values():
                node.end()
    told = judged(rounds)
    result = {
        "what": "what it costs to keep replicas apart: this agent beside the former one",
        "date": begun.isoformat(timespec="seconds"),
        "commit": state,
        "former": FORMER,
        "load_before": os.getloadavg()[0],
        "figures": told,
        "rounds": rounds,
    }
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(told, indent=1))
    return int(not all(one["holds"] for one in told.values()))


def turns(
    nodes: dict[str, Node], count: int, act: Callable[[Node], dict[str, float]]
) -> list[dict[str, dict[str, float]]]:
    """Let the nodes take turns, each first in every other round; a first round does not count."""
    rounds = []
    for number in range(count + 1):
        order = list(nodes) if number % 2 else list(nodes)[::-1]
        found = {name: act(nodes[name]) for name in order}
        print(number, json.dumps(found), flush=True)
        rounds.append(found)
    return rounds[1:]


if __name__ == "__main__":
    sys.exit(main())

"""``make prove``: how soon a bad revision is out of traffic, over hundreds of rollbacks under load.

Starts the whole platform and keeps one version live. Four callers keep calling while, by turns:

- a newer version that went live is rolled back by an operator. The figure is the time from the
  moment at which that was accepted to the newest version's last answer;
- every ``--guard-every`` rounds, a version that answers errors gets half of the requests, and the
  node itself takes them back. The figure is the time from the error that the guard waits for, as
  the callers saw it, to that version's last answer. The platform has no part in it.

Stable must not fail once. Written to ``benchmarks/results/rollbacks-DATE-COMMIT.json`` after every
round; 1 when a goal is missed.
"""

import json
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from apps.operations.demo.load import Load, TimedResponse  # noqa: E402
from apps.operations.demo.people import DemoPerson  # noqa: E402
from apps.operations.demo.second_act import CONCAVE  # noqa: E402
from apps.operations.demo.story import BASE, MODEL, SCIENTIST, DemoStory  # noqa: E402
from apps.rollouts.guard import ABORTED  # noqa: E402
from benchmarks.serving import AFTER, ASK_EVERY, ENDED, RATE, Version, back, release  # noqa: E402
from placet_client import Client  # noqa: E402
from proofs.record import commit  # noqa: E402
from tests.support.installation import Running, running  # noqa: E402

GOAL_SECONDS = 1.0  # of the slowest in a hundred
FAILURES = 5  # in a row, at which the guard takes the requests back
PLAN = {
    "strategy": "canary",
    "guard": {"consecutive_failures": FAILURES},
    "steps": [{"set_weight": 50}, {"pause": {}}],
}


@dataclass(slots=True)
class Found:
    """Seconds, one for each time, and requests that failed though the bad version had no part."""

    rollback: list[float] = field(default_factory=list)
    guard: list[float] = field(default_factory=list)
    stable_failed: int = 0
    requests: int = 0


@dataclass(slots=True)
class Stage:
    """The people, and the versions: one stays, one comes and goes, one is faulty."""

    operator: DemoPerson
    scientist: DemoPerson
    stays: Version
    comes: Version
    faulty: Version
    live: str  # the release that stays

    @classmethod
    def prepared(cls, placet: Running, operator: DemoPerson, scientist: DemoPerson) -> "Stage":
        """Register and build all of them, and have the first one live."""
        story = DemoStory(placet.url, {"operator": operator}, lambda text: None)
        with scientist.client(SCIENTIST) as client:
            stays, comes, faulty = (built(story, client, k) for k in ("forest", "boosting", "log"))
        for version in (comes, stays):  # the first releases install the runtime on the node
            live, _ = release(operator, scientist, version)
        return cls(operator, scientist, stays, comes, faulty, live)

    def roll_back(self) -> tuple[float, int, int]:
        """Have the version that comes go live, and roll it back; return the seconds to its last
        answer, the requests that failed meanwhile, and all of them."""
        newer, _ = release(self.operator, self.scientist, self.comes)
        return back(self.operator, newer, self.live, self.stays["example"])

    def be_guarded(self) -> tuple[float, int, int]:
        """Give the faulty version half of the requests until the node takes them back; return as
        :meth:`roll_back` does. Raises ``RuntimeError`` when something else ended it."""
        rows = [row | dict.fromkeys(CONCAVE, 0.0) for row in self.stays["example"]]
        made = self.scientist.do(
            "POST",
            f"{BASE}/releases",
            {
                "model": MODEL,
                "version": self.faulty["number"],
                "environment": "development",
                "endpoint": "bench",
                "plan": PLAN,
            },
        )
        place = self.operator.do("GET", f"/endpoints/{made['endpoint_id']}")
        load = Load(f"{place['url']}/predict", rows, rate=RATE)
        load.start()
        try:
            rollout = self.until_ended(made["id"])
            load.until(load.sent + AFTER)
        finally:
            load.stop()
        if not rollout["reason"].startswith(ABORTED):
            raise RuntimeError(f"it ended otherwise: {rollout['reason']}")
        others = [a for a in load.answers if not a.good and a.release != made["id"]]
        return since_tripped(load.answers, made["id"]), len(others), load.sent

    def until_ended(self, release: str) -> dict[str, Any]:
        """Return the rollout of a release once it has ended. Raises ``TimeoutError`` after two
        minutes."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            found = self.operator.do("GET", f"/rollouts?release={release}")["items"]
            if found and found[0]["state"] in ENDED:
                return dict(found[0])
            time.sleep(ASK_EVERY)
        raise TimeoutError("a rollout did not end")


def built(story: DemoStory, client: Client, kind: str) -> Version:
    """Register a version and build it."""
    version, _ = story.register(client, kind)
    story.build(client, version)
    return version


def since_tripped(answers: Sequence[TimedResponse], faulty: str) -> float:
    """Return the seconds from the answer at which the guard trips to the last of that release."""
    own = sorted((a for a in answers if a.release == faulty), key=lambda a: a.at)
    row = 0
    for answer in own:
        row = 0 if answer.good else row + 1
        if row == FAILURES:
            return own[-1].at - answer.at
    raise RuntimeError(f"{faulty} did not fail {FAILURES} times in a row: {len(own)} answers")


def main() -> int:
    """Measure, write the result down; 1 when a goal is missed."""
    parser = ArgumentParser(description="Roll back under load, again and again.")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--guard-every", type=int, default=5)
    options = parser.parse_args()
    begun, state = datetime.now(tz=UTC), commit()
    out = ROOT / "benchmarks" / "results" / f"rollbacks-{begun:%Y%m%d-%H%M}-{state[:12]}.json"
    head = {
        "what": "seconds from a decision to the last answer of the bad revision, under load",
        "date": begun.isoformat(timespec="seconds"),
        "commit": state,
        "requests_a_second": RATE,
        "goal_p99": GOAL_SECONDS,
    }
    found, started = Found(), time.monotonic()
    folder = tempfile.TemporaryDirectory(prefix="placet-bench-")
    with folder as name, running(Path(name) / "data") as placet:
        operator, scientist = placet.person("operator"), placet.person("contributor")
        with operator, scientist:
            stage = Stage.prepared(placet, operator, scientist)
            for number in range(options.rounds):
                play(stage, found, guard=number % options.guard_every == 0)
                result = head | summary(found)
                out.write_text(json.dumps(result, indent=1) + "\n")
                last = f"{found.rollback[-1]:.2f} s; guard {found.guard[-1]:.2f} s"
                print(f"{number + 1}/{options.rounds} {last}", flush=True)
    print(json.dumps(summary(found)["summary"]), round(time.monotonic() - started), "s")
    return int(bool(result["missed"]))


def play(stage: Stage, found: Found, *, guard: bool) -> None:
    """Do one round, and add what was measured to ``found``."""
    parts = [(stage.roll_back, found.rollback)]
    if guard:
        parts.append((stage.be_guarded, found.guard))
    for act, into in parts:
        seconds, failed, requests = act()
        into.append(round(seconds, 3))
        found.stable_failed += failed
        found.requests += requests


def summary(found: Found) -> dict[str, Any]:
    """Return the figures, and which goals they miss."""
    told: dict[str, Any] = {"requests": found.requests, "stable_failed": found.stable_failed}
    for name, seconds in (("rollback", found.rollback), ("guard", found.guard)):
        told[name] = {
            "times": len(seconds),
            "median": statistics.median(seconds),
            "p99": sorted(seconds)[int(0.99 * len(seconds))],
            "slowest": max(seconds),
        }
    missed = [name for name in ("rollback", "guard") if told[name]["p99"] > GOAL_SECONDS]
    if found.stable_failed:
        missed.append("stable_failed")
    return {"summary": told, "missed": missed, "rollback": found.rollback, "guard": found.guard}


if __name__ == "__main__":
    sys.exit(main())

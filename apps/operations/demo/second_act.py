"""The second act: under load, a good version goes out in steps, a faulty one is stopped, and the
mended one is tried on copies of requests first."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from apps.operations.demo.errors import DemoFailed, must
from apps.operations.demo.load import Load, TimedResponse
from placet_client import Client

if TYPE_CHECKING:
    from apps.operations.demo.story import DemoStory

Json = dict[str, Any]
DECIDERS = ["reviewer", "approver"]
RATE = 100.0  # requests a second: what a forest of 50 trees does on one core, with room to spare
# Five points of errors and few steps, so that it is over in seconds: a candidate without an error
# passes after 150 requests, one that fails at three of twenty is stopped after about 120. That is
# below what the guard of a canary lets pass, so that the analysis is what finds it.
ANALYSIS = {"analysis": {"metrics": [{"metric": "error_rate", "margin": 0.05}]}}
CANARY = {
    "strategy": "canary",
    "steps": [{"set_weight": 25}, ANALYSIS, {"set_weight": 50}, ANALYSIS],
}
SHADOW = {
    "strategy": "shadow",
    "steps": [{"set_mirror": {"percent": 25}}, {"pause": {}}, {"set_weight": 100}],
}
COPIES, PAIRS = 150, 50  # that a person wants to see before all requests go there
CAPTURED: Json = {"capture": {"percent": 20}}  # what both answered can be compared
# What is 0 in 13 of the 569 patients that the models know: no part of the cells is concave.
CONCAVE = (
    "mean concavity",
    "mean concave points",
    "concavity error",
    "concave points error",
    "worst concavity",
    "worst concave points",
)


@dataclass(slots=True)
class SecondAct:
    """Three releases to production, while four callers keep calling."""

    story: "DemoStory"
    scientist: Client
    endpoint: Json
    rows: list[Json]

    def play(self, boosting: Json) -> None:
        """Play it; what was measured is in the story's result. Raises ``DemoFailed``."""
        load = Load(f"{self.endpoint['url']}/predict", patients(self.rows), rate=RATE)
        load.start()
        begun = time.monotonic()
        try:
            self.story.say("\n6. The gradient boosting again, by canary this time")
            weights = self.passes(boosting, load)
            self.story.say("\n7. A version whose errors rise only for some patients")
            faulty = self.new_version("log")
            self.story.result["canary"] = {
                **self.is_stopped(faulty, load),
                "measured_weights": weights,
            }
            self.story.say("\n8. The mended version, on copies of requests first")
            mended = self.new_version("log1p")  # later: one in its place would end the soak
            before = len(load.answers)
            self.is_shadowed(mended, load, before)
        finally:
            load.stop()
        self.story.result["seconds"]["second_act"] = round(time.monotonic() - begun, 1)
        failures = [a for a in load.answers if not a.good and a.release != faulty["release"]]
        self.story.result["canary"]["stable_failed"] = len(failures)
        self.story.say(
            f"   {load.sent} requests in this act; {len(failures)} failed that another "
            "version answered"
        )
        must(
            not failures, f"requests failed that the faulty version did not answer: {failures[:5]}"
        )

    def new_version(self, kind: str) -> Json:
        """Register a version, build it, and have it live in staging, where nobody calls it."""
        version, _ = self.story.register(self.scientist, kind)
        self.story.build(self.scientist, version)
        self.story.release(self.scientist, version, "staging", ["reviewer"])
        return version

    def ask(self, version: Json, **how: Json) -> Json:
        """Ask for a release to production and let people decide."""
        return self.story.ask(self.scientist, version, "production", DECIDERS, **how)

    def passes(self, version: Json, load: Load) -> dict[str, float]:
        """Release ``version`` in steps; return the share that each step measured, in percent."""
        release = self.ask(version, plan=CANARY, serving=CAPTURED)
        self.story.until_live(self.scientist, release["id"])
        rollout = self.rollout(release)
        weights = measured_weights(rollout, load.answers)
        for planned, measured in weights.items():
            must(abs(measured - float(planned)) < 2, f"{planned}% planned, {measured}% measured")
        self.tell_looks(rollout)
        shares = [
            f"{planned}% planned, {measured}% measured" for planned, measured in weights.items()
        ]
        self.story.say(f"   it is live; {'; '.join(shares)}")
        return weights

    def is_stopped(self, version: Json, load: Load) -> Json:
        """Release a version that fails for some; return how soon it was out of traffic again."""
        release = self.ask(version, plan=CANARY)
        version["release"] = release["id"]
        ended = self.scientist.wait(
            f"/releases/{release['id']}",
            lambda document: document["release"]["state"] in ("failed", "live"),
            seconds=600,
            every=0.2,
        )["release"]
        must(ended["state"] == "failed", "the faulty version went live")
        load.until(load.sent + 100)  # whoever is still sent there is seen
        rollout = self.rollout(release)
        must(
            rollout["reason"].startswith("The analysis failed."),
            f"it ended otherwise: {rollout['reason']}",
        )
        measured = figures(release["id"], rollout, load.answers)
        self.story.say(f"   {rollout['reason']}")
        self.story.say(
            f"   stopped {measured['detect_seconds']} s after its first answer, without anybody; "
            f"{measured['bad_requests']} of its {measured['candidate_requests']} answers were "
            f"errors, the last came {measured['rollback_seconds']} s after the decision"
        )
        return measured

    def is_shadowed(self, version: Json, load: Load, before: int) -> None:
        """Try a version on copies until a person has seen enough, and let it go live."""
        release = self.ask(version, plan=SHADOW, serving=CAPTURED)
        rollout = self.until_waiting(release)
        new, old = self.copied(rollout)
        must(
            not [a for a in load.answers[before:] if a.release == release["id"]],
            "somebody was answered by a version that only gets copies",
        )
        self.story.say(
            f"   {new['requests']} copies, whose answers nobody got: {new['errors']} errors, "
            f"p95 {new['p95_ms']:.0f} ms at worst beside {old['p95_ms']:.0f} ms"
        )
        must(new["errors"] == 0, "the mended version fails, too")
        self.story.result["shadow"] = {
            "copies": new["requests"],
            "errors": new["errors"],
            **self.disagreements(rollout),
        }
        operator = self.story.people["operator"]
        operator.do(
            "POST",
            f"/rollouts/{rollout['id']}/resume",
            {"reason": "The copies went well", "step": rollout["step"]},
        )
        self.story.until_live(self.scientist, release["id"])
        self.story.say(f"   {operator.name} let it go on: it is live")

    def rollout(self, release: Json) -> Json:
        """Return the newest rollout of a release, once it has begun."""
        self.scientist.wait(
            f"/releases/{release['id']}",
            lambda document: document["release"]["state"] not in ("requested", "approved"),
            seconds=300,
            every=0.2,
        )
        row = self.scientist.rollouts.list(release=release["id"]).first()
        if row is None:
            raise DemoFailed("the release has no rollout")
        return dict(row.raw)

    def until_waiting(self, release: Json) -> Json:
        """Wait until the rollout of ``release`` waits for a person."""
        path = f"/rollouts/{self.rollout(release)['id']}"
        rollout = self.scientist.wait(
            path,
            lambda row: row["state"] == "waiting" or row["finished_at"] is not None,
            seconds=300,
            every=0.2,
        )
        must(rollout["state"] == "waiting", f"it ended: {rollout['reason']}")
        return rollout

    def copied(self, rollout: Json) -> tuple[Json, Json]:
        """Wait for enough copies; return what they came to, and what stable did meanwhile."""
        series = self.scientist.wait(
            f"/rollouts/{rollout['id']}/series",
            lambda s: added(s, "copies")["requests"] >= COPIES,
            seconds=300,
            every=1,
        )
        return added(series, "copies"), added(series, "old")

    def disagreements(self, rollout: Json) -> Json:
        """Wait for enough captured answers of both versions to the same requests; list where they
        differ, and return how often."""
        path, end = f"/rollouts/{rollout['id']}/disagreements", time.monotonic() + 180
        while (comparison := self.story.people["operator"].do("GET", path))["pairs"] < PAIRS:
            must(
                time.monotonic() < end, f"both versions captured only {comparison['pairs']} answers"
            )
            time.sleep(0.5)
        self.story.say(
            f"   {comparison['disagreements']} of {comparison['pairs']} captured answers differ "
            "from those of the version that serves"
        )
        for item in comparison["items"][:3]:
            pair = f"{item['stable']} there, {item['candidate']} from the new one"
            self.story.say(f"   | {item['id']}: {pair}")
        return {"pairs": comparison["pairs"], "disagreements": comparison["disagreements"]}

    def tell_looks(self, rollout: Json) -> None:
        """Say what each analysis found at its end."""
        last: dict[int, str] = {}
        for look in self.scientist.rollouts.looks(rollout["id"], limit=200):
            last.setdefault(look.step, f"   step {look.step + 1}: {look.outcome}. {look.sentence}")
        for step in sorted(last):
            self.story.say(last[step])


def patients(rows: Sequence[Json]) -> list[Json]:
    """Return real rows, every seventh of them of a patient whose cells have no concave part."""
    return [
        row | dict.fromkeys(CONCAVE, 0.0) if index % 7 == 4 else row
        for index, row in enumerate(rows)
    ]


def added(series: Json, side: str) -> Json:
    """Return the requests of one side of a rollout's series, its errors, and its slowest p95."""
    parts = [point[side] for point in series["points"] if point[side]]
    return {
        "requests": sum(part["requests"] for part in parts),
        "errors": sum(round(part["requests"] * part["error_rate"]) for part in parts),
        "p95_ms": max((part["p95_ms"] for part in parts), default=0.0),
    }


def measured_weights(rollout: Json, answers: Sequence[TimedResponse]) -> dict[str, float]:
    """Return the share that callers saw at each weight, in percent, from when the node was seen to
    apply it until the next was wished."""
    began = {int(index): _time(text) for index, text in rollout["step_times"].items()}
    weights = [index for index, step in enumerate(rollout["steps"]) if "set_weight" in step]
    shares = {}
    for index, following in pairwise(weights):
        here = [a for a in answers if began[index + 1] <= a.at < began[following]]
        new = sum(a.release == rollout["release"] for a in here)
        must(bool(here), "nobody called while a weight stood")
        shares[f"{rollout['steps'][index]['set_weight']:g}"] = round(100 * new / len(here), 2)
    return shares


def figures(release: str, rollout: Json, answers: Sequence[TimedResponse]) -> Json:
    """Return how a version that was stopped did: how soon, and how many it hurt until then.

    ``rollback_seconds`` ends with its very last answer, an error or not.
    """
    own = [answer for answer in answers if answer.release == release]
    if not own:
        raise DemoFailed("the faulty version answered nobody")
    decided = _time(rollout["phase_times"]["aborting"])
    return {
        "detect_seconds": round(decided - own[0].at, 2),
        "bad_requests": sum(not answer.good for answer in own),
        "candidate_requests": len(own),
        "rollback_seconds": round(max(0.0, max(a.at for a in own) - decided), 3),
    }


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

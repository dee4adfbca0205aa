"""The governed path as a patient client walks it: whatever breaks off is looked at, then repeated.

A step is a question and a deed: what it wants is looked for first, and done only when it is not
there. A process that is killed in the middle therefore never makes anything twice.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from apps.operations.demo.people import DemoPerson
from apps.operations.demo.story import BASE, MODEL, PROJECT
from placet.kernel.config import ROOT
from placet_client import Client, PlacetError
from tests.support.installation import Running

Json = dict[str, Any]
PATIENCE = 60.0  # nothing may be stuck for longer
LONG_PATIENCE = 600.0  # builds and starts take as long as the machine takes
WAITING = {0, 409, 500, 502, 503, 504, 507}  # 409: a request that was cut off holds its key


class Stuck(Exception):
    """Something did not come to its end in time."""


@dataclass(slots=True)
class Trained:
    """A model's files and facts, trained once and registered again and again."""

    model: bytes
    facts: Json
    metrics: Json

    @property
    def rows(self) -> list[Json]:
        """The example's rows."""
        return list(self.facts["example"])


def train() -> Trained:
    """Train the demo's forest."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        script = ROOT / "examples" / "breast_cancer.py"
        subprocess.run([sys.executable, str(script), "forest", name], check=True)
        facts = json.loads((out / "version.json").read_text())
        metrics = facts.pop("metrics")
        return Trained((out / "model.joblib").read_bytes(), facts, metrics)


@contextmanager
def patient() -> Iterator[None]:
    """Turn what a killed process does to its clients into :class:`Broken`, to be tried again."""
    try:
        yield
    except httpx.TransportError as error:
        raise Broken(str(error)) from error
    except PlacetError as error:
        if error.status in WAITING:
            raise Broken(str(error)) from error
        raise
    except RuntimeError as error:
        if any(f": {status} " in str(error) for status in WAITING):
            raise Broken(str(error)) from error
        raise


class Broken(Exception):
    """An answer did not come; what was asked for may have been done."""


def ensure(
    look: Callable[[], Any], do: Callable[[], object] | None, what: str, seconds: float = PATIENCE
) -> Any:
    """Return what ``look`` finds; call ``do`` while it finds nothing."""
    end, why = time.monotonic() + seconds, ""
    while True:
        try:
            with patient():
                if found := look():
                    return found
                if do is not None:
                    do()
        except Broken as error:
            why = str(error)
        if time.monotonic() > end:
            raise Stuck(f"{what} did not happen within {seconds:.0f} s {why}")
        time.sleep(0.25)


@dataclass(slots=True)
class Walk:
    """One version on its way from registration to production traffic, and back."""

    placet: Running
    people: dict[str, DemoPerson]
    scientist: Client
    trained: Trained
    name: str  # of the run: a tag of its version
    seconds: dict[str, float] = field(default_factory=dict)
    version: Json = field(default_factory=dict)
    release: Json = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where the version is."""
        return f"{BASE}/models/{MODEL}/versions/{self.version['number']}"

    def register(self) -> None:
        """Make the version: two files (one new in every run), metrics, frozen."""
        models = f"{BASE}/models"
        post, get = self.scientist.post, self.scientist.get
        ensure(
            lambda: [m for m in get(models)["items"] if m["name"] == MODEL],
            lambda: post(models, {"name": MODEL}),
            "the model",
        )
        facts = {**self.trained.facts, "tags": {"run": self.name}}
        self.version = ensure(
            self._mine, lambda: post(f"{models}/{MODEL}/versions", facts), "the version"
        )
        self._upload({"model.joblib": self.trained.model, "run.txt": os.urandom(32).hex().encode()})
        evidence = {"kind": "metrics", "data": self.trained.metrics}
        ensure(
            lambda: get(f"{self.path}/evidence", kind="metrics")["items"],
            lambda: post(f"{self.path}/evidence", evidence),
            "the evidence",
        )
        ensure(
            lambda: get(self.path)["state"] == "finalised",
            lambda: post(f"{self.path}/finalise"),
            "the freeze",
        )

    def _mine(self) -> Json | None:
        found = self.scientist.get(f"{BASE}/models/{MODEL}/versions", limit=20)["items"]
        return next((v for v in found if v["tags"].get("run") == self.name), None)

    def _upload(self, files: dict[str, bytes]) -> None:
        place, send = (PROJECT, MODEL, self.version["number"]), self.scientist.uploads.send
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                source = Path(folder) / name
                source.write_bytes(content)
                ensure(
                    partial(self._has, name),
                    partial(send, *place, source, name),
                    f"the file {name}",
                )

    def _has(self, name: str) -> bool:
        return name in {file["path"] for file in self.scientist.get(self.path)["files"]}

    def build(self) -> None:
        """Have it built."""
        builds, get = f"{self.path}/builds", self.scientist.get

        def mine() -> list[Json]:
            return [b for b in get(builds)["items"] if b["state"] != "cancelled"]

        def ended() -> list[Json]:
            return [b for b in mine() if b["state"] not in ("queued", "running")]

        ensure(mine, lambda: self.scientist.post(builds), "the build")
        done = ensure(ended, None, "the end of the build", LONG_PATIENCE)
        if done[0]["state"] != "succeeded":
            raise Stuck(f"the build {done[0]['state']}: {done[0]['error']}")

    def go_live(
        self, plan: Json | None = None, meanwhile: Callable[[], object] | None = None
    ) -> None:
        """Ask for the release, decide it, wait until it is live; do ``meanwhile`` until then."""
        body = {
            "model": MODEL,
            "version": self.version["number"],
            "environment": "staging",
            "endpoint": MODEL,
            "reason": f"Run {self.name}",
            **({"plan": plan} if plan else {}),
        }
        self.release = ensure(
            self._release, lambda: self.scientist.post(f"{BASE}/releases", body), "the request"
        )
        ensure(self._decided, self._decide, "the decision")
        ensure(lambda: self._state("live"), meanwhile, "the rollout", LONG_PATIENCE)

    def _release(self) -> Json | None:
        found = self.scientist.get(f"{BASE}/releases", environment="staging")["items"]
        return next((r for r in found if r["version"] == self.version["number"]), None)

    def _state(self, wanted: str) -> bool:
        found = self.scientist.get(f"/releases/{self.release['id']}")["release"]
        self.release = found
        if found["state"] in ("failed", "aborted", "rejected", "expired", "withdrawn"):
            raise Stuck(f"the release is {found['state']}: {found['ended_reason']}")
        return bool(found["state"] == wanted)

    def _decided(self) -> bool:
        reviewer = self.people["reviewer"]
        return bool(reviewer.do("GET", f"/releases/{self.release['id']}/decisions")["items"])

    def _decide(self) -> None:
        reviewer = self.people["reviewer"]
        shown = reviewer.do("GET", f"/releases/{self.release['id']}")["release"]
        reviewer.decide(shown, "Looks right.")

    def predict(self, number: int, what: str) -> None:
        """Wait until version ``number`` answers as it was trained."""
        operator = self.people["operator"]
        endpoint = ensure(
            lambda: operator.do("GET", f"/endpoints/{self.release['endpoint_id']}"),
            None,
            "the endpoint",
        )
        wanted = f"{MODEL}:{number}"

        def answers() -> bool:
            body = {"instances": self.trained.rows}
            found = httpx.post(f"{endpoint['url']}/predict", json=body, timeout=10)
            if found.status_code != 200:
                raise Broken(f"{found.status_code} {found.text[:200]}")
            if found.json()["predictions"] != self.trained.facts["expected"]:
                raise Stuck("the endpoint answers differently")
            return bool(found.headers["x-placet-model"] == wanted)

        ensure(answers, None, what)

    def go_back(self) -> None:
        """Roll back to the version before, and wait for it."""
        operator, address = self.people["operator"], f"/endpoints/{self.release['endpoint_id']}"

        def backward() -> list[Json]:
            found = operator.do("GET", f"/rollouts?endpoint={self.release['endpoint_id']}")["items"]
            newest = [r for r in found if r["created_at"] > self.release["live_at"]]
            return [r for r in newest if r["kind"] == "rollback"]

        ensure(
            backward,
            lambda: operator.do("POST", f"{address}/rollback", {"reason": "Tried"}),
            "the rollback",
        )
        ensure(lambda: backward()[0]["state"] == "done", None, "the end of it", LONG_PATIENCE)

    def timed(self, name: str, step: Callable[[], object]) -> None:
        """Do a step, and note how long it took."""
        begun = time.monotonic()
        try:
            step()
        finally:
            self.seconds[name] = round(time.monotonic() - begun, 1)

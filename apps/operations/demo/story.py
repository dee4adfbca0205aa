"""What happens in the demo, step by step, with the real answers."""

import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from apps.operations.demo.errors import DemoFailed, must
from apps.operations.demo.load import Load
from apps.operations.demo.people import DemoPerson
from apps.operations.demo.second_act import SecondAct
from placet.kernel.config import ROOT
from placet_client import Client

Json = dict[str, Any]
MODEL, PROJECT = "breast-cancer", "clinic"
BASE = f"/projects/{PROJECT}"
STAGING_POLICY = """version: 1
description: One reviewer; shortened for the demo
gates:
  - {gate: build, isolation: bwrap}
  - {gate: scan, allow: [safe, code-carrying]}
  - {gate: expression, that: "evidence.metrics.auc >= 0.9", says: "AUC at least 0.9"}
  - {gate: freeze}
  - {gate: approvals, role: reviewer, count: 1}
"""
PRODUCTION_POLICY = """version: 1
description: One reviewer and one approver after 20 s in staging; shortened for the demo
gates:
  - {gate: build, isolation: bwrap}
  - {gate: scan, allow: [safe, code-carrying]}
  - gate: expression
    that: >-
      evidence.metrics.auc >= 0.9
      && (!has(live.metrics) || evidence.metrics.auc >= live.metrics.auc - 0.01)
    says: "AUC at least 0.9 and not 0.01 below what is live"
  - {gate: schema}
  - {gate: soaked, environment: staging, for: 20s}
  - {gate: freeze}
  - {gate: approvals, role: reviewer, count: 1}
  - {gate: approvals, role: approver, count: 1}
"""
SCIENTIST = [
    "project.view",
    "model.view",
    "version.view",
    "build.view",
    "release.view",
    "endpoint.view",
    "rollout.view",
    "policy.view",
    "model.create",
    "version.create",
    "version.edit",
    "evidence.add",
    "build.start",
    "release.request",
]


@dataclass(slots=True)
class DemoStory:
    """The demo on a running server."""

    url: str
    people: dict[str, DemoPerson]
    say: Callable[[str], None]
    result: Json = field(default_factory=lambda: {"seconds": {}, "requests": {}})

    def tell(self) -> Json:
        """Walk the whole path; return what ``.placet/demo.json`` holds. Raises ``DemoFailed``."""
        scientist = self.people["contributor"].client(SCIENTIST)
        self.policies()
        self.say("\n1. A data scientist trains a random forest and registers it")
        forest, rows = self.register(scientist, "forest")
        self.result["seconds"]["build_cold"] = self.build(scientist, forest)
        self.say("\n2. Staging: one reviewer")
        self.release(scientist, forest, "staging", ["reviewer"])
        self.say("\n3. Production: the requester cannot approve, a reviewer and an approver can")
        live, seconds = self.release(scientist, forest, "production", ["reviewer", "approver"])
        self.result["seconds"]["approved_to_live"] = seconds
        endpoint = self.predict(live, rows, forest)
        self.say("\n4. A gradient boosting replaces it under constant load")
        boosting, _ = self.register(scientist, "boosting")
        self.result["seconds"]["build_warm"] = self.build(scientist, boosting)
        self.release(scientist, boosting, "staging", ["reviewer"])
        self.replace_under_load(scientist, boosting, endpoint, rows)
        self.say("\n5. Roll back")
        self.roll_back(endpoint, forest)
        SecondAct(self, scientist, endpoint, rows).play(boosting)
        self.say("\n9. The log, checked by a verifier that trusts nobody")
        self.verify()
        self.check_decision(live)
        self.check_bundle(live)
        self.result["bento_digests"] = [forest["bento"], boosting["bento"]]
        return self.result

    def policies(self) -> None:
        """The operator drafts the demo's policies, the approver publishes them."""
        operator, approver = self.people["operator"], self.people["approver"]
        for name, source in (("staging", STAGING_POLICY), ("production", PRODUCTION_POLICY)):
            path = f"{BASE}/environments/{name}"
            revisions = approver.do("GET", f"{path}/policies?limit=1")["items"]
            if (
                revisions
                and revisions[0]["source"] == source
                and revisions[0]["state"] == "published"
            ):
                continue
            draft = operator.do("POST", f"{path}/policies", {"source": source})
            approver.do("POST", f"{path}/policies/{draft['number']}/publish")
            self.say(
                f"   {name} has policy r{draft['number']}, drafted by {operator.name}, "
                f"published by {approver.name}"
            )

    def register(self, client: Client, kind: str) -> tuple[Json, list[Json]]:
        """Train a model and register it as a new version with its metrics."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            script = ROOT / "examples" / "breast_cancer.py"
            subprocess.run([sys.executable, str(script), kind, folder], check=True)
            facts = json.loads((out / "version.json").read_text())
            metrics = facts.pop("metrics")
            try:
                client.get(f"{BASE}/models/{MODEL}")
            except Exception:
                client.post(f"{BASE}/models", {"name": MODEL, "description": "Benign or malignant"})
            version = client.post(f"{BASE}/models/{MODEL}/versions", facts)
            path = f"{BASE}/models/{MODEL}/versions/{version['number']}"
            number = version["number"]
            client.uploads.send(PROJECT, MODEL, number, out / "model.joblib", "model.joblib")
            client.post(f"{path}/evidence", {"kind": "metrics", "data": metrics})
            version = client.post(f"{path}/finalise")
        self.say(
            f"   {MODEL}:{version['number']} ({kind}), AUC {metrics['auc']:.4f}, "
            f"artifact {version['artifact_digest'][:23]}…"
        )
        return {**version, "path": path, "expected": facts["expected"]}, facts["example"]

    def build(self, client: Client, version: Json) -> float:
        """Build the version; return the seconds it took."""
        begun = time.monotonic()
        started = client.post(f"{version['path']}/builds")
        done = client.wait(
            f"/builds/{started['id']}",
            lambda b: b["state"] not in ("queued", "running"),
            seconds=900,
            every=0.2,
        )
        if done["state"] != "succeeded":
            raise DemoFailed(f"the build {done['state']}: {done['error']}")
        seconds = round(time.monotonic() - begun, 2)
        version["bento"] = done["bento_digest"]
        order = ("fetch", "scan", "runtime", "generate", "build", "smoke", "sbom", "export")
        steps = ", ".join(f"{k} {done['timings'].get(k, 0):.1f} s" for k in order)
        self.say(f"   built in {seconds} s in a {done['isolation']} sandbox ({steps})")
        self.say(f"   Bento {done['bento_digest'][:23]}…")
        return seconds

    def release(
        self, client: Client, version: Json, environment: str, deciders: list[str]
    ) -> tuple[Json, float]:
        """Ask for a release, let people decide, wait until it is live."""
        release = self.ask(client, version, environment, deciders)
        live = self.until_live(client, release["id"])
        seconds = round(_seconds(live["approved_at"], live["live_at"]), 2)
        self.say(f"   live {seconds} s after the last gate passed")
        return live, seconds

    def ask(
        self,
        client: Client,
        version: Json,
        environment: str,
        deciders: list[str],
        **how: Json,
    ) -> Json:
        """Ask for a release, with a plan and a serving configuration if need be, and let people
        decide; return it as it was asked for."""
        release: Json = client.post(
            f"{BASE}/releases",
            {
                "model": MODEL,
                "version": version["number"],
                "environment": environment,
                "endpoint": MODEL,
                "reason": f"Version {version['number']} passed its evaluation.",
                **how,
            },
        )
        self.say(
            f"   release {release['number']} to {environment} is {release['state']}: "
            + "; ".join(g["title"] for g in release["gates"] if not g["passed"])
        )
        self.requester_is_refused(release)
        for role in deciders:
            current = self.people[role].do("GET", f"/releases/{release['id']}")["release"]
            self.people[role].decide(current, f"Looks right for {environment}.")
            self.say(f"   {self.people[role].name} approved as {role}")
        return release

    def requester_is_refused(self, release: Json) -> None:
        """The one who asked tries to approve, in a session and by token, and may not."""
        person = self.people["contributor"]
        answer = person.api(
            "POST",
            f"/releases/{release['id']}/decisions",
            {"verdict": "approve", "statement_digest": release["request_digest"]},
        )
        must(answer.status_code == 403, f"the requester's approval got {answer.status_code}")
        self.say(
            f"   {person.name} tried to approve: {answer.status_code} {answer.json()['detail']}"
        )

    def until_live(self, client: Client, release_id: str) -> Json:
        """Wait until the release is live. Raises ``DemoFailed`` when it ends otherwise."""
        ended = ("live", "failed", "aborted", "rejected", "expired", "withdrawn", "rolled_back")
        release = client.wait(
            f"/releases/{release_id}",
            lambda r: r["release"]["state"] in ended,
            seconds=300,
            every=0.2,
        )["release"]
        if release["state"] != "live":
            raise DemoFailed(f"the release is {release['state']}: {release['ended_reason']}")
        return dict(release)

    def predict(self, release: Json, rows: list[Json], version: Json) -> Json:
        """Send real rows to the endpoint and compare with what the model said when trained."""
        endpoint = self.people["operator"].do("GET", f"/endpoints/{release['endpoint_id']}")
        answer = httpx.post(f"{endpoint['url']}/predict", json={"instances": rows}, timeout=30)
        must(answer.status_code == 200, f"prediction got {answer.status_code}: {answer.text}")
        predictions = answer.json()["predictions"]
        must(predictions == version["expected"], "the endpoint answers differently")
        refusal = httpx.post(f"{endpoint['url']}/predict", json=rows[0] | {"mean radius": "big"})
        must(refusal.status_code == 400, f"a wrong row got {refusal.status_code}")
        self.say(
            f"   {endpoint['url']}/predict answers {predictions[:8]}… as it was trained, "
            f"in release {answer.headers['x-placet-release'][:16]}…"
        )
        self.say(f"   a wrong row: 400 {refusal.json()['errors'][0]}")
        self.result.update(url=self.url, endpoint_url=endpoint["url"], predictions=predictions)
        return endpoint

    def replace_under_load(
        self, client: Client, version: Json, endpoint: Json, rows: list[Json]
    ) -> None:
        """Release the second model while four callers keep calling."""
        load = Load(f"{endpoint['url']}/predict", rows)
        load.start()
        try:
            self.release(client, version, "production", ["reviewer", "approver"])
            load.until(max(2000, load.sent + 200))
        finally:
            load.stop()
        self.result["requests"] = {"sent": load.sent, "failed": load.failed}
        self.say(
            f"   {load.sent} requests during it, {load.failed} failed; "
            f"answered by {len(load.releases)} releases"
        )
        must(load.failed == 0, f"failed requests: {load.failures[:5]}")
        must(len(load.releases) == 2, "the load did not see both releases")

    def roll_back(self, endpoint: Json, before: Json) -> None:
        """The operator goes back; measure until no answer comes from the newer version."""
        url = f"{endpoint['url']}/predict"
        row = before["example"][0]
        begun = time.monotonic()
        self.people["operator"].do(
            "POST", f"/endpoints/{endpoint['id']}/rollback", {"reason": "The demo shows it"}
        )
        wanted = f"{MODEL}:{before['number']}"
        while httpx.post(url, json=row, timeout=30).headers.get("x-placet-model") != wanted:
            if time.monotonic() - begun > 60:
                raise DemoFailed("the rollback did not take effect within a minute")
            time.sleep(0.01)
        seconds = round(time.monotonic() - begun, 2)
        self.result["seconds"]["rollback"] = seconds
        self.say(f"   {wanted} answers again {seconds} s after the click, with no new approval")

    def verify(self) -> None:
        """Export the log, verify it, flip one byte in a copy, and see the place named."""
        scopes = ["audit.view", "audit.export", "project.view"]
        auditor = self.people["auditor"].client(scopes)
        with auditor, tempfile.TemporaryDirectory() as folder:
            from placet_client.log import download

            export = Path(folder) / "log"
            size, root = download(auditor, export)
            clean = verifier("log", export)
            must(clean.returncode == 0, f"the log does not verify: {clean.stdout}{clean.stderr}")
            self.say(_indented(clean.stdout))
            path = export / "events.jsonl"
            raw = bytearray(path.read_bytes())
            at = raw.index(b'"kind', len(raw) // 2) + 12
            raw[at] ^= 1
            path.write_bytes(bytes(raw))
            broken = verifier("log", export)
            must(broken.returncode == 1, "the verifier accepts a changed log")
            self.say("   one byte changed in a copy:")
            self.say(_indented(broken.stdout + broken.stderr))
            line = raw.count(b"\n", 0, at)
            must(f"leaf {line}" in broken.stdout + broken.stderr, f"it does not name leaf {line}")
        self.result["audit"] = {"size": size, "root": root}

    def check_decision(self, release: Json) -> None:
        """Check one decision with openssl alone."""
        auditor = self.people["auditor"]
        decisions = auditor.do("GET", f"/releases/{release['id']}/decisions")["items"]
        bundle = auditor.api("GET", f"/decisions/{decisions[0]['id']}/export")
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "decision.zip"
            archive.write_bytes(bundle.content)
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(folder)
            done = subprocess.run(
                [
                    "openssl",
                    "pkeyutl",
                    "-verify",
                    "-pubin",
                    "-inkey",
                    "key.pem",
                    "-rawin",
                    "-in",
                    "pae.bin",
                    "-sigfile",
                    "sig.bin",
                ],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            must(done.returncode == 0, f"openssl refuses the decision: {done.stderr}")
            self.say(f"   openssl on one decision: {done.stdout.strip()}")

    def check_bundle(self, release: Json) -> None:
        """Check a whole release as somebody does who has the root key and nothing else of ours."""
        auditor = self.people["auditor"]
        with tempfile.TemporaryDirectory() as folder:
            file, root = Path(folder) / "release.zip", Path(folder) / "root.pub"
            root.write_bytes(auditor.api("GET", "/keys/root").content)
            file.write_bytes(_signed(auditor, f"/releases/{release['id']}/bundle"))
            done = verifier("bundle", file, "--root", root)
            must(done.returncode == 0, f"the bundle is refused: {done.stdout}{done.stderr}")
            self.say(f"   the whole release, offline: {done.stdout.splitlines()[-1]}")


def _signed(person: DemoPerson, path: str) -> bytes:
    """Return what is proven by the log, once a checkpoint covers it: that takes some seconds."""
    end = time.monotonic() + 30
    while (answer := person.api("GET", path)).status_code == 409 and time.monotonic() < end:
        time.sleep(0.5)
    must(answer.status_code == 200, f"{path} answers {answer.status_code}: {answer.text}")
    return answer.content


def verifier(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the offline verifier."""
    return subprocess.run(
        [sys.executable, "-m", "placet_verify", *map(str, arguments)],
        cwd=ROOT / "platform",
        capture_output=True,
        text=True,
        check=False,
    )


def _seconds(start: str, end: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _indented(text: str) -> str:
    return "\n".join(f"   | {line}" for line in text.strip().splitlines())

"""A node without processes: it joins, pulls its signed state, and posts reports that it signs.

It speaks the agent's protocol to the real views. What it "runs" is a dictionary that a test may
bend: ``node.phase["rev_…"] = ("failed", "out of memory")``.
"""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.test import Client

from apps.audit.models import Event
from apps.rollouts.models import Drill, Look, Rollout
from apps.serving.actions import issue_join_token
from apps.serving.models import Node, Revision, Target
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.keystore import ring
from placet_agent import __version__
from placet_protocol.report import FEATURES, PlatformInfo
from placet_protocol.secret_box import OpeningKeys
from placet_protocol.signing import sign_request
from placet_verify import recalls
from placet_verify.signing import dsse
from placet_verify.signing.keys import PrivateKey
from placet_verify.statements import RanReceipt, RecallStatement, StoppedReceipt

SECRETS = OpeningKeys((b"a key for the secrets of a test.",))
PLATFORM = PlatformInfo(
    pythons=["3.11", "3.13"],
    isolation="bwrap",
    memory_limit="cgroup1",
    network="own",
    memory_mb=8192,
    cpus=2,
    machine="x86_64",
    haproxy="2.8",
    port=8080,
    agent_version=__version__,
    features=list(FEATURES),
    secret_key=SECRETS.public.write().strip(),
)


@dataclass
class SimulatedNode:
    """See the module."""

    key: PrivateKey = field(default_factory=PrivateKey.generate)
    id: str = ""
    number: int = 0
    state: dict[str, Any] = field(default_factory=dict)
    phase: dict[str, tuple[str, str]] = field(default_factory=dict)  # id → phase, detail
    ready: dict[str, int] = field(default_factory=dict)  # id → replicas, scaled by load
    frozen_weights: dict[str, int] = field(default_factory=dict)  # what it goes on applying
    apart: dict[str, dict[str, Any]] = field(default_factory=dict)  # id → isolation, egress
    metrics: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    proxy: dict[str, str] = field(default_factory=lambda: {"fault": "", "since": rfc3339(now())})
    aborts: list[dict[str, Any]] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)  # signed, until a report took them
    said: set[str] = field(default_factory=set)  # recalls that it has confirmed
    checkpoint: str | None = None
    client: Client = field(default_factory=Client)

    def __getstate__(self) -> dict[str, Any]:
        """Return what ``rows.once`` keeps of us: not the client, which is as good anew."""
        return {**vars(self), "key": self.key.to_pem(), "client": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        key = load_pem_private_key(state["key"], None)
        assert isinstance(key, Ed25519PrivateKey)
        vars(self).update(state, key=PrivateKey(key), client=Client())

    @classmethod
    def joined(cls, target: Target) -> "SimulatedNode":
        """Return a node that has joined ``target`` with a token of its own."""
        node = cls()
        token = issue_join_token(target, actor=SYSTEM)
        assert node.join(token).status_code == 201
        return node

    def call(
        self, method: str, path: str, body: bytes = b"", *, ago: float = 0, **more: str
    ) -> Any:
        """Send a request signed by the node's key, as if ``ago`` seconds in the past."""
        headers = sign_request(
            self.key, method, path, body, node=self.id, at=now() - timedelta(seconds=ago)
        )
        parts = urlsplit(path)
        query = {"QUERY_STRING": parts.query}
        return self.client.generic(
            method, parts.path, body, "application/json", headers=headers | more, **query
        )

    def join(self, token: str) -> Any:
        """Bring the secret part of ``token``, with our public key."""
        body = {
            "v": 1,
            "token": token.partition(".")[0],
            "public_key": self.key.public.to_base64(),
            "agent_version": PLATFORM["agent_version"],
            "platform": PLATFORM,
        }
        answer = self.call("POST", "/agent/v1/join", json.dumps(body).encode())
        if answer.status_code == 201:
            self.id = answer.json()["node"]
        return answer

    def pull(self, wait: float = 0) -> bool:
        """Fetch and verify the state; tell whether there was a new one."""
        path = f"/agent/v1/state?epoch={self.epoch}&number={self.applied}&wait={wait:g}"
        answer = self.call("GET", path)
        if answer.status_code == 204:
            return False
        assert answer.status_code == 200, answer.content
        envelope = dsse.Envelope.from_json(answer.content)
        self.state = json.loads(ring().verify(envelope, "state"))
        return True

    @property
    def epoch(self) -> int:
        """The epoch of the state we have."""
        return int(self.state.get("epoch", 0))

    @property
    def applied(self) -> int:
        """The number of the state we have."""
        return int(self.state.get("number", 0))

    def revisions(self) -> dict[str, dict[str, Any]]:
        """Return what the state wants, by revision id."""
        return {r["id"]: r for e in self.state.get("endpoints", []) for r in e["revisions"]}

    def report_body(self, **changes: Any) -> dict[str, Any]:
        """Return the next report."""
        self.number += 1
        body = {
            "v": 1,
            "node": self.id,
            "number": self.number,
            "at": rfc3339(now()),
            "applied": {"epoch": self.epoch, "number": self.applied},
            "platform": PLATFORM,
            "proxy": self.proxy,
            "checkpoint": self.checkpoint,
            "revisions": [self._row(revision) for revision in self.revisions().values()],
            "prefetched": [],
            "recalled": [],
            "errors": self.errors,
            "aborts": self.aborts,
            "receipts": self.receipts,
            "metrics": self.metrics,
        }
        return body | changes

    def _row(self, revision: dict[str, Any]) -> dict[str, Any]:
        phase, detail = self.phase.get(revision["id"], (_usual_phase(revision), ""))
        well = phase in ("ready", "serving")
        return {
            "id": revision["id"],
            "phase": phase,
            "ready_replicas": self.ready.get(revision["id"], revision["replicas"]) if well else 0,
            "weight": self.frozen_weights.get(revision["id"], revision["weight"] if well else 0),
            "detail": detail,
            "bento_digest": revision["bento_digest"],
            "since": rfc3339(now()),
            "restarts": 0,
            **self.apart.get(revision["id"], {"isolation": "socket"}),
        }

    def report(self, key: PrivateKey | None = None, **changes: Any) -> Any:
        """Post a report, signed by our key unless another one is given."""
        payload = json.dumps(self.report_body(**changes)).encode()
        envelope = dsse.sign(dsse.REPORT, payload, key or self.key).to_json().encode()
        return self.call("POST", "/agent/v1/report", envelope)

    def upgraded(self, **platform: Any) -> None:
        """Say of the host what was not so before, as if a minute had passed since the last change:
        what changes more often is neither stored nor logged."""
        self.a_minute_later()
        answer = self.report(platform={**PLATFORM, **platform})
        assert answer.status_code == 200, answer.content

    def a_minute_later(self) -> None:
        """Have it be a minute since anything was logged of us."""
        Node.objects.filter(pk=self.id).update(noted={})

    def step(self) -> None:
        """Pull, do as told, and report."""
        self.pull()
        answer = self.report()
        assert answer.status_code == 200, answer.content

    def told(self) -> dict[str, RecallStatement]:
        """Return the recalls in the state, by id, each verified as a node does."""
        found = [recalls.read(dsse.Envelope.from_dict(e), ring()) for e in self.state["recalls"]]
        return {one.recall: one for one in found if isinstance(one, RecallStatement)}

    def stopped(self, recall: str, **changes: Any) -> str:
        """Return a signed receipt that nothing runs of a recall."""
        said = {
            "node": self.id,
            "target": self.state["target"],
            "recall": recall,
            "recall_digest": self.told()[recall].digest,
            "at": now(),
        }
        return StoppedReceipt(**(said | changes)).sign(self.key).to_json()

    def ran(self, revision: Revision, **changes: Any) -> str:
        """Return a signed receipt that a revision ran for the last minute."""
        said = {
            "node": self.id,
            "target": revision.endpoint.target_id,
            "endpoint": revision.endpoint_id,
            "release": revision.release,
            "revision": revision.pk,
            "bento_digest": revision.bento_id,
            "started_at": now() - timedelta(minutes=1),
            "ended_at": now(),
        }
        return RanReceipt(**(said | changes)).sign(self.key).to_json()

    def confirm(self) -> None:
        """Pull, stop what is recalled, sign that, and report, as an honest node does."""
        self.pull()
        new = self.told().keys() - self.said
        self.receipts = [self.stopped(recall) for recall in sorted(new)]
        answer = self.report()
        assert answer.status_code == 200, answer.content
        self.said, self.receipts = self.said | new, []

    @property
    def row(self) -> Node:
        """Return what the platform knows of us."""
        return Node.objects.get(pk=self.id)


def _usual_phase(revision: dict[str, Any]) -> str:
    if revision["wanted"] == "run":
        return "serving" if revision["weight"] else "ready"
    return "drained" if revision["wanted"] == "drain" else "stopped"


def run(node: SimulatedNode, run_jobs: Any, rounds: int = 8) -> None:
    """Let jobs and node take turns until both have nothing left to do."""
    before: object = None
    for _ in range(rounds):
        run_jobs("control")
        node.step()
        after = _stand(node)
        if after == before:
            break
        before = after
    run_jobs("control")


def _stand(node: SimulatedNode) -> tuple[object, ...]:
    """Return what changes as long as somebody has something left to do."""
    tables: tuple[Any, ...] = (Rollout, Drill, Look, Revision)
    rows = [list(table.objects.order_by("pk").values_list()) for table in tables]
    return node.state["number"], Event.objects.count(), rows

"""A platform in one object: it speaks the nodes' protocol and signs with real keys."""

import base64
import hashlib
import json
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from placet_protocol.node_secrets import SecretPlace
from placet_protocol.secret_box import SealingKey
from placet_protocol.signing import signed_text
from placet_verify import canonical
from placet_verify.archive import pack
from placet_verify.log import checkpoint
from placet_verify.signing import dsse
from placet_verify.signing.keys import KeyRing, PrivateKey, PublicKey
from tests.support.permits import DOCUMENT, SERVING, Case, approvals, valid_case

PATIENCE = 60.0  # seconds for what takes one or two on a machine with nothing else to do
SECRET = "one-join-secret"
SERVER = Path(__file__).with_name("replica_server.py").read_text()
# What the tests' replicas read.
DECLARED = [
    "ANSWER_AFTER",
    "TRICKLE",
    "CRASH",
    "EAT_MB",
    "READY_AFTER",
    "BIND_AFTER",
    "MODE",
    "COLOR",
]
LOCK = "# a runtime of the interpreter alone\n"


@dataclass
class Platform:
    """What the platform knows; change it, then ``publish``."""

    python_version: str
    root: PrivateKey = field(default_factory=PrivateKey.generate)
    keys: dict[str, PrivateKey] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    endpoints: list[dict[str, Any]] = field(default_factory=list)
    recalled: list[str] = field(default_factory=list)
    prefetch: list[dict[str, str]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    valid_for: timedelta = timedelta(hours=24)
    on_expired: str = "serve"
    checkpoint: str | None = None
    epoch: int = 1
    number: int = 0
    envelope: str = ""
    node_key: PublicKey | None = None
    down: bool = False
    published_at: float = 0.0
    hung_up: int = 0  # how often all who waited for a state were sent away
    served: list[str] = field(default_factory=list)  # paths that were asked for
    sealed: dict[str, str] = field(default_factory=dict)  # values of secrets, by their ids
    secret_key: str = ""  # of the node, as it said at its join
    captured: dict[tuple[str, str], bytes] = field(default_factory=dict)  # by revision and file

    def __post_init__(self) -> None:
        self.changed = threading.Condition()
        since = datetime.now(UTC) - timedelta(days=1)
        self.ring = KeyRing(0, (), self.root.public)
        for purpose in ("decision", "build", "state", "log"):
            self.keys[purpose] = PrivateKey.generate()
            self.ring = self.ring.add(purpose, self.keys[purpose].public, since)
        self.manifest = {"python_version": self.python_version, "lock": LOCK, "wheels": []}
        self.runtime = canonical.digest({"python_version": self.python_version, "lock": LOCK})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.server.daemon_threads = True
        # looks whether it is to stop a little more often than every half second
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    # --- what people do ----------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def token(self) -> str:
        """A join token."""
        return f"{SECRET}.{hashlib.sha256(self.root.public.raw).hexdigest()}"

    def build(self, name: str, *, lock: str = LOCK, server: str = SERVER, **more: str) -> str:
        """Store a Bento that answers with ``name`` and holds ``more`` files; return its digest."""
        with tempfile.TemporaryDirectory() as folder:
            bento = Path(folder, "bento")
            (bento / "env/python").mkdir(parents=True)
            (bento / "env/python/requirements.txt").write_text(lock)
            (bento / "src").mkdir()
            (bento / "src/placet.json").write_text(json.dumps({"variables": DECLARED}))
            for file, text in {"name.txt": name, **more}.items():
                (bento / file).write_text(text)
            (bento / "server.py").write_text(server)
            digest = pack(bento, Path(folder, "bento.tar"))
            self.blobs[digest.removeprefix("sha256:")] = Path(folder, "bento.tar").read_bytes()
        return digest

    def case(self, bento: str, release: str, **changes: Any) -> Case:
        """Return a release that was asked for and approved a moment ago."""
        now, old = datetime.now(UTC), valid_case()
        policy = replace(old.policy, at=now - timedelta(hours=2))
        wanted = {"not_after": now + timedelta(days=7), "nonce": f"{release}-nonce-of-request"}
        request = replace(
            old.request,
            bento_digest=bento,
            release=release,
            at=now - timedelta(hours=1),
            policy_digest=policy.document_digest,
            **(wanted | changes),
        )
        decisions = [
            replace(d, at=now - timedelta(minutes=1), nonce=f"{release}-{d.nonce}")
            for d in approvals(request)
        ]
        return Case(policy, request, decisions)

    def revision(
        self, number: int, bento: str, *, permit: str | None = None, **changes: Any
    ) -> dict[str, Any]:
        """Return a revision with a valid permit, as a state names it."""
        release = f"rel_{number}"
        variables = changes.get("variables", {})
        approved = (
            "unit",
            "capture",
            "egress",
            "max_replicas",
            "server",
            "limits",
            "target_inflight",
            "min_replicas",
            "secrets_of_permit",
        )
        also = {n: v for n in approved if (v := changes.pop(n, None)) not in (None, {})}
        if named := also.pop("secrets_of_permit", None):
            also["secrets"] = named
        also |= {"replicas": changes.get("replicas", 1), "variables": variables}
        also |= {"memory_mb": changes.get("memory_mb", SERVING["memory_mb"])}
        serving = {**SERVING, **also}
        if permit is None:
            permit = self.case(bento, release, serving=serving).document(self.keys["decision"])
        return {
            "id": f"rev_{number}",
            "release": release,
            "bento_digest": bento,
            "bento_sha256": bento.removeprefix("sha256:"),
            "bento_size": len(self.blobs[bento.removeprefix("sha256:")]),
            "runtime": {"digest": self.runtime, "python_version": self.python_version},
            "permit": permit,
            "replicas": 1,
            "memory_mb": 1024,
            "variables": variables,
            "weight": 0,
            "wanted": "run",
            "restart_nonce": 0,
            **changes,
        }

    def endpoint(self, *revisions: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Return the endpoint that the permits are for."""
        return {
            "id": "end_1",
            "project": "prj_1",
            "project_slug": "cancer",
            "environment": "production",
            "name": "screening",
            "path": "/cancer/production/screening",
            "keys": [],
            "api_key_required": False,
            "revisions": list(revisions),
            **changes,
        }

    def publish(self, key: PrivateKey | None = None, **changes: Any) -> None:
        """Sign the next state and wake whoever waits for it."""
        with self.changed:
            self.number += 1
            now = datetime.now(UTC)
            state = {
                "v": 1,
                "target": "tgt_1",
                "epoch": self.epoch,
                "number": self.number,
                "issued_at": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "valid_until": (now + self.valid_for).isoformat(),
                "checkpoint": self.checkpoint,
                "on_expired": self.on_expired,
                "recalled": self.recalled,
                "endpoints": self.endpoints,
                "prefetch": self.prefetch,
                **changes,
            }
            payload = canonical.dumps(state)
            self.envelope = dsse.sign(dsse.STATE, payload, key or self.keys["state"]).to_json()
            self.published_at = time.monotonic()
            self.changed.notify_all()

    def serve(self, *revisions: dict[str, Any], **changes: Any) -> None:
        """Publish a state with one endpoint."""
        self.endpoints = [self.endpoint(*revisions, **changes)]
        self.publish()

    def note(self, size: int, leaf: bytes = b"") -> str:
        """Return a signed checkpoint."""
        root = hashlib.sha256(leaf + str(size).encode()).digest()
        return checkpoint.make("placet.test/log", size, root, self.keys["log"])

    def seal(self, name: str, value: str, text: str) -> dict[str, Any]:
        """Seal a value for the node; return what a state says of it."""
        place = SecretPlace("prj_1", "production", name, value).on("nod_1")
        self.sealed[value] = SealingKey.read(self.secret_key).seal(text, place=place)
        return {"value": value, "version": 1}

    # --- what a node said --------------------------------------------------------------------

    def seen(self, revision: str) -> dict[str, Any]:
        """Return the newest report of a revision."""
        for report in reversed(self.reports[-1:]):
            for row in report["revisions"]:
                if row["id"] == revision:
                    return dict(row)
        return {"phase": "", "weight": 0, "detail": "", "ready_replicas": 0}

    def errors(self) -> list[str]:
        """Return the codes of all errors that were reported."""
        return [error["code"] for report in list(self.reports) for error in report["errors"]]

    def wait(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait until ``condition`` holds; fail with the last report."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                last = self.reports[-1] if self.reports else None
                raise AssertionError(f"it did not come to that: {json.dumps(last, indent=1)}")
            time.sleep(0.01)

    def wait_phase(self, revision: str, phase: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until the node reports this phase."""
        self.wait(lambda: self.seen(revision)["phase"] == phase, seconds)
        return self.seen(revision)

    def wait_egress(
        self, revision: str, condition: Callable[[list[dict[str, Any]]], object]
    ) -> list[dict[str, Any]]:
        """Wait until the counts of what a revision reached are so."""
        self.wait(lambda: (rows := self.seen(revision).get("egress")) and condition(rows))
        return list(self.seen(revision)["egress"])

    def hang_up(self) -> None:
        """Let nobody wait any longer for a state that does not come."""
        with self.changed:
            self.hung_up += 1
            self.changed.notify_all()

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()


def handler(platform: Platform) -> type[BaseHTTPRequestHandler]:
    """Return the request handler of a platform."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            """Say nothing."""

        def answer(self, status: int, body: bytes = b"", kind: str = "application/json") -> None:
            """Send an answer."""
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            """Join or take a report."""
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if platform.down:
                return self.answer(503)
            if self.path == "/agent/v1/join":
                return self.join(body)
            if not self.signed(body):
                return self.answer(401)
            if self.path.startswith("/agent/v1/captures?"):
                return self.capture(body)
            envelope = dsse.Envelope.from_json(body)
            assert platform.node_key is not None
            report = json.loads(dsse.verify(envelope, [platform.node_key], dsse.REPORT))
            if platform.reports and report["number"] <= platform.reports[-1]["number"]:
                stale = {"code": "stale_report", "number": platform.reports[-1]["number"]}
                return self.answer(409, json.dumps(stale).encode(), "application/problem+json")
            report["arrived"] = time.monotonic()
            platform.reports.append(report)
            return self.answer(200, json.dumps({"v": 1, "number": report["number"]}).encode())

        def capture(self, body: bytes) -> None:
            """Take lines from the byte on up to which the file is known."""
            asked = {name: found[0] for name, found in parse_qs(urlsplit(self.path).query).items()}
            place = asked["revision"], asked["file"]
            known = platform.captured.get(place, b"")
            fits = len(known) == int(asked["offset"])
            if fits:
                platform.captured[place] = known + zlib.decompress(body)
            offset = len(platform.captured.get(place, b""))
            reply = {"v": 1, "offset": offset, "code": "" if fits else "other_offset"}
            return self.answer(201 if fits else 409, json.dumps(reply).encode())

        def join(self, body: bytes) -> None:
            """Take a node in."""
            data = json.loads(body)
            key = PublicKey.from_base64(data["public_key"])
            if data["token"] != SECRET or not self.signed(body, key):
                return self.answer(403, json.dumps({"detail": "The token is not valid"}).encode())
            platform.node_key = key
            platform.secret_key = data["platform"]["secret_key"]
            reply = {"v": 1, "node": "nod_1", "target": "tgt_1", "target_name": "here"}
            return self.answer(201, json.dumps(reply).encode())

        def do_GET(self) -> None:
            """Hand out keys, the state, blobs and manifests."""
            platform.served.append(self.path)
            name = self.path.removeprefix("/agent/v1/")
            if platform.down:
                return self.answer(503)
            if name == "keys":
                keys = json.loads(platform.ring.seal(platform.root))
                root = platform.root.public.to_base64()
                return self.answer(200, json.dumps({"root_public": root, "keys": keys}).encode())
            if not self.signed(b""):
                return self.answer(401)
            if name.startswith("state?"):
                return self.state()
            kind, _, digest = name.partition("/")
            if kind == "blobs" and digest in platform.blobs:
                return self.answer(200, platform.blobs[digest], "application/octet-stream")
            if kind == "runtimes" and f"sha256:{digest}" == platform.runtime:
                return self.answer(200, json.dumps(platform.manifest).encode())
            value = name.rpartition("/")[2]
            if kind == "secrets" and value in platform.sealed:
                reply = {"v": 1, "value": value, "sealed": platform.sealed[value]}
                return self.answer(200, json.dumps(reply).encode())
            return self.answer(404)

        def state(self) -> None:
            """Hold the request until there is another state."""
            query = parse_qs(urlsplit(self.path).query)
            known = (int(query["epoch"][0]), int(query["number"][0]))
            end = time.monotonic() + float(query["wait"][0])
            with platform.changed:
                before = platform.hung_up
                while not platform.envelope or (platform.epoch, platform.number) == known:
                    left = end - time.monotonic()
                    if left <= 0 or platform.down or platform.hung_up != before:
                        return self.answer(204)
                    platform.changed.wait(min(left, 0.2))
                envelope = platform.envelope
            return self.answer(200, envelope.encode())

        def signed(self, body: bytes, key: PublicKey | None = None) -> bool:
            """Check the signature of a request."""
            key = key or platform.node_key
            moment = self.headers["Placet-Time"]
            text = signed_text(self.command, self.path, moment, body)
            signature = base64.b64decode(self.headers["Placet-Signature"])
            return key is not None and key.verify(signature, text)

    return Handler


__all__ = ["DOCUMENT", "LOCK", "SECRET", "Platform"]

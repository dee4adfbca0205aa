"""A release's bundle made of its parts without a server, and what both verifiers say of it."""

import base64
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from placet_verify import canonical
from placet_verify.bundle import bundle, nodes
from placet_verify.errors import Refused
from placet_verify.log import checkpoint, events, merkle, tlog_proof
from placet_verify.permit.approvers import Signed
from placet_verify.permit.permit import build_permit
from placet_verify.signing import dsse
from placet_verify.signing.keys import KeyRing, PrivateKey, PublicKey
from placet_verify.statements import (
    EnrolmentStatement,
    PasskeyDecision,
    PasskeyPolicy,
    ProvenanceStatement,
    RootEnrolment,
    Statement,
    VerificationSummary,
)
from placet_verify_js import NAME, page
from tests.support.authenticator import Authenticator
from tests.support.permits import DOCUMENT, NOON, Keys, digest_of, valid_case
from tests.support.signed_models import signed_model, signing_key

ORIGIN = "placet.example/log"
BEFORE = 3  # events of the log that are none of the release
BILL = b'{"bomFormat":"CycloneDX","components":[]}'
ML_BILL = b'{"bomFormat":"CycloneDX","components":[{"type":"machine-learning-model"}]}'
MODEL = {"model.joblib": b"weights", "notes/read.me": b"hello", "empty": b""}
ARTIFACT = [
    {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    for path, content in sorted(MODEL.items())
]
MODEL_KEY = signing_key()
RULES = [
    {"gate": "approvals", "role": role, "count": 1, "passkey": True}
    for role in ("reviewer", "approver")
]
Files = dict[str, bytes]


@cache
def model_signature() -> bytes:
    """Return the ``model.sig`` over the model that OpenSSF's library makes."""
    with tempfile.TemporaryDirectory() as folder:
        return signed_model(Path(folder) / "model", MODEL, MODEL_KEY)


@dataclass
class Papers:
    """The parts of a bundle as they were signed; a test spoils one before they are put together."""

    keys: Keys = field(default_factory=Keys)
    people: dict[str, Authenticator] = field(
        default_factory=lambda: {name: Authenticator() for name in ("vera", "reviewer", "approver")}
    )
    more_events: list[dict[str, Any]] = field(default_factory=list)
    log_key: Any = None
    artifact: Any = field(default_factory=lambda: ARTIFACT)
    model_signature: bytes = field(default_factory=model_signature)
    summary: dict[str, Any] = field(default_factory=dict)  # what it says otherwise
    summary_key: PrivateKey | None = None
    policy_says: dict[str, Any] = field(default_factory=dict)  # besides its gates
    glass: list[Signed] = field(default_factory=list)

    def __post_init__(self) -> None:
        case = valid_case()
        self.keys_document = self.keys.document
        document = DOCUMENT | {"gates": RULES} | self.policy_says
        self.enrolments = [
            self.enrol("vera"),
            self.enrol("reviewer", "vera"),
            self.enrol("approver", "vera"),
        ]
        self.policy = self.by_passkey(
            PasskeyPolicy(
                project="prj_1",
                environment="production",
                revision_id="pol_3",
                number=3,
                document=document,
                drafted_by="per_operator",
                published_by="per_approver",
                at=NOON - timedelta(hours=2),
                nonce="policy-nonce-00001",
                credential=self.people["approver"].credential,
            ),
            "approver",
        )
        self.asked = replace(
            case.request,
            policy_digest=canonical.digest(document),
            artifact_digest=canonical.digest(self.artifact),
        )
        self.request = self.asked.sign(self.keys.decision)
        self.decisions = [self.decide("reviewer"), self.decide("approver")]
        self.provenance = self.built().sign(self.keys.build)

    def enrol(self, who: str, voucher: str = "", **changes: Any) -> Signed:
        """Return the enrolment of a person's passkey, by the root or by another's passkey."""
        said: dict[str, Any] = {
            "person": f"per_{who}",
            "passkey": self.people[who].passkey,
            "enrolled_by": f"per_{voucher}" if voucher else "",
            "credential": self.people[voucher].credential if voucher else "",
            "nonce": "enrolment-nonce-01",
            "at": NOON - timedelta(hours=9),
        } | changes
        if voucher:
            return self.by_passkey(EnrolmentStatement(**said), voucher)
        return Signed(RootEnrolment(**said).sign(self.keys.root))

    def by_passkey(self, statement: Statement, who: str, **client: Any) -> Signed:
        """Return a statement signed by the server and by a person's passkey."""
        envelope = statement.sign(self.keys.decision)
        return Signed(envelope, self.people[who].sign(envelope.payload, **client))

    def decision(self, who: str, **changes: Any) -> PasskeyDecision:
        """Return what a person states when they approve."""
        said: dict[str, Any] = {
            "verdict": "approve",
            "person": f"per_{who}",
            "role": who,
            "nonce": f"{who}-nonce-000001",
            "at": NOON + timedelta(hours=1),
            "credential": self.people[who].credential,
        }
        return PasskeyDecision.on(self.asked, **(said | changes))

    def decide(self, who: str, **changes: Any) -> Signed:
        """Return a person's decision, signed."""
        return self.by_passkey(self.decision(who, **changes), who)

    def built(self, **changes: Any) -> ProvenanceStatement:
        """Return how the Bento came to be."""
        said: dict[str, Any] = {
            "build": "bld_1",
            "version": "ver_1",
            "bento_digest": self.asked.bento_digest,
            "artifact_digest": self.asked.artifact_digest,
            "runtime_digest": digest_of("runtime"),
            "sbom_digest": canonical.digest(BILL),
            "parameters": {"format": "onnx"},
            "isolation": "bwrap",
            "builder": "https://placet.dev/builder",
            "started_at": NOON - timedelta(hours=3),
            "finished_at": NOON - timedelta(hours=2),
        }
        return ProvenanceStatement(**(said | changes))

    def summarised(self, inputs: Mapping[str, bytes]) -> dsse.Envelope:
        """Return the verification summary of these documents, signed."""
        statement = VerificationSummary.of(
            self.asked,
            isolation="bwrap",
            at=NOON + timedelta(hours=2),
            inputs={name: canonical.digest(content) for name, content in inputs.items()},
        )
        return replace(statement, **self.summary).sign(self.summary_key or self.keys.decision)

    @property
    def root(self) -> bytes:
        """The root key that the outsider was given."""
        return self.keys.root.public.to_pem()

    def files(self) -> Files:
        """Return the bundle."""
        permit = build_permit(
            self.policy, self.request, self.decisions, self.enrolments, self.glass
        )
        envelopes = [envelope for _, envelope in _all(self)]
        said = [self._event(envelope) for envelope in envelopes] + self.more_events
        bodies = {BEFORE + n: canonical.dumps(event) for n, event in enumerate(said)}
        logged = events.read({index: body.decode() for index, body in bodies.items()})
        inputs = {
            "permit.json": permit.encode(),
            "provenance.json": self.provenance.to_json().encode(),
            "sbom.json": BILL,
            "artifact.json": canonical.dumps(self.artifact),
            "model.sig": self.model_signature,
            "mlbom.json": ML_BILL,
        }
        return {
            **inputs,
            "vsa.json": self.summarised(inputs).to_json().encode(),
            "keys.json": self.keys_document.encode(),
            "root.pub": self.root,
            "README.txt": bundle.README_TEXT.encode(),
            **nodes.papers(logged),
            **log_files(bodies, self.log_key or self.keys.log),
        }

    def _event(self, envelope: dsse.Envelope) -> dict[str, Any]:
        return {
            "kind": "release.decided.v1",
            "at": "2026-11-25T12:00:00.000000Z",
            "salt": "AAAA",
            "after": {"governance.row:1": {"envelope": envelope.to_json()}},
        }


def log_files(bodies: Mapping[int, bytes], key: PrivateKey) -> Files:
    """Return the proofs of these events, in a log that has some others before them."""
    leaves = [merkle.leaf_hash(b"%d" % n) for n in range(BEFORE)]
    leaves += [merkle.leaf_hash(body) for body in bodies.values()]
    source = merkle.source_of(leaves)
    note = checkpoint.make(ORIGIN, len(leaves), merkle.root(leaves), key)
    return {
        f"log/{index}.tlog-proof": tlog_proof.write(
            index, merkle.inclusion_proof(index, len(leaves), source), note, body
        ).encode()
        for index, body in bodies.items()
    }


def _all(papers: Papers) -> list[tuple[str, dsse.Envelope]]:
    signed = [papers.policy, *papers.decisions, *papers.enrolments, *papers.glass]
    return [("request", papers.request), *(("", one.envelope) for one in signed)]


@dataclass(frozen=True)
class Answer:
    """What a verifier says: the code of its refusal, '' for none, and its lines."""

    code: str
    lines: tuple[str, ...]


def python_says(files: Mapping[str, bytes], root: bytes) -> Answer:
    """Ask the Python verifier, as its command does."""
    lines: list[str] = []
    try:
        public = PublicKey.from_pem(root)
        ring = KeyRing.open(files.get("keys.json", b""), public)
        lines += [f"root key: {public.fingerprint}"]
        lines += [f"keys.json: number {ring.number}, signed by the root"]
        lines.extend(bundle.verify(files, ring))
    except Refused as refusal:
        return Answer(refusal.code, (*lines, refusal.sentence))
    return Answer("", tuple(lines))


JUDGE = """async ({base, cases, root}) => {
  const unpack = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const files = Object.entries(base).map(([name, text]) => [name, unpack(text)]);
  const answers = [];
  for (const changes of cases) {
    const mine = new Map(files);
    for (const [name, text] of Object.entries(changes)) {
      if (text === null) mine.delete(name); else mine.set(name, unpack(text));
    }
    const lines = [];
    const say = (kind, line) => lines.push(line);
    const code = await placetVerify.verifyBundle(mine, {root: unpack(root)}, say);
    answers.push({code, lines});
  }
  return answers;
}"""


class Second:
    """The verifier for browsers, opened from a local file as an outsider does."""

    def __init__(self, browser: Browser, folder: Path, **context: Any) -> None:
        self.file = folder / NAME
        self.file.write_bytes(page())
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(self.file.as_uri())

    def says(
        self, files: Mapping[str, bytes], root: bytes, *cases: Mapping[str, bytes | None]
    ) -> list[Answer]:
        """Verify ``files`` once for each of ``cases``: what is changed (``None``: left out)."""
        found = self.page.evaluate(
            JUDGE,
            {
                "base": {name: _text(content) for name, content in files.items()},
                "cases": [
                    {n: c if c is None else _text(c) for n, c in one.items()} for one in cases
                ],
                "root": _text(root),
            },
        )
        return [Answer(one["code"], tuple(one["lines"])) for one in found]


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def both(second: Second, files: Files, root: bytes) -> Answer:
    """Return what both verifiers say, which is the same but for the words of a refusal."""
    ours, (theirs,) = python_says(files, root), second.says(files, root, {})
    shared = slice(-1 if ours.code else None)
    assert (ours.code, ours.lines[shared]) == (theirs.code, theirs.lines[shared]), theirs.lines
    return theirs


def resigned(envelope: dsse.Envelope, key: PrivateKey, payload: bytes = b"") -> dsse.Envelope:
    """Return an envelope signed anew by ``key``, over another ``payload`` where one is given."""
    return dsse.sign(dsse.STATEMENT, payload or envelope.payload, key)

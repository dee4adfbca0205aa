"""Forged bundles, by somebody who has some of the keys: both verifiers refuse each for one reason.

The Python one is asked here, the other in Chromium.
"""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from placet_verify.log import checkpoint, merkle, tlog_proof
from placet_verify.log.seals import seal
from placet_verify.permit.approvers import Signed
from placet_verify.signing import dsse
from placet_verify.signing.keys import KeyRing, PrivateKey
from tests.support.authenticator import Authenticator
from tests.support.offline import Files, Papers, Second, both, resigned
from tests.support.permits import NOON, OTHER

pytestmark = pytest.mark.browser


def first_decision(papers: Papers, **envelope: Any) -> None:
    signed = papers.decisions[0]
    papers.decisions[0] = replace(signed, envelope=replace(signed.envelope, **envelope))


def decided(papers: Papers, **changes: Any) -> None:
    papers.decisions[0] = papers.decide("reviewer", **changes)


def signed_by(papers: Papers, key: PrivateKey) -> None:
    signed = papers.decisions[0]
    papers.decisions[0] = replace(signed, envelope=resigned(signed.envelope, key))


def key_list(papers: Papers, purpose: str, **changes: Any) -> None:
    entries = tuple(
        replace(one, **changes) if one.purpose == purpose else one for one in papers.keys.ring
    )
    papers.keys_document = KeyRing(2, entries, papers.keys.root.public).seal(papers.keys.root)


def payload_of_the_first(papers: Papers, payload: bytes) -> None:
    envelope = resigned(papers.decisions[0].envelope, papers.keys.decision, payload)
    papers.decisions[0] = Signed(envelope, papers.people["reviewer"].sign(payload))


def a_member_twice(papers: Papers) -> None:
    payload = papers.decisions[0].envelope.payload
    payload_of_the_first(papers, payload.replace(b'"role":', b'"role":"owner","role":', 1))


def a_member_more(papers: Papers) -> None:
    payload = papers.decisions[0].envelope.payload
    payload_of_the_first(papers, payload.replace(b'"role":', b'"really":false,"role":', 1))


def spaces(papers: Papers) -> None:
    payload = papers.decisions[0].envelope.payload
    payload_of_the_first(papers, payload.replace(b'"role":', b'"role": ', 1))


def two_signatures(papers: Papers) -> None:
    good = papers.decisions[0].envelope.signatures[0]
    first_decision(papers, signatures=(replace(good, sig=bytes(64)), good))


def only_the_wrong_signature(papers: Papers) -> None:
    good = papers.decisions[0].envelope.signatures[0]
    first_decision(papers, signatures=(replace(good, sig=bytes(64)),))


def another_payload_type(papers: Papers) -> None:
    payload = papers.decisions[0].envelope.payload
    envelope = dsse.sign(dsse.STATE, payload, papers.keys.decision)
    papers.decisions[0] = replace(papers.decisions[0], envelope=envelope)


def with_the_passkey(change: dict[str, Any], **client: Any) -> Callable[[Papers], None]:
    def spoil(papers: Papers) -> None:
        held = replace(papers.people["reviewer"], **change)
        envelope = papers.decisions[0].envelope
        papers.decisions[0] = Signed(envelope, held.sign(envelope.payload, **client))

    return spoil


def another_passkey(papers: Papers) -> None:
    stranger = Authenticator()
    held = replace(papers.people["reviewer"], key=stranger.key)
    envelope = papers.decisions[0].envelope
    papers.decisions[0] = Signed(envelope, held.sign(envelope.payload))


def replayed(papers: Papers) -> None:
    """Put in what the reviewer signed for another release."""
    other = Papers(keys=papers.keys, people=papers.people)
    other.asked = replace(other.asked, release="rel_2")
    papers.decisions[0] = other.decide("reviewer")


def bound_otherwise(name: str) -> Callable[[Papers], None]:
    def spoil(papers: Papers) -> None:
        decision = replace(papers.decision("reviewer"), **{name: OTHER[name]})
        papers.decisions[0] = papers.by_passkey(decision, "reviewer")

    return spoil


def vouched_by_themselves(papers: Papers) -> None:
    papers.enrolments[1] = papers.enrol("reviewer", "vera", enrolled_by="per_reviewer")


def enrolled_by_the_server(papers: Papers) -> None:
    papers.enrolments[1] = replace(papers.enrolments[1], assertion=None)


def a_root_of_their_own(papers: Papers) -> None:
    statement = papers.enrolments[0]
    papers.enrolments[0] = Signed(resigned(statement.envelope, papers.keys.decision))


def enrolled_afterwards(papers: Papers) -> None:
    papers.enrolments[1] = papers.enrol("reviewer", "vera", at=NOON + timedelta(days=1))


def without_passkeys(papers: Papers) -> None:
    first = papers.decisions[0].envelope.payload
    payload = first.replace(b"decision/v2", b"decision/v1")
    credential = papers.people["reviewer"].credential
    payload = payload.replace(f'"credential":"{credential}",'.encode(), b"", 1)
    papers.decisions[0] = Signed(
        resigned(papers.decisions[0].envelope, papers.keys.decision, payload)
    )


def self_published(papers: Papers) -> None:
    payload = papers.policy.envelope.payload.replace(b"per_operator", b"per_approver")
    envelope = resigned(papers.policy.envelope, papers.keys.decision, payload)
    papers.policy = Signed(envelope, papers.people["approver"].sign(payload))


def demanded_by_the_root(papers: Papers) -> None:
    papers.keys_document = papers.keys.ring.pin(["production"]).seal(papers.keys.root)


def published_without_one(papers: Papers) -> None:
    """Publish a policy by the server's key alone where the root demands a passkey."""
    demanded_by_the_root(papers)
    payload = papers.policy.envelope.payload.replace(b"policy/v2", b"policy/v1")
    credential = papers.people["approver"].credential.encode()
    for member in (b'"credential":"%b",' % credential, b'"nonce":"policy-nonce-00001",'):
        payload = payload.replace(member, b"", 1)
    papers.policy = Signed(resigned(papers.policy.envelope, papers.keys.decision, payload))


def built_by(purpose: str) -> Callable[[Papers], None]:
    def spoil(papers: Papers) -> None:
        papers.provenance = resigned(papers.provenance, getattr(papers.keys, purpose))

    return spoil


def built_otherwise(**changes: Any) -> Callable[[Papers], None]:
    def spoil(papers: Papers) -> None:
        papers.provenance = papers.built(**changes).sign(papers.keys.build)

    return spoil


def an_event_without_seal(papers: Papers) -> None:
    body = {"kind": "role.granted.v1", "at": "2026-11-25T12:00:00.000000Z", "after": {}}
    papers.more_events.append(body)


def an_event_sealed_elsewhere(papers: Papers) -> None:
    body = {"kind": "role.granted.v1", "at": "2026-11-25T12:00:00.000000Z", "after": {}}
    papers.more_events.append(seal(body, 1, papers.keys.access))


def a_foreign_log(papers: Papers) -> None:
    papers.log_key = PrivateKey.generate()


FORGED: list[tuple[str, Callable[[Papers], Any], str]] = [
    ("a key of another purpose", lambda p: signed_by(p, p.keys.build), "wrong_purpose"),
    ("a key of nobody", lambda p: signed_by(p, PrivateKey.generate()), "unknown_key"),
    ("an expired key", lambda p: key_list(p, "decision", valid_until=NOON), "key_not_valid"),
    ("a key from later", lambda p: key_list(p, "decision", valid_from=NOON), "key_not_valid"),
    ("a lost log key", lambda p: key_list(p, "log", ended="lost"), "bad_signature"),
    ("a member twice", a_member_twice, "malformed"),
    ("a member more", a_member_more, "malformed"),
    ("spaces", spaces, "malformed"),
    ("two signatures, one bad", lambda p: two_signatures(p), ""),
    ("a bad signature alone", only_the_wrong_signature, "bad_signature"),
    ("no signature", lambda p: first_decision(p, signatures=()), "unknown_key"),
    ("another payload type", another_payload_type, "wrong_type"),
    ("the payload retyped", lambda p: first_decision(p, payload_type=dsse.STATE), "wrong_type"),
    ("a decision dropped", lambda p: p.decisions.pop(), "quorum"),
    ("a decision twice", lambda p: p.decisions.append(p.decisions[0]), "person_twice"),
    ("a decision of another release", replayed, "other_request"),
    *((f"another {name}", bound_otherwise(name), "bound_differs") for name in OTHER),
    ("a rejection", lambda p: decided(p, verdict="reject"), "rejected"),
    ("changes asked for", lambda p: decided(p, verdict="request_changes"), "changes_requested"),
    ("the request's nonce", lambda p: decided(p, nonce=p.asked.nonce), "nonce_twice"),
    ("a short nonce", lambda p: decided(p, nonce="short"), "weak_nonce"),
    ("another role", lambda p: decided(p, role="approver"), "quorum"),
    ("too late", lambda p: decided(p, at=NOON + timedelta(days=30)), "decided_too_late"),
    ("nobody verified", with_the_passkey({"flags": 0x01}), "not_verified"),
    ("nobody there", with_the_passkey({"flags": 0x04}), "not_present"),
    ("another party", with_the_passkey({"rp_id": "evil.example"}), "other_party"),
    ("another page", with_the_passkey({"origin": "https://evil.example"}), "other_origin"),
    ("a page below", with_the_passkey({"origin": "https://models.localhost"}), "other_origin"),
    ("a page without TLS", with_the_passkey({"origin": "http://a.localhost"}), "other_origin"),
    ("an origin in capitals", with_the_passkey({"origin": "https://LOCALHOST"}), "other_origin"),
    ("its usual port", with_the_passkey({"origin": "https://localhost:443"}), "other_origin"),
    ("a port without end", with_the_passkey({"origin": "https://localhost:65536"}), "other_origin"),
    ("a registration", with_the_passkey({}, type="webauthn.create"), "wrong_ceremony"),
    ("a page inside another", with_the_passkey({}, crossOrigin=True), "cross_origin"),
    ("another challenge", with_the_passkey({}, challenge="AAAA"), "other_document"),
    ("another credential", with_the_passkey({"credential": "AAAA"}), "other_passkey"),
    ("another key", another_passkey, "bad_signature"),
    ("a passkey nobody enrolled", lambda p: p.enrolments.pop(1), "not_enrolled"),
    ("enrolled by themselves", vouched_by_themselves, "own_enrolment"),
    ("enrolled by the server", enrolled_by_the_server, "no_assertion"),
    ("enrolled by a false root", a_root_of_their_own, "bad_signature"),
    ("enrolled afterwards", enrolled_afterwards, "enrolled_later"),
    ("enrolled twice", lambda p: p.enrolments.append(p.enrolments[0]), "enrolled_twice"),
    ("enrolled out of order", lambda p: p.enrolments.reverse(), "not_enrolled"),
    ("no passkey where one is demanded", without_passkeys, "quorum"),
    ("a policy by its drafter", self_published, "policy_self_published"),
    ("passkeys demanded", demanded_by_the_root, ""),
    ("demanded, but not of it", published_without_one, "policy_without_passkey"),
    ("built by another key", built_by("decision"), "wrong_purpose"),
    ("another Bento built", built_otherwise(bento_digest=OTHER["bento_digest"]), "other_build"),
    ("another artifact", built_otherwise(artifact_digest=OTHER["bento_digest"]), "other_build"),
    ("another bill", built_otherwise(sbom_digest=OTHER["bento_digest"]), "other_sbom"),
    ("an older build", built_otherwise(finished_at=NOON - timedelta(days=9)), "key_not_valid"),
    ("an event without its seal", an_event_without_seal, "unsealed"),
    ("an event sealed for another place", an_event_sealed_elsewhere, "unsealed"),
    ("another log", a_foreign_log, "bad_signature"),
]


@pytest.mark.parametrize(("spoil", "code"), [pytest.param(*row[1:], id=row[0]) for row in FORGED])
def test_both_refuse_a_forgery_for_the_same_reason(
    second: Second, spoil: Callable[[Papers], Any], code: str
) -> None:
    papers = Papers()
    spoil(papers)
    assert both(second, papers.files(), papers.root).code == code


def test_both_accept_what_was_not_forged(second: Second) -> None:
    papers = Papers()
    assert both(second, papers.files(), papers.root).code == ""


# --- files changed afterwards ---------------------------------------------------------------------


def proof_with(files: Files, **changes: Any) -> Files:
    name = "log/3.tlog-proof"
    proof = tlog_proof.parse(files[name].decode())
    said = {"index": proof.index, "hashes": proof.hashes, "note": proof.note, "extra": proof.extra}
    made = said | changes
    del files[name]
    return files | {f"log/{made['index']}.tlog-proof": tlog_proof.write(**made).encode()}


def another_head(files: Files, papers: Papers, key: PrivateKey | None = None) -> Files:
    proof = tlog_proof.parse(files["log/3.tlog-proof"].decode())
    head, root = checkpoint.parse(proof.note), merkle.leaf_hash(b"another")
    if key is None:
        old, new = (base64.b64encode(one).decode() for one in (head.root, root))
        return proof_with(files, note=proof.note.replace(old, new))
    return proof_with(files, note=checkpoint.make(head.origin, head.size, root, key))


def listed_twice(files: Files, papers: Papers) -> Files:
    return files | {"permit.json": files["permit.json"].replace(b'"v":2', b'"v":1,"v":2')}


def all_keys_replaced(files: Files, papers: Papers) -> Files:
    other = Papers().files()
    return files | {name: other[name] for name in ("keys.json", "root.pub")}


Change = Callable[[Files, Papers], Files]
SPOILT: list[tuple[str, Change, str]] = [
    ("other keys", all_keys_replaced, "keys_not_by_root"),
    ("a root beside", lambda f, p: f | {"root.pub": Papers().root}, "other_root"),
    ("another text", lambda f, p: f | {"README.txt": b"trust me"}, "differs"),
    ("a member twice", listed_twice, "malformed"),
    ("another version", lambda f, p: f | {"permit.json": b'{"v":3}'}, "malformed"),
    ("another bill", lambda f, p: f | {"sbom.json": b"{}"}, "other_sbom"),
    ("a file more", lambda f, p: f | {"more.txt": b"x"}, "malformed"),
    ("half a letter", lambda f, p: f | {"permit.json": b'"\\ud800"'}, "malformed"),
    ("no events", lambda f, p: {n: c for n, c in f.items() if "log/" not in n}, "no_log"),
    ("one event less", lambda f, p: {n: c for n, c in f.items() if "/4." not in n}, "not_logged"),
    ("another index", lambda f, p: proof_with(f, index=99), "not_in_log"),
    ("another's place", lambda f, p: proof_with(f, index=2), "not_in_log"),
    ("one step less", lambda f, p: proof_with(f, hashes=[]), "not_in_log"),
    ("another body", lambda f, p: proof_with(f, extra=b"{}"), "not_in_log"),
    ("a head changed", another_head, "bad_signature"),
    ("a head by another key", lambda f, p: another_head(f, p, p.keys.state), "bad_signature"),
    ("a head signed anew", lambda f, p: another_head(f, p, p.keys.log), "not_in_log"),
]


@pytest.mark.parametrize(("change", "code"), [pytest.param(*row[1:], id=row[0]) for row in SPOILT])
def test_both_refuse_a_changed_file_for_the_same_reason(
    second: Second, change: Change, code: str
) -> None:
    papers = Papers()
    assert both(second, change(papers.files(), papers), papers.root).code == code


def test_both_refuse_another_root_key(second: Second) -> None:
    papers = Papers()
    assert both(second, papers.files(), Papers().root).code == "keys_not_by_root"
    assert both(second, papers.files(), b"no key").code == "malformed"

"""Each key does one thing, for as long as it is good, and a lost one does nothing more."""

import json
import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from placet_verify import canonical, times
from placet_verify.errors import Malformed, Refused
from placet_verify.predicates import DECISION_TYPE, PROVENANCE_TYPE
from placet_verify.signing import dsse
from placet_verify.signing.keys import (
    ALLOWED,
    OVERLAP,
    PURPOSES,
    KeyPurpose,
    KeyRefused,
    KeyRing,
    PrivateKey,
    PublicKey,
)
from tests.support.permits import NOON, Keys, valid_case

KEYS = Keys()
HOUR = timedelta(hours=1)


def statement(predicate_type: str, at: datetime = NOON) -> tuple[str, bytes]:
    members = {"predicateType": predicate_type, "predicate": {"at": times.rfc3339(at)}}
    return dsse.STATEMENT, canonical.dumps(members)


def payload(kind: str, at: datetime = NOON) -> tuple[str, bytes]:
    return kind, canonical.dumps({"v": 1, "issued_at": times.rfc3339(at)})


EVERY_TYPE = {
    **{
        (dsse.STATEMENT, predicate): statement(predicate)
        for predicate in sorted({p for allowed in ALLOWED.values() for _, p in allowed if p})
    },
    **{(kind, ""): payload(kind) for kind in (dsse.STATE, dsse.REPORT, dsse.KEYS)},
}


def refusal(
    ring: KeyRing, envelope: dsse.Envelope, purpose: KeyPurpose, at: datetime | None = None
) -> str:
    with pytest.raises(KeyRefused) as caught:
        ring.verify(envelope, purpose, at)
    return caught.value.code


@pytest.mark.parametrize("purpose", ["decision", "build", "state", "log"])
@pytest.mark.parametrize("kind", list(EVERY_TYPE), ids=lambda kind: kind[1] or kind[0])
def test_a_key_signs_what_its_purpose_names_and_nothing_else(
    purpose: KeyPurpose, kind: tuple[str, str]
) -> None:
    envelope = dsse.sign(*EVERY_TYPE[kind], getattr(KEYS, purpose))
    if kind in ALLOWED[purpose]:
        assert KEYS.ring.verify(envelope, purpose) == envelope.payload
    else:
        assert refusal(KEYS.ring, envelope, purpose) == "wrong_type"
    for other in PURPOSES:
        if other != purpose and kind in ALLOWED[other]:
            assert refusal(KEYS.ring, envelope, other) == "wrong_purpose"


def test_no_type_of_payload_belongs_to_two_purposes() -> None:
    every = [kind for allowed in ALLOWED.values() for kind in allowed]
    assert len(every) == len(set(every))


def test_a_signature_outlives_the_rotation_of_its_key() -> None:
    ring = KEYS.ring.add("decision", PrivateKey.generate().public, NOON)
    before = dsse.sign(*statement(DECISION_TYPE, NOON - HOUR), KEYS.decision)
    after = dsse.sign(*statement(DECISION_TYPE, NOON + HOUR), KEYS.decision)
    assert ring.verify(before, "decision") == before.payload
    assert refusal(ring, after, "decision") == "key_not_valid"


def test_old_and_new_key_overlap_while_a_rotation_is_under_way() -> None:
    fresh = PrivateKey.generate()
    ring = KEYS.ring.add("decision", fresh.public, NOON)
    for key in (KEYS.decision, fresh):
        envelope = dsse.sign(*statement(DECISION_TYPE, NOON), key)
        assert ring.verify(envelope, "decision") == envelope.payload
    assert ring.current("decision", NOON).public == fresh.public
    early = dsse.sign(*statement(DECISION_TYPE, NOON - OVERLAP - HOUR), fresh)
    assert refusal(ring, early, "decision") == "key_not_valid"


def test_a_lost_key_counts_until_the_loss_and_not_after() -> None:
    ring = KEYS.ring.revoke(KEYS.decision.id, NOON)
    before = dsse.sign(*statement(DECISION_TYPE, NOON - HOUR), KEYS.decision)
    at_loss = dsse.sign(*statement(DECISION_TYPE, NOON), KEYS.decision)
    assert ring.verify(before, "decision") == before.payload
    assert refusal(ring, at_loss, "decision") == "key_not_valid"
    with pytest.raises(KeyRefused):
        ring.current("decision", NOON)


def test_a_loss_found_out_late_reaches_back_before_the_rotation() -> None:
    rotated = KEYS.ring.add("decision", PrivateKey.generate().public, NOON)
    ring = rotated.revoke(KEYS.decision.id, NOON - 2 * HOUR)
    between = dsse.sign(*statement(DECISION_TYPE, NOON - HOUR), KEYS.decision)
    assert rotated.verify(between, "decision") == between.payload
    assert refusal(ring, between, "decision") == "key_not_valid"
    later = ring.revoke(KEYS.decision.id, NOON)
    assert refusal(later, between, "decision") == "key_not_valid"


def test_the_list_is_believed_only_from_the_root() -> None:
    with pytest.raises(KeyRefused) as caught:
        KeyRing.open(KEYS.document, PrivateKey.generate().public)
    assert caught.value.code == "keys_not_by_root"
    with pytest.raises(KeyRefused):
        KEYS.ring.seal(PrivateKey.generate())


def test_an_older_list_is_not_taken_again() -> None:
    newer = KEYS.ring.revoke(KEYS.state.id, NOON).seal(KEYS.root)
    assert KeyRing.open(newer, KEYS.root.public, floor=2).number == 2
    with pytest.raises(KeyRefused) as caught:
        KeyRing.open(KEYS.document, KEYS.root.public, floor=2)
    assert caught.value.code == "keys_too_old"


def test_the_list_reads_back_whole() -> None:
    ring = KEYS.ring.add("build", PrivateKey.generate().public, NOON).revoke(KEYS.log.id, NOON)
    assert KeyRing.open(ring.seal(KEYS.root), KEYS.root.public) == ring
    assert {entry.purpose for entry in ring} == {"decision", "access", "build", "state", "log"}


def test_a_key_is_listed_once() -> None:
    with pytest.raises(KeyRefused):
        KEYS.ring.add("build", KEYS.decision.public, NOON)
    with pytest.raises(KeyRefused):
        KEYS.ring.get("0" * 16)


@pytest.mark.parametrize(
    "spoil",
    [
        {"id": "0" * 16},
        {"purpose": "everything"},
        {"public": "AAAA"},
        {"valid_from": "yesterday"},
        {"valid_until": 5},
    ],
)
def test_a_list_with_a_wrong_line_is_refused_whole(spoil: dict[str, object]) -> None:
    members = json.loads(dsse.Envelope.from_json(KEYS.document).payload)
    members["keys"][0].update(spoil)
    document = dsse.sign(dsse.KEYS, canonical.dumps(members), KEYS.root).to_json()
    with pytest.raises(Malformed):
        KeyRing.open(document, KEYS.root.public)


def test_a_statement_that_does_not_say_when_is_refused() -> None:
    envelope = dsse.sign(
        dsse.STATEMENT, canonical.dumps({"predicateType": DECISION_TYPE}), KEYS.decision
    )
    with pytest.raises(Malformed):
        KEYS.ring.verify(envelope, "decision")


def test_provenance_says_when_the_build_finished() -> None:
    at = {"runDetails": {"metadata": {"finishedOn": times.rfc3339(NOON)}}}
    members = {"predicateType": PROVENANCE_TYPE, "predicate": at}
    envelope = dsse.sign(dsse.STATEMENT, canonical.dumps(members), KEYS.build)
    assert KEYS.ring.verify(envelope, "build") == envelope.payload


def test_a_key_file_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    key, path = PrivateKey.generate(), tmp_path / "state.key"
    key.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PrivateKey.load(path).public == key.public
    with pytest.raises(FileExistsError):
        PrivateKey.generate().save(path)
    assert key.to_pem().decode() not in repr(key)


def test_other_kinds_of_key_files_are_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    strange = ec.generate_private_key(ec.SECP256R1())
    pem = strange.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "a.key").write_bytes(pem)
    (tmp_path / "b.key").write_bytes(b"not a key")
    for name in ("a.key", "b.key"):
        with pytest.raises(Malformed):
            PrivateKey.load(tmp_path / name)
        with pytest.raises(Malformed):
            PublicKey.load(tmp_path / name)


def test_public_keys_read_back_in_both_forms() -> None:
    public = KEYS.log.public
    assert PublicKey.from_base64(public.to_base64()) == public
    assert PublicKey.from_pem(public.to_pem()) == public
    assert not public.verify(b"short", b"message")
    with pytest.raises(Malformed):
        PublicKey.from_base64("?")


def test_the_signature_of_one_type_is_none_of_another() -> None:
    signed = valid_case().request.sign(KEYS.decision)
    retyped = dsse.Envelope(dsse.STATE, signed.payload, signed.signatures)
    with pytest.raises(Refused):
        dsse.verify(retyped, [KEYS.decision.public], dsse.STATE)
    with pytest.raises(Refused):
        dsse.verify(signed, [KEYS.decision.public], dsse.STATE)
    assert dsse.verify(signed, [KEYS.decision.public], dsse.STATEMENT) == signed.payload


def test_the_signed_bytes_are_those_of_the_dsse_specification() -> None:
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        '{"payload":"AA==","payloadType":"x"}',
        '{"payload":"A","payloadType":"x","signatures":[]}',
        '{"payload":"AB==","payloadType":"x","signatures":[]}',
        '{"payload":"AA==","payloadType":"x","signatures":[{"sig":"AA=="}]}',
        '{"payload":"AA==","payload":"AA==","payloadType":"x","signatures":[]}',
    ],
)
def test_what_is_no_envelope_is_refused(document: str) -> None:
    with pytest.raises(Malformed):
        dsse.Envelope.from_json(document)


def test_only_known_types_are_signed_and_never_by_nobody() -> None:
    with pytest.raises(ValueError, match="payload type"):
        dsse.sign("text/plain", b"", KEYS.state)
    with pytest.raises(ValueError, match="at least one key"):
        dsse.sign(dsse.STATE, b"")

"""Where passkeys are demanded, whoever has every key of the server still approves nothing."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from placet_verify.errors import Malformed, Refused
from placet_verify.permit.permit import Permit, PermitRefused, permit
from placet_verify.signing.keys import KeyRing
from placet_verify.signing.webauthn import Assertion, Passkey, PasskeyRefused, decode, encode
from placet_verify.statements import DecisionStatement, PolicyStatement
from tests.support.authenticator import Authenticator
from tests.support.passkey_release import PINNED, Signing, decision, enrolment
from tests.support.permits import NOON, OTHER, Case, approvals, digest_of

SIGNING = Signing()
RING = SIGNING.ring
CASE = SIGNING.case()
VALID = SIGNING.permit(CASE)


def check(document: str, ring: KeyRing = RING) -> Permit:
    return permit(document, ring, expect=CASE.expected(), starting_at=NOON)


def refusal(document: str, ring: KeyRing = RING) -> str:
    with pytest.raises(PermitRefused) as caught:
        check(document, ring)
    assert caught.value.sentence
    return caught.value.code


def test_what_two_people_signed_with_their_passkeys_may_run() -> None:
    found = check(VALID)
    assert found.passkeys == {"per_approver", "per_reviewer"}


# --- whoever has the decision key -----------------------------------------------------------------


def test_decisions_without_a_passkey_do_not_count() -> None:
    plain = approvals(CASE.request)
    document = SIGNING.permit(CASE, decisions=[SIGNING.signed(one, None) for one in plain])
    assert refusal(document) == "quorum"


@pytest.mark.parametrize("gates", [[], [{"gate": "approvals", "role": "reviewer", "count": 1}]])
def test_a_policy_that_demands_less_does_not_count(gates: list[Any]) -> None:
    lax = {name: getattr(CASE.policy, name) for name in ("project", "environment", "revision_id")}
    policy = PolicyStatement(
        **lax,
        number=3,
        document={"version": 1, "expires_after_days": 14, "gates": gates},
        drafted_by="per_operator",
        published_by="per_approver",
        at=NOON - timedelta(hours=2),
    )
    request = replace(CASE.request, policy_digest=policy.document_digest)
    forged = Case(policy, request, [])
    plain = [SIGNING.signed(one, None) for one in approvals(request)]
    document = SIGNING.permit(forged, policy=SIGNING.signed(policy, None), decisions=plain)
    assert refusal(document) == "policy_without_passkey"


def test_an_approver_alone_cannot_publish_a_policy_that_demands_no_passkeys() -> None:
    document = {"version": 1, "expires_after_days": 14, "gates": []}
    policy = replace(CASE.policy, document=document)
    request = replace(CASE.request, policy_digest=policy.document_digest)
    assert refusal(SIGNING.permit(Case(policy, request, []))) == "passkeys_demanded"


def test_a_passkey_that_only_the_server_enrolled_does_not_count() -> None:
    """An enrolment that somebody put into the database: the decision key signs it, nobody else."""
    own = Authenticator()
    inserted = SIGNING.signed(enrolment("per_reviewer", own), None)
    decisions = [
        SIGNING.signed(decision(CASE.request, "reviewer", own), own),
        SIGNING.signed(CASE.decisions[1], SIGNING.approver),
    ]
    document = SIGNING.permit(
        CASE, decisions=decisions, enrolments=[SIGNING.enrolments()[0], inserted]
    )
    assert refusal(document) == "bad_signature"


def test_nobody_enrols_a_passkey_for_themselves_or_by_another_ones() -> None:
    own = Authenticator()
    for statement, by, code in (
        (
            enrolment("per_approver", own, "per_approver", SIGNING.approver),
            SIGNING.approver,
            "own_enrolment",
        ),
        (
            enrolment("per_reviewer", own, "per_reviewer_2", SIGNING.approver),
            SIGNING.approver,
            "other_person",
        ),
        (enrolment("per_reviewer", own, "per_nobody", own), own, "not_enrolled"),
        (enrolment("per_reviewer", own, "per_approver", SIGNING.approver), None, "no_assertion"),
    ):
        chain = [SIGNING.enrolments()[0], SIGNING.signed(statement, by)]
        assert refusal(SIGNING.permit(CASE, enrolments=chain)) == code


@pytest.mark.parametrize("key", ["decision", "access", "state", "log", "build"])
def test_no_key_of_the_server_enrols_as_the_root_does(key: str) -> None:
    own = Authenticator()
    forged = SIGNING.signed(enrolment("per_reviewer", own), None, getattr(SIGNING.keys, key))
    assert refusal(SIGNING.permit(CASE, enrolments=[forged])) == "bad_signature"


def test_an_enrolment_comes_behind_whoever_vouches_for_it_and_once() -> None:
    chain = SIGNING.enrolments()
    assert refusal(SIGNING.permit(CASE, enrolments=chain[::-1])) == "not_enrolled"
    assert refusal(SIGNING.permit(CASE, enrolments=[*chain, chain[1]])) == "enrolled_twice"
    assert refusal(SIGNING.permit(CASE, enrolments=[])) == "not_enrolled"


def test_nobody_signs_before_being_enrolled() -> None:
    late = replace(
        enrolment("per_reviewer", SIGNING.reviewer, "per_approver", SIGNING.approver),
        at=NOON + timedelta(hours=2),
    )
    chain = [SIGNING.enrolments()[0], SIGNING.signed(late, SIGNING.approver)]
    assert refusal(SIGNING.permit(CASE, enrolments=chain)) == "enrolled_later"


def test_one_passkey_is_not_two_people() -> None:
    mine = replace(CASE.decisions[0], credential=SIGNING.approver.credential)
    signed = [
        SIGNING.signed(mine, SIGNING.approver),
        SIGNING.signed(CASE.decisions[1], SIGNING.approver),
    ]
    assert refusal(SIGNING.permit(CASE, decisions=signed)) == "other_person"


BOUND = OTHER | {
    "evidence": [digest_of("other evidence")],
    "person": "per_somebody",
    "role": "approver",
    "nonce": "another-nonce-00001",
    "comment_commitment": digest_of("another comment"),
    "at": NOON + timedelta(hours=2),
}


@pytest.mark.parametrize("name", BOUND)
def test_a_passkey_signs_each_bound_member(name: str) -> None:
    """The thief of the decision key signs the change; the passkey's answer stays as it was."""
    signed = SIGNING.signed(CASE.decisions[0], SIGNING.reviewer)
    other = replace(CASE.decisions[0], **{name: BOUND[name]})
    forged = replace(signed, envelope=other.sign(SIGNING.keys.decision))
    second = SIGNING.signed(CASE.decisions[1], SIGNING.approver)
    refusal(SIGNING.permit(CASE, decisions=[forged, second]))


def test_the_answer_to_a_rejection_is_none_to_an_approval() -> None:
    rejected = SIGNING.signed(replace(CASE.decisions[0], verdict="reject"), SIGNING.reviewer)
    forged = replace(rejected, envelope=CASE.decisions[0].sign(SIGNING.keys.decision))
    second = SIGNING.signed(CASE.decisions[1], SIGNING.approver)
    assert refusal(SIGNING.permit(CASE, decisions=[forged, second])) == "other_document"


def test_a_passkey_decision_passed_off_as_a_plain_one_is_void() -> None:
    document = SIGNING.permit(CASE, decisions=[SIGNING.signed(CASE.decisions[0], None)])
    assert refusal(document) == "wrong_type"
    as_before = json.loads(VALID)
    old = {
        "v": 1,
        "policy": as_before["policy"]["envelope"],
        "request": as_before["request"],
        "decisions": [one["envelope"] for one in as_before["decisions"]],
    }
    assert refusal(json.dumps(old)) == "wrong_type"


def test_a_passkey_does_not_do_without_the_servers_signature() -> None:
    statement = CASE.decisions[0]
    signed = SIGNING.signed(statement, SIGNING.reviewer, SIGNING.keys.state)
    second = SIGNING.signed(CASE.decisions[1], SIGNING.approver)
    assert refusal(SIGNING.permit(CASE, decisions=[signed, second])) == "wrong_purpose"


def test_a_list_of_keys_from_before_the_demand_is_refused_by_its_number() -> None:
    old = SIGNING.keys.ring.seal(SIGNING.keys.root)
    with pytest.raises(Refused, match="already seen"):
        KeyRing.open(old, SIGNING.keys.root.public, floor=RING.number)


def test_no_demand_no_passkeys_and_other_environments_are_as_before() -> None:
    assert RING.passkeys == {PINNED}
    assert SIGNING.keys.ring.passkeys == frozenset()
    assert check(VALID, SIGNING.keys.ring).passkeys


# --- the assertion itself -------------------------------------------------------------------------

DOCUMENT = b"what is signed"


def signs(by: Authenticator, **client: Any) -> Assertion:
    return by.sign(DOCUMENT, **client)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ],
)
def test_each_kind_of_passkey_signs(make: Callable[[], Any]) -> None:
    one = Authenticator(make())
    one.passkey.verify(signs(one), DOCUMENT)
    with pytest.raises(PasskeyRefused, match="something else"):
        one.passkey.verify(signs(one), DOCUMENT + b"!")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=1024),
    ],
)
def test_weak_and_unknown_keys_are_no_passkeys(make: Callable[[], Any]) -> None:
    with pytest.raises(Malformed):
        _ = Authenticator(make()).passkey
    with pytest.raises(Malformed):
        Passkey("abcd", b"no key", "localhost")


@pytest.mark.parametrize(
    ("changes", "client", "code"),
    [
        ({"flags": 0x01}, {}, "not_verified"),
        ({"flags": 0x04}, {}, "not_present"),
        ({"origin": "https://evil.example"}, {}, "other_origin"),
        ({"origin": "https://localhost.evil.example"}, {}, "other_origin"),
        ({"origin": "https://evil-localhost"}, {}, "other_origin"),
        ({"origin": "https://models.localhost"}, {}, "other_origin"),
        ({"origin": "ftp://localhost"}, {}, "other_origin"),
        ({"origin": "http://[localhost"}, {}, "other_origin"),
        ({"origin": "https://LOCALHOST"}, {}, "other_origin"),
        ({"origin": "https://localhost/"}, {}, "other_origin"),
        ({"origin": "https://localhost:443"}, {}, "other_origin"),
        ({"origin": "http://localhost:80"}, {}, "other_origin"),
        ({"origin": "https://localhost:08443"}, {}, "other_origin"),
        ({"origin": "https://localhost:65536"}, {}, "other_origin"),
        ({"origin": "https://local\thost"}, {}, "other_origin"),
        ({"origin": "https://a:b@localhost"}, {}, "other_origin"),
        ({"origin": "https://evil.example\\@localhost"}, {}, "other_origin"),
        ({}, {"origin": None}, "other_origin"),
        ({}, {"crossOrigin": True}, "cross_origin"),
        ({}, {"crossOrigin": "false"}, "cross_origin"),
        ({}, {"type": "webauthn.create"}, "wrong_ceremony"),
        ({}, {"challenge": ""}, "other_document"),
    ],
)
def test_an_assertion_of_another_kind_is_refused(
    changes: dict[str, Any], client: dict[str, Any], code: str
) -> None:
    one = replace(Authenticator(), **changes)
    with pytest.raises(PasskeyRefused) as caught:
        one.passkey.verify(signs(one, **client), DOCUMENT)
    assert caught.value.code == code


def test_a_page_over_plain_http_counts_on_this_machine_alone() -> None:
    for origin, right in (("https://bank.example:8443", True), ("http://bank.example", False)):
        one = Authenticator(rp_id="bank.example", origin=origin)
        if right:
            one.passkey.verify(signs(one), DOCUMENT)
        else:
            with pytest.raises(PasskeyRefused):
                one.passkey.verify(signs(one), DOCUMENT)


def test_a_passkey_of_another_party_or_person_is_refused() -> None:
    one, other = Authenticator(), Authenticator()
    for changes, code in (
        ({"rp_id": "evil.example"}, "other_party"),
        ({"key": other.key}, "bad_signature"),
        ({"credential": other.credential}, "other_passkey"),
    ):
        with pytest.raises(PasskeyRefused) as caught:
            one.passkey.verify(signs(replace(one, **changes)), DOCUMENT)
        assert caught.value.code == code


@given(data=st.data())
def test_a_flipped_bit_anywhere_in_what_people_signed_is_noticed(data: st.DataObject) -> None:
    document = json.loads(VALID)
    entry = data.draw(
        st.sampled_from([document["policy"], *document["decisions"], document["enrolments"][1]])
    )
    member = data.draw(st.sampled_from(["authenticator_data", "client_data", "signature"]))
    raw = bytearray(decode(entry["assertion"][member]))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    entry["assertion"][member] = encode(bytes(raw))
    refusal(json.dumps(document))


@given(data=st.data())
def test_a_flipped_bit_in_an_enrolment_is_noticed(data: st.DataObject) -> None:
    document = json.loads(VALID)
    envelope = data.draw(st.sampled_from(document["enrolments"]))["envelope"]
    raw = bytearray(base64.b64decode(envelope["payload"]))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    envelope["payload"] = base64.b64encode(raw).decode()
    refusal(json.dumps(document))


@pytest.mark.parametrize(
    "members",
    [
        None,
        {},
        {"credential": "a", "authenticator_data": "", "client_data": "", "signature": ""},
        {"credential": "", "authenticator_data": "", "client_data": "", "signature": ""},
        {"credential": "AA==", "authenticator_data": "", "client_data": "", "signature": ""},
        {"credential": "AB", "authenticator_data": "", "client_data": "", "signature": ""},
        {"credential": "AA", "authenticator_data": "", "client_data": "", "signature": "", "x": 1},
    ],
)
def test_an_assertion_has_one_form(members: Any) -> None:
    with pytest.raises(Malformed):
        Assertion.from_dict(members)


def test_a_statement_of_the_old_kind_stays_readable() -> None:
    for statement in approvals(CASE.request):
        assert DecisionStatement.parse(statement.payload()) == statement

"""Passkeys that approvers sign with: offered by their person, vouched for by another approver.

``offered → enrolled → withdrawn``. Whoever vouches signs with a passkey that counts already; for
the first ones the root key does, on the server's own command line.
"""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from apps.audit.actions import Recorder, record
from apps.identity import hooks
from apps.identity.actions.checks import by_person, unique
from apps.identity.actions.credentials import themselves, vouched
from apps.identity.errors import NotOffered, OwnEnrolment, WrongPasskey
from apps.identity.events import PASSKEY_ENROLLED, PASSKEY_OFFERED, PASSKEY_WITHDRAWN
from apps.identity.models import NOT_WITHDRAWN, ApproverPasskey, PasskeyState, User
from apps.identity.queries import authorize, fresh_grants, visible_passkeys
from apps.identity.sign_in.freshness import demand_fresh, demand_session
from apps.identity.trust import passkeys
from apps.identity.trust.passkeys import (
    PasskeyQuestion,
    answered,
    ask,
    public_half,
    signing_passkey,
)
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput, NeedsPermission, NotFound
from placet.kernel.states import move
from placet.kernel.texts import clean_text
from placet_verify import canonical
from placet_verify.errors import Malformed, Refused
from placet_verify.permit.approvers import Signed, read_enrolments
from placet_verify.signing.keys import KeyRing, PrivateKey
from placet_verify.signing.webauthn import Passkey, encode
from placet_verify.statements import EnrolmentStatement, RootEnrolment


def ask_to_offer(authenticator: int, *, actor: Actor) -> PasskeyQuestion:
    """Return what a passkey of the actor's own signs to be offered: that it is there, and asks who
    touches it. ``authenticator`` is the number of one that they sign in with."""
    passkey = _sign_in_passkey(authenticator, actor)
    members = {"offer": passkey.credential, "person": actor.id, "nonce": secrets.token_hex(16)}
    return ask(actor, f"offer {authenticator}", canonical.dumps(members), passkey)


def offer_passkey(
    authenticator: int, *, name: str, assertion: Mapping[str, Any], actor: Actor
) -> ApproverPasskey:
    """Offer a passkey that the actor signs in with as one that they sign decisions with."""
    passkey = _sign_in_passkey(authenticator, actor)
    text = clean_text("name", name, limit=120)
    with record(actor) as log:
        person = vouched(User.objects.get(pk=actor.id))
        passkeys.verify(passkey, answered(actor, f"offer {authenticator}", assertion))
        row = ApproverPasskey(
            person=person,
            name=text,
            credential=passkey.credential,
            public_key=base64.b64encode(passkey.public_key).decode("ascii"),
            rp_id=passkey.rp_id,
        )
        with unique("authenticator"):
            row.save(force_insert=True)
        log.add(PASSKEY_OFFERED, row)
        return row


def ask_to_enrol(row: ApproverPasskey, *, chosen: str = "", actor: Actor) -> PasskeyQuestion:
    """Return what the actor's passkey (``chosen``, else the newest) signs to vouch for ``row``."""
    _check_voucher(row, actor)
    own = signing_passkey(actor, chosen)
    statement = EnrolmentStatement(
        person=row.person_id,
        passkey=public_half(row),
        enrolled_by=actor.id,
        credential=own.credential,
        nonce=secrets.token_hex(16),
        at=now(),
    )
    return ask(actor, f"enrol {row.pk}", statement.payload(), public_half(own), {"own": own.pk})


def enrol_passkey(
    row: ApproverPasskey, *, assertion: Mapping[str, Any], actor: Actor
) -> ApproverPasskey:
    """Vouch for another person's passkey. Needs ``release.approve`` somewhere, and an own one."""
    _check_voucher(row, actor)
    signer, ring = keystore.signer("decision"), keystore.ring()
    with record(actor) as log, hooks.more_access(actor):
        held = fresh_grants(actor.id, lock=True)
        if not any(grant.permission == "release.approve" for grant in held):
            raise NeedsPermission(actor, "release.approve", scope=None)
        answer = answered(actor, f"enrol {row.pk}", assertion)
        own = signing_passkey(actor, answer.notes["own"], lock=True)
        statement = EnrolmentStatement.parse(answer.document)
        signed = Signed(statement.sign(signer), answer.assertion)
        _check_chain(signed, own, ring)
        return _enrol(row, signed, own, log)


def enrol_by_root(row: ApproverPasskey, root: PrivateKey) -> ApproverPasskey:
    """Vouch for one of the first passkeys with the root key, on the server's command line."""
    statement = RootEnrolment(
        person=row.person_id,
        passkey=public_half(row),
        enrolled_by="",
        credential="",
        nonce=secrets.token_hex(16),
        at=now(),
    )
    signed = Signed(statement.sign(root))
    _check_chain(signed, None, keystore.ring())
    with record(SYSTEM) as log:
        return _enrol(row, signed, None, log)


def withdraw_passkey(row: ApproverPasskey, *, actor: Actor) -> ApproverPasskey:
    """Have a passkey sign nothing any more: its person may, and an access admin.

    What it signed before stays as it was decided.
    """
    by_person(actor)
    with record(actor) as log:
        if row.person_id != actor.accountable:
            authorize(actor, "access.manage", None)
            demand_fresh(actor)
        locked = ApproverPasskey.objects.select_for_update(of=("self",), no_key=True).get(pk=row.pk)
        if not move(locked, expected=NOT_WITHDRAWN, to=PasskeyState.WITHDRAWN, withdrawn_at=now()):
            raise NotOffered("It was withdrawn before")
        log.add(PASSKEY_WITHDRAWN, locked)
        return locked


def withdraw_of(person: User, log: Recorder, credential: str = "") -> None:
    """Withdraw what ``person`` signs with: all of it, or the one passkey of this credential."""
    rows = ApproverPasskey.objects.select_for_update(of=("self",), no_key=True).filter(
        person=person
    )
    for row in rows.filter(credential=credential) if credential else rows.order_by("pk"):
        if move(row, expected=NOT_WITHDRAWN, to=PasskeyState.WITHDRAWN, withdrawn_at=now()):
            log.add(PASSKEY_WITHDRAWN, row)


def withdraw_removed(person: User, authenticator: Authenticator) -> None:
    """Have what ``person`` no longer signs in with sign no decision either."""
    if authenticator.type == Authenticator.Type.WEBAUTHN:
        with record(themselves(person)) as log:
            withdraw_of(person, log, passkeys.credential_of(authenticator))


def _enrol(
    row: ApproverPasskey, signed: Signed, own: ApproverPasskey | None, log: Recorder
) -> ApproverPasskey:
    locked = ApproverPasskey.objects.select_for_update(of=("self",), no_key=True).get(pk=row.pk)
    changes = {**passkeys.stored(signed), "vouched_by": own, "enrolled_at": now()}
    if not move(locked, expected=PasskeyState.OFFERED, to=PasskeyState.ENROLLED, **changes):
        raise NotOffered("Only an offered passkey is vouched for")
    log.add(PASSKEY_ENROLLED, locked)
    return locked


def _check_chain(signed: Signed, own: ApproverPasskey | None, ring: KeyRing) -> None:
    """Verify the enrolment as every node does, from the root on."""
    chain = passkeys.enrolments([own.credential]) if own else []
    try:
        read_enrolments([*chain, signed], ring)
    except Refused as refusal:
        raise WrongPasskey(refusal.sentence) from None


def _check_voucher(row: ApproverPasskey, actor: Actor) -> None:
    demand_session(actor)
    if not visible_passkeys(actor).filter(pk=row.pk).exists():
        raise NotFound
    if row.person_id == actor.accountable:
        raise OwnEnrolment
    if not actor.can_somewhere("release.approve"):
        raise NeedsPermission(actor, "release.approve", scope=None)
    if row.state != PasskeyState.OFFERED:
        raise NotOffered("Only an offered passkey is vouched for")


def _sign_in_passkey(number: int, actor: Actor) -> Passkey:
    """Return a passkey that the actor signs in with; one of a kind that cannot sign is refused."""
    demand_session(actor)
    authenticator = Authenticator.objects.filter(
        pk=number, user_id=actor.id, type=Authenticator.Type.WEBAUTHN
    ).first()
    if authenticator is None:
        raise InvalidInput(errors=[FieldError("/authenticator", "You have no such passkey")])
    data = authenticator.wrap().authenticator_data.credential_data
    try:
        return Passkey(encode(data.credential_id), _spki(data.public_key), passkeys.relying_party())
    except (Malformed, KeyError, ValueError):
        detail = "A passkey of this kind cannot sign here: use one with P-256, Ed25519 or RSA"
        raise InvalidInput(errors=[FieldError("/authenticator", detail)]) from None


def _spki(cose: Mapping[int, Any]) -> bytes:
    """Return a COSE key (RFC 9053) as SubjectPublicKeyInfo in DER."""
    key: Any
    match cose[3]:
        case -7:
            x, y = (int.from_bytes(cose[name], "big") for name in (-2, -3))
            key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        case -8:
            key = ed25519.Ed25519PublicKey.from_public_bytes(cose[-2])
        case -257:
            n, e = (int.from_bytes(cose[name], "big") for name in (-1, -2))
            key = rsa.RSAPublicNumbers(e, n).public_key()
        case _:
            raise Malformed("this kind of key is not supported")
    return bytes(
        key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )

"""Asking a person's passkey to sign a document, once, and taking its answer.

What is to be signed is put together and kept here when the browser asks for it, and taken out with
the answer: an answer that nobody asked for, that comes again or too late, signs nothing.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from allauth.mfa.models import Authenticator
from django.core.cache import cache

from apps.identity.errors import NeedsPasskey, NotAsked, WrongPasskey
from apps.identity.models import ApproverPasskey, PasskeyState
from placet.kernel.actor import Actor
from placet.kernel.config import config
from placet.kernel.problems import FieldError, InvalidInput
from placet_verify.errors import Refused
from placet_verify.permit.approvers import Signed, read_enrolments
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import KeyRing
from placet_verify.signing.webauthn import Assertion, Passkey, challenge, encode

SECONDS = 300


@dataclass(frozen=True, slots=True)
class PasskeyQuestion:
    """What the browser asks the authenticator (``PublicKeyCredentialRequestOptions``)."""

    challenge: str
    rp_id: str
    credential: str
    timeout_ms: int = SECONDS * 1000
    user_verification: str = "required"


@dataclass(frozen=True, slots=True)
class PasskeyAnswer:
    """A document that was asked for, and what its passkey signed."""

    document: bytes
    notes: Mapping[str, str]
    assertion: Assertion


def ask(
    actor: Actor,
    about: str,
    document: bytes,
    passkey: Passkey,
    notes: Mapping[str, str] | None = None,
) -> PasskeyQuestion:
    """Keep ``document`` for five minutes as what ``actor`` is to sign ``about`` something.

    It takes the place of what they were asked about the same before.
    """
    kept = {"document": base64.b64encode(document).decode("ascii"), **(notes or {})}
    cache.set(_name(actor, about), json.dumps(kept), SECONDS)
    return PasskeyQuestion(encode(challenge(document)), passkey.rp_id, passkey.credential)


def answered(actor: Actor, about: str, assertion: Mapping[str, Any]) -> PasskeyAnswer:
    """Take out what ``actor`` was asked to sign ``about`` something; raise :class:`NotAsked`, or
    :class:`WrongPasskey` when another page than ours asked the passkey.

    The signature is still to be verified.
    """
    try:
        parsed = Assertion.from_dict(dict(assertion))
    except Refused as refusal:
        raise InvalidInput(errors=[FieldError("/assertion", refusal.sentence)]) from None
    name = _name(actor, about)
    cached = cache.get(name)
    if cached is None or not cache.delete(name):  # of two answers at once one is taken
        raise NotAsked
    _demand_own_page(parsed)
    kept: dict[str, str] = json.loads(cached)
    return PasskeyAnswer(base64.b64decode(kept.pop("document")), kept, parsed)


def _demand_own_page(assertion: Assertion) -> None:
    """Offline the host must do: which port is ours only the server knows."""
    ours = config().public_origin
    try:
        asked_by = assertion.origin
    except Refused as refusal:
        raise WrongPasskey(refusal.sentence) from None
    if asked_by != ours:
        raise WrongPasskey(f"the passkey was not asked by a page of {ours}")


def verify(passkey: Passkey, answer: PasskeyAnswer) -> None:
    """Raise :class:`WrongPasskey` unless ``passkey`` signed what was asked."""
    try:
        passkey.verify(answer.assertion, answer.document)
    except Refused as refusal:
        raise WrongPasskey(refusal.sentence) from None


def check(signed: Signed, own: ApproverPasskey, *, at: datetime, ring: KeyRing) -> None:
    """Verify what ``own`` signed as every node does: from the root on, whatever the row says."""
    try:
        read_enrolments(enrolments([own.credential]), ring).check(
            signed, person=own.person_id, credential=own.credential, at=at
        )
    except Refused as refusal:
        raise WrongPasskey(refusal.sentence) from None


def relying_party() -> str:
    """Return the name of the host that passkeys are made for."""
    return urlsplit(config().public_url).hostname or ""


def public_half(row: ApproverPasskey) -> Passkey:
    """Return the passkey as verifiers know it."""
    return Passkey(row.credential, base64.b64decode(row.public_key), row.rp_id)


def signing_passkey(actor: Actor, chosen: str = "", *, lock: bool = False) -> ApproverPasskey:
    """Return the enrolled passkey that ``actor`` signs with: ``chosen`` (an id), else the newest.

    Raises :class:`NeedsPasskey` when there is none.
    """
    rows = ApproverPasskey.objects.filter(person=actor.accountable, state=PasskeyState.ENROLLED)
    rows = rows.filter(pk=chosen) if chosen else rows
    rows = rows.select_for_update(of=("self",), no_key=True) if lock else rows
    passkey = rows.order_by("-enrolled_at").first()
    if passkey is None:
        raise NeedsPasskey
    return passkey


def enrolments(credentials: Iterable[str]) -> list[Signed]:
    """Return the enrolments of passkeys and of whoever vouches for them, those first."""
    by_id: dict[str, ApproverPasskey] = {}
    wanted = rows = list(ApproverPasskey.objects.filter(credential__in=list(credentials)))
    while rows:
        by_id |= {row.pk: row for row in rows}
        missing = {row.vouched_by_id for row in rows if row.vouched_by_id} - by_id.keys()
        rows = list(ApproverPasskey.objects.filter(pk__in=missing)) if missing else []
    ordered: dict[str, ApproverPasskey] = {}
    for row in wanted:
        chain = [row]
        while (voucher := chain[-1].vouched_by_id) and voucher not in ordered:
            if len(chain) > len(by_id):  # a circle, which only somebody else can have written
                break
            chain.append(by_id[voucher])
        ordered |= {one.pk: one for one in reversed(chain)}
    return [signed(row.envelope, row.assertion) for row in ordered.values() if row.envelope]


def signed(envelope: str, assertion: Mapping[str, Any] | None) -> Signed:
    """Return a stored envelope with the assertion that is stored beside it."""
    parsed = Assertion.from_dict(dict(assertion)) if assertion else None
    return Signed(Envelope.from_json(envelope), parsed)


def stored(signed: Signed) -> dict[str, Any]:
    """Return the columns that keep what was signed."""
    assertion = signed.assertion.to_dict() if signed.assertion else None
    return {"envelope": signed.envelope.to_json(), "assertion": assertion}


def _name(actor: Actor, about: str) -> str:
    return f"passkey:{actor.id}:{about}"


def credential_of(authenticator: Authenticator) -> str:
    """Return the credential id of a passkey that somebody signs in with."""
    return encode(authenticator.wrap().authenticator_data.credential_data.credential_id)

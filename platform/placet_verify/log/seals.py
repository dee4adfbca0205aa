"""Seals: signatures inside those events of the log that vouch for somebody's access.

Whoever can write to the database can append to the log. An event that gives access therefore
counts only when the ``access`` key, which no worker has, signed it for the very place it stands
at: an old event copied to a new place, or one that somebody made up, vouches for nothing.
"""

import base64
import binascii
import re
from typing import Any

from placet_verify import canonical, times
from placet_verify.errors import Malformed, Refused
from placet_verify.signing.dsse import Signer
from placet_verify.signing.keys import KeyRing

DOMAIN = b"placet.dev/seal/v1\x00"
SEALED_KINDS = frozenset(
    {
        "credentials.changed.v1",
        "credentials.rehashed.v1",
        "declaration.made.v1",
        "mfa.added.v1",
        "mfa.removed.v1",
        "mfa.reset.v1",
        "password.changed.v1",
        "person.created.v1",
        "person.deactivated.v1",
        "person.erased.v1",
        "person.identity_linked.v1",
        "person.placed.v1",
        "person.reactivated.v1",
        "person.sessions_ended.v1",
        "person.setup_link_made.v1",
        "person.updated.v1",
        "role.granted.v1",
        "role.revoked.v1",
        "role.second_factor_demanded.v1",
        "role.second_factor_waived.v1",
        "service_account.created.v1",
        "service_account.deactivated.v1",
        "service_account.updated.v1",
        "team.created.v1",
        "team.deleted.v1",
        "team.member_added.v1",
        "team.member_removed.v1",
    }
)
_KIND = re.compile('"kind":"(?:' + "|".join(map(re.escape, sorted(SEALED_KINDS))) + ')"')


def seal(body: dict[str, Any], index: int, key: Signer) -> dict[str, Any]:
    """Return ``body`` with its ``seal`` for the leaf ``index``, by the access key."""
    return body | {"seal": seal_of(canonical.dumps(body), index, key)}


def seal_of(text: bytes, index: int, key: Signer) -> dict[str, str]:
    """Return the member ``seal`` of a body whose canonical form without it is ``text``."""
    signature = key.sign(_message(text, index))
    return {"keyid": key.id, "sig": base64.b64encode(signature).decode("ascii")}


def verify(body: dict[str, Any], index: int, ring: KeyRing) -> None:
    """Raise ``Refused`` unless an access key that was good at the time sealed ``body`` there."""
    match body:
        case {"seal": {"keyid": str(key_id), "sig": str(text)}, "at": str(at)}:
            pass
        case {"seal": _}:
            raise Malformed("its seal is not one")
        case _:
            raise Refused("no_seal", "it has no seal")
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("its seal is not base64") from None
    unsealed = canonical.dumps({k: v for k, v in body.items() if k != "seal"})
    message = _message(unsealed, index)
    ring.verify_raw(key_id, "access", times.parse(at), signature=signature, message=message)


def fault(text: str, index: int, ring: KeyRing) -> str:
    """Return what is wrong with the seal of an event's text; '' when it needs none or is good."""
    if _KIND.search(text) is None:
        return ""
    try:
        body = canonical.loads(text)
        if not isinstance(body, dict) or body.get("kind") not in SEALED_KINDS:
            return ""
        verify(body, index, ring)
    except Refused as refusal:
        return refusal.sentence
    return ""


def _message(text: bytes, index: int) -> bytes:
    return DOMAIN + index.to_bytes(8, "big") + text

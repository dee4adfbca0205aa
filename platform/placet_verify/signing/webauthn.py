"""What a person signs with a passkey, and how it is verified offline.

A passkey signs no document but an answer to a challenge: the challenge is the SHA-256 of the
document, and the signature covers what the browser and the authenticator say about it. Verified
as W3C Web Authentication Level 3, section 7.2, has it, with ``cryptography`` alone: the kind, the
challenge, the origin, the relying party, the presence and the verification of the user, and the
signature. A counter is not looked at: passkeys that are synchronised have none.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from placet_verify import canonical
from placet_verify.errors import Malformed, Refused

USER_PRESENT, USER_VERIFIED = 0x01, 0x04
HEADER = 37  # bytes of authenticator data: relying party's hash, flags, counter
MIN_RSA_BITS = 2048
ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+)(:(?P<port>0|[1-9][0-9]{0,4}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}  # which an origin does not name


class PasskeyRefused(Refused):
    """The assertion does not show that this passkey signed this document."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """The raw answer of an authenticator, as the browser hands it over."""

    credential: str  # the credential's id, base64url without padding
    authenticator_data: bytes
    client_data: bytes  # JSON, exactly as the browser wrote it
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The bytes under the signature: authenticator data, then the client data's SHA-256."""
        return self.authenticator_data + hashlib.sha256(self.client_data).digest()

    @property
    def origin(self) -> object:
        """The page's origin, as the browser has it; raise ``Malformed`` when it says nothing."""
        members: Any = canonical.loads(self.client_data)
        return members.get("origin") if isinstance(members, dict) else None

    def to_dict(self) -> dict[str, str]:
        """Return the members of the JSON form: base64url without padding."""
        return {
            "credential": self.credential,
            "authenticator_data": encode(self.authenticator_data),
            "client_data": encode(self.client_data),
            "signature": encode(self.signature),
        }

    @classmethod
    def from_dict(cls, members: object) -> "Assertion":
        """Read the JSON form; raise ``Malformed`` when it is not exactly that."""
        match members:
            case {
                "credential": str(credential),
                "authenticator_data": str(data),
                "client_data": str(client),
                "signature": str(signature),
                **rest,
            } if not rest and credential and encode(decode(credential)) == credential:
                return cls(credential, decode(data), decode(client), decode(signature))
        raise Malformed("an assertion needs credential, authenticator_data, client_data, signature")


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey's public half: its credential id, its key and the relying party it was made for.

    ``public_key`` is a SubjectPublicKeyInfo in DER; P-256, Ed25519 or RSA.
    """

    credential: str
    public_key: bytes
    rp_id: str

    def __post_init__(self) -> None:
        _load(self.public_key)

    @property
    def fingerprint(self) -> str:
        """``sha256:…`` of the SubjectPublicKeyInfo: what two people compare."""
        return canonical.digest(self.public_key)

    def verify(self, assertion: Assertion, document: bytes) -> None:
        """Raise :class:`PasskeyRefused` unless this passkey signed ``document`` by a person who
        was present and verified."""
        if assertion.credential != self.credential:
            raise PasskeyRefused("other_passkey", "another passkey signed this")
        _check_client(assertion.client_data, document, self.rp_id)
        _check_authenticator(assertion.authenticator_data, self.rp_id)
        if not _verify(self.public_key, assertion.signature, assertion.signed):
            raise PasskeyRefused("bad_signature", "the passkey's signature does not match")


def challenge(document: bytes) -> bytes:
    """Return the 32 bytes that a passkey is asked to answer for ``document``."""
    return hashlib.sha256(document).digest()


def encode(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Read base64url without padding, in its one spelling; raise ``Malformed`` for any other."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("the assertion holds text that is not base64url") from None
    if encode(raw) != text:
        raise Malformed("the assertion holds base64url that is not in its one normal form")
    return raw


def _check_client(client_data: bytes, document: bytes, rp_id: str) -> None:
    members: Any = canonical.loads(client_data)
    if not isinstance(members, dict) or members.get("type") != "webauthn.get":
        raise PasskeyRefused("wrong_ceremony", "the passkey was not asked to sign")
    if members.get("challenge") != encode(challenge(document)):
        raise PasskeyRefused("other_document", "the passkey signed something else")
    if members.get("crossOrigin", False) is not False:
        raise PasskeyRefused("cross_origin", "the passkey was asked from inside another page")
    if not _is_of(members.get("origin"), rp_id):
        raise PasskeyRefused("other_origin", f"the passkey was not asked by a page of {rp_id}")


def _is_of(origin: object, rp_id: str) -> bool:
    """Tell whether ``origin`` is a page of ``rp_id``: over HTTPS, or on this very machine.

    It is written as browsers write it, and in no other way that means the same (RFC 6454, section
    6.2), so that no reader takes it for another's. A host below it, which browsers allow, is
    somebody else's.
    """
    match = ORIGIN.fullmatch(origin) if isinstance(origin, str) else None
    if match is None or match["host"] != rp_id:
        return False
    if match["port"] == DEFAULT_PORTS[match["scheme"]] or int(match["port"] or 0) > 65535:
        return False
    return match["scheme"] == "https" or rp_id == "localhost"


def _check_authenticator(data: bytes, rp_id: str) -> None:
    if len(data) < HEADER:
        raise PasskeyRefused("malformed", "the authenticator's data is too short")
    if data[:32] != hashlib.sha256(rp_id.encode("utf-8")).digest():
        raise PasskeyRefused("other_party", f"the passkey was not used for {rp_id}")
    if not data[32] & USER_PRESENT:
        raise PasskeyRefused("not_present", "nobody touched the authenticator")
    if not data[32] & USER_VERIFIED:
        raise PasskeyRefused("not_verified", "the authenticator did not verify who touched it")


def _load(der: bytes) -> Any:
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise Malformed("a passkey's public key is a SubjectPublicKeyInfo in DER") from None
    match key:
        case ed25519.Ed25519PublicKey():
            return key
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP256R1):
            return key
        case rsa.RSAPublicKey() if key.key_size >= MIN_RSA_BITS:
            return key
    raise Malformed("a passkey's public key is P-256, Ed25519 or RSA of 2048 bits and more")


def _verify(der: bytes, signature: bytes, message: bytes) -> bool:
    """Verify ES256, EdDSA or RS256, whichever the key is for (RFC 8152, RFC 8812)."""
    key = _load(der)
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            case rsa.RSAPublicKey():
                key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            case _:
                key.verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True

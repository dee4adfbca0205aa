"""DSSE envelopes: signatures over PAE(type, payload), so that a payload cannot change its type."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from placet_verify import canonical
from placet_verify.errors import Malformed, Refused
from placet_verify.signing.base64text import decode, encode

STATEMENT = "application/vnd.in-toto+json"
STATE = "application/vnd.placet.state+json"
REPORT = "application/vnd.placet.report+json"
KEYS = "application/vnd.placet.keys+json"
PAYLOAD_TYPES = frozenset({STATEMENT, STATE, REPORT, KEYS})


class Signer(Protocol):
    """What can sign: a private key."""

    @property
    def id(self) -> str:
        """The key id that goes into the envelope."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``."""
        ...


class Verifier(Protocol):
    """What can check a signature: a public key."""

    @property
    def id(self) -> str:
        """The key id that an envelope names."""
        ...

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` is this key's over ``message``."""
        ...


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature and the id of the key that made it."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, its type, and the signatures over both."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the JSON form."""
        return {
            "payload": encode(self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": s.keyid, "sig": encode(s.sig)} for s in self.signatures],
        }

    def to_json(self) -> str:
        """Return the JSON form."""
        return canonical.dumps(self.to_dict()).decode("utf-8")

    @classmethod
    def from_dict(cls, members: object) -> "Envelope":
        """Read the members of the JSON form; raise ``Malformed`` when one is wrong."""
        match members:
            case {
                "payload": str(payload),
                "payloadType": str(kind),
                "signatures": list(signatures),
            }:
                return cls(
                    kind,
                    decode(payload, "the envelope"),
                    tuple(_signature(one) for one in signatures),
                )
        raise Malformed("an envelope needs payload, payloadType and signatures")

    @classmethod
    def from_json(cls, document: str | bytes) -> "Envelope":
        """Read the JSON form; raise ``Malformed`` when it is not an envelope."""
        return cls.from_dict(canonical.loads(document))

    @property
    def pae(self) -> bytes:
        """The bytes that are signed."""
        return pae(self.payload_type, self.payload)

    @property
    def digest(self) -> str:
        """``sha256:…`` of the payload bytes: what other statements name this one by."""
        return canonical.digest(self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding: ``DSSEv1 LEN type LEN payload``."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, *keys: Signer) -> Envelope:
    """Sign ``payload`` as ``payload_type`` with every key in ``keys``."""
    if payload_type not in PAYLOAD_TYPES:
        raise ValueError(f"{payload_type} is not a payload type of Placet")
    if not keys:
        raise ValueError("an envelope needs at least one key")
    message = pae(payload_type, payload)
    return Envelope(payload_type, payload, tuple(Signature(k.id, k.sign(message)) for k in keys))


def verify(envelope: Envelope, keys: Iterable[Verifier], payload_type: str) -> bytes:
    """Return the payload when one of ``keys`` signed it as ``payload_type``.

    For keys that stand in no ``keys.json`` (a node's own, the root); everything else goes through
    :meth:`placet_verify.signing.keys.KeyRing.verify`, which also knows purposes and validity.
    """
    if envelope.payload_type != payload_type:
        raise Refused("wrong_type", f"expected {payload_type}, this is {envelope.payload_type}")
    message = envelope.pae
    by_id = {key.id: key for key in keys}
    for signature in envelope.signatures:
        key = by_id.get(signature.keyid)
        if key is not None and key.verify(signature.sig, message):
            return envelope.payload
    raise Refused("bad_signature", "no signature on this envelope is by a key that may sign it")


def _signature(members: object) -> Signature:
    match members:
        case {"keyid": str(keyid), "sig": str(sig)}:
            return Signature(keyid, decode(sig, "the envelope"))
    raise Malformed("a signature needs keyid and sig")

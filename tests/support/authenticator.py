"""A passkey in software: answers a challenge as an authenticator and a browser do together."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from placet_verify.signing.webauthn import Assertion, Passkey, challenge, encode

PRESENT_AND_VERIFIED = 0x05
PLAIN = (
    serialization.Encoding.DER,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)


@dataclass
class Authenticator:
    """One passkey, made for ``rp_id`` and asked by pages of ``origin``."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    rp_id: str = "localhost"
    origin: str = "http://localhost:8000"
    credential: str = field(default_factory=lambda: encode(secrets.token_bytes(16)))
    flags: int = PRESENT_AND_VERIFIED

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"key": self.key.private_bytes(*PLAIN)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        key = serialization.load_der_private_key(state["key"], None)
        self.__dict__ |= state | {"key": key}

    @property
    def passkey(self) -> Passkey:
        """The public half."""
        der = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return Passkey(self.credential, der, self.rp_id)

    def sign(self, document: bytes, **client: Any) -> Assertion:
        """Answer the challenge of ``document``; ``client`` changes what the browser says."""
        return self.answer(challenge(document), **client)

    def answer(self, asked: bytes, **client: Any) -> Assertion:
        """Answer the challenge ``asked``."""
        members = {
            "type": "webauthn.get",
            "challenge": encode(asked),
            "origin": self.origin,
            "crossOrigin": False,
        }
        said = json.dumps(members | client).encode()
        data = hashlib.sha256(self.rp_id.encode()).digest() + bytes([self.flags, 0, 0, 0, 7])
        return Assertion(
            self.credential, data, said, self._sign(data + hashlib.sha256(said).digest())
        )

    def _sign(self, message: bytes) -> bytes:
        match self.key:
            case ec.EllipticCurvePrivateKey():
                return self.key.sign(message, ec.ECDSA(hashes.SHA256()))
            case rsa.RSAPrivateKey():
                return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
            case ed25519.Ed25519PrivateKey():
                return self.key.sign(message)
        raise AssertionError(f"no passkey signs with {self.key!r}")

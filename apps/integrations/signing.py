"""Signatures of webhooks as Standard Webhooks 1.0 has them. Pure.

One secret signs by HMAC-SHA256 (``v1``, ``whsec_…``), and one key by Ed25519 (``v1a``), of which
receivers have the public half (``whpk_…``).
"""

import base64
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_BYTES = 32
SECRET_PREFIX, PUBLIC_PREFIX = "whsec_", "whpk_"


@dataclass(frozen=True, slots=True, repr=False)
class SigningKeys:
    """What one webhook signs with."""

    secret: bytes
    private: bytes

    @classmethod
    def generate(cls) -> "SigningKeys":
        """Return fresh ones."""
        private = Ed25519PrivateKey.generate().private_bytes_raw()
        return cls(secrets.token_bytes(SECRET_BYTES), private)

    @classmethod
    def read(cls, text: str) -> "SigningKeys":
        """Read what :meth:`write` wrote."""
        parts = json.loads(text)
        return cls(base64.b64decode(parts["secret"]), base64.b64decode(parts["private"]))

    def write(self) -> str:
        """Return them as text, which is to be encrypted."""
        return json.dumps({"secret": _text(self.secret), "private": _text(self.private)})

    @property
    def shown_secret(self) -> str:
        """The secret as its receiver is given it."""
        return SECRET_PREFIX + _text(self.secret)

    @property
    def shown_public(self) -> str:
        """The public key as its receiver is given it."""
        key = Ed25519PrivateKey.from_private_bytes(self.private)
        return PUBLIC_PREFIX + _text(key.public_key().public_bytes_raw())

    def signatures(self, content: bytes) -> tuple[str, str]:
        """Return both signatures of ``content``."""
        private = Ed25519PrivateKey.from_private_bytes(self.private)
        return (
            f"v1,{_text(hmac.digest(self.secret, content, 'sha256'))}",
            f"v1a,{_text(private.sign(content))}",
        )


def signed(
    keys: Iterable[SigningKeys], *, message: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the headers of a message, signed by each of ``keys``, those in use first."""
    content = f"{message}.{timestamp}.".encode() + body
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(one for key in keys for one in key.signatures(content)),
    }


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()

"""Secrets at rest: encrypted to a public key that any process may read, by whoever writes them, for
the one process that may open them.

Each is bound to its place, such as ``integrations.webhook:whk_…``: moved to another row it does not
open. X25519 with a key of its own for each text, HKDF-SHA256, ChaCha20-Poly1305. What is sealed
names its key, so that a rotated one still opens what it was given.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = "v1"
NONCE = bytes(12)  # each text has a key of its own


class SecretUnreadable(Exception):
    """It does not open; the text says why in words, and nothing of what is in it."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The public half: what is sealed with it only the other half opens."""

    raw: bytes

    @property
    def id(self) -> str:
        """The first 16 hex digits of the SHA-256 of its 32 bytes."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @property
    def mark(self) -> str:
        """What everything begins with that is sealed for it."""
        return f"{VERSION}.{self.id}."

    @classmethod
    def read(cls, text: str) -> "SealingKey":
        """Read the file of the public key; raises ``ValueError`` for any other."""
        return cls(_raw(text.strip()))

    def write(self) -> str:
        """Return the file of the public key."""
        return f"{base64.b64encode(self.raw).decode()}\n"

    def seal(self, text: str, *, place: str) -> str:
        """Return ``text`` encrypted, bound to ``place``."""
        once = X25519PrivateKey.generate()
        sent = once.public_key().public_bytes_raw()
        shared = once.exchange(X25519PublicKey.from_public_bytes(self.raw))
        sealed = _cipher(shared, sent, self.raw).encrypt(NONCE, text.encode(), place.encode())
        return f"{self.mark}{base64.urlsafe_b64encode(sent + sealed).decode()}"


@dataclass(frozen=True, slots=True, repr=False)
class OpeningKeys:
    """The private halves, the one in use first; those behind it open what was sealed before."""

    keys: tuple[bytes, ...]

    @classmethod
    def generate(cls, before: "OpeningKeys | None" = None) -> "OpeningKeys":
        """Return a fresh key, in front of those there were."""
        fresh = X25519PrivateKey.generate().private_bytes_raw()
        return cls((fresh, *(before.keys if before else ())))

    @classmethod
    def read(cls, text: str) -> "OpeningKeys":
        """Read the file of private keys, one on each line; raises ``ValueError`` for any other."""
        keys = tuple(_raw(line) for line in text.split())
        if not keys:
            raise ValueError("it holds no key")
        return cls(keys)

    def write(self) -> str:
        """Return the file of private keys."""
        return "".join(f"{base64.b64encode(key).decode()}\n" for key in self.keys)

    @property
    def public(self) -> SealingKey:
        """The public half of the one in use."""
        return _public(self.keys[0])

    def open(self, sealed: str, *, place: str) -> str:
        """Return the text that was sealed for ``place``, or raise :class:`SecretUnreadable`."""
        version, _, rest = sealed.partition(".")
        named, _, body = rest.partition(".")
        key = next((one for one in self.keys if _public(one).id == named), None)
        if version != VERSION or not body:
            raise SecretUnreadable("It is in a form that this release does not know")
        if key is None:
            raise SecretUnreadable(
                f"It was encrypted for key {named}, which is not in secret.key: restore that file"
                " from your backup of the keys, or enter the secret again"
            )
        try:
            raw = base64.urlsafe_b64decode(body)
            shared = X25519PrivateKey.from_private_bytes(key).exchange(
                X25519PublicKey.from_public_bytes(raw[:32])
            )
            cipher = _cipher(shared, raw[:32], _public(key).raw)
            return cipher.decrypt(NONCE, raw[32:], place.encode()).decode()
        except (InvalidTag, ValueError):
            raise SecretUnreadable("It was changed, or belongs to something else") from None


def _public(key: bytes) -> SealingKey:
    return SealingKey(X25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw())


def _cipher(shared: bytes, sent: bytes, public: bytes) -> ChaCha20Poly1305:
    """Return the cipher of one text: its key is bound to both public keys."""
    info = b"placet secret v1" + sent + public
    return ChaCha20Poly1305(HKDF(SHA256(), 32, salt=None, info=info).derive(shared))


def _raw(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 32:
        raise ValueError("it is no key of 32 bytes in base64")
    return raw

"""Ed25519 keys, one per purpose, and the signed list that says which key may do what and when."""

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from placet_verify import canonical, times
from placet_verify.errors import Malformed, Refused
from placet_verify.predicates import GOVERNANCE, PROVENANCE_TYPE, ROOT_ENROLMENT_TYPE
from placet_verify.signing import dsse

KeyPurpose = Literal["root", "decision", "access", "build", "state", "log", "node"]
OVERLAP = timedelta(minutes=5)
PURPOSES: tuple[KeyPurpose, ...] = get_args(KeyPurpose)

# (payload type, predicate type) that a key of each purpose may sign. The log key signs
# checkpoints and the access key seals, which are no envelopes: they may sign no envelope at all.
ALLOWED: dict[KeyPurpose, frozenset[tuple[str, str]]] = {
    "root": frozenset({(dsse.KEYS, ""), (dsse.STATEMENT, ROOT_ENROLMENT_TYPE)}),
    "decision": frozenset((dsse.STATEMENT, predicate) for predicate in GOVERNANCE),
    "access": frozenset(),
    "build": frozenset({(dsse.STATEMENT, PROVENANCE_TYPE)}),
    "state": frozenset({(dsse.STATE, "")}),
    "log": frozenset(),
    "node": frozenset({(dsse.REPORT, "")}),
}


class KeyRefused(Refused):
    """A key may not be used for this, or a signature is not by a key that may."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key, as its 32 raw bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise Malformed("an Ed25519 public key has 32 bytes")

    @property
    def id(self) -> str:
        """The first 16 hex digits of SHA-256 of the raw key."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """``sha256:…`` of the raw key: what a join token carries of the root."""
        return canonical.digest(self.raw)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` is this key's over ``message``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def to_base64(self) -> str:
        """Return the raw key in base64, as ``keys.json`` holds it."""
        return base64.b64encode(self.raw).decode("ascii")

    def to_pem(self) -> bytes:
        """Return the key as PEM (SubjectPublicKeyInfo), as ``openssl`` reads it."""
        return Ed25519PublicKey.from_public_bytes(self.raw).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @classmethod
    def from_base64(cls, text: str) -> "PublicKey":
        """Read what :meth:`to_base64` wrote."""
        try:
            return cls(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise Malformed("a public key is 32 bytes in base64") from None

    @classmethod
    def from_pem(cls, pem: bytes) -> "PublicKey":
        """Read what :meth:`to_pem` wrote; raise ``Malformed`` for any other kind of key."""
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise Malformed("this is not a public key in PEM form") from None
        if not isinstance(key, Ed25519PublicKey):
            raise Malformed("this public key is not Ed25519")
        return cls(key.public_bytes_raw())

    @classmethod
    def load(cls, path: str | Path) -> "PublicKey":
        """Read a PEM file."""
        return cls.from_pem(Path(path).read_bytes())


class PrivateKey:
    """An Ed25519 private key. Its bytes are shown nowhere but in the file it is saved to."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"PrivateKey({self.id})"

    @property
    def id(self) -> str:
        """The id of the public key."""
        return self.public.id

    @classmethod
    def generate(cls) -> "PrivateKey":
        """Make a fresh key."""
        return cls(Ed25519PrivateKey.generate())

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over ``message``."""
        return self._key.sign(message)

    def to_pem(self) -> bytes:
        """Return the key as unencrypted PKCS8 PEM."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def save(self, path: str | Path) -> None:
        """Write the key to a new file that only its owner can read; never over another."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(self.to_pem())
            stream.flush()
            os.fsync(stream.fileno())

    @classmethod
    def load(cls, path: str | Path) -> "PrivateKey":
        """Read a PEM file; raise ``Malformed`` for any other kind of key."""
        try:
            key = serialization.load_pem_private_key(Path(path).read_bytes(), password=None)
        except (ValueError, TypeError):
            raise Malformed(f"{Path(path).name} is not a private key in PEM form") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise Malformed(f"the key in {Path(path).name} is not Ed25519")
        return cls(key)


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One line of ``keys.json``: a public key, its one purpose, and when it was good.

    ``valid_until`` is ``None`` while the key is in use. ``ended`` says why it is not:
    ``rotated`` (everything signed before stays valid) or ``lost`` (everything signed from the
    loss on is refused, and ``valid_until`` is the moment of the loss).
    """

    public: PublicKey
    purpose: KeyPurpose
    valid_from: datetime
    valid_until: datetime | None = None
    ended: str = ""

    @property
    def id(self) -> str:
        """The id of the public key."""
        return self.public.id

    def valid_at(self, at: datetime) -> bool:
        """Tell whether the key was good at ``at``; the end itself no longer counts."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the JSON form."""
        return {
            "id": self.id,
            "purpose": self.purpose,
            "public": self.public.to_base64(),
            "valid_from": times.rfc3339(self.valid_from),
            "valid_until": times.rfc3339(self.valid_until) if self.valid_until else None,
            "ended": self.ended,
        }

    @classmethod
    def from_dict(cls, members: object) -> "KeyEntry":
        """Read the JSON form; raise ``Malformed`` when a member is wrong."""
        match members:
            case {"id": str(id_), "purpose": str(purpose), "public": str(public), **rest}:
                purposes = [known for known in PURPOSES if known == purpose]
                entry_key = PublicKey.from_base64(public)
                if not purposes or entry_key.id != id_:
                    raise Malformed(f"key {id_} has an unknown purpose or another id than its own")
                until = rest.get("valid_until")
                return cls(
                    public=entry_key,
                    purpose=purposes[0],
                    valid_from=times.parse(rest.get("valid_from")),
                    valid_until=None if until is None else times.parse(until),
                    ended=str(rest.get("ended", "")),
                )
        raise Malformed("a key needs id, purpose and public")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of an installation, as the root signed them. ``number`` only ever goes up."""

    number: int
    entries: tuple[KeyEntry, ...]
    root: PublicKey
    passkeys: frozenset[str] = frozenset()  # environments where nothing counts without them

    def __iter__(self) -> Iterator[KeyEntry]:
        return iter(self.entries)

    @classmethod
    def open(cls, document: str | bytes, root: PublicKey, *, floor: int = 0) -> "KeyRing":
        """Read ``keys.json`` when ``root`` signed it and its number is at least ``floor``."""
        envelope = dsse.Envelope.from_json(document)
        try:
            payload = dsse.verify(envelope, [root], dsse.KEYS)
        except Refused as refusal:
            raise KeyRefused("keys_not_by_root", "keys.json is not signed by the root") from refusal
        match canonical.loads(payload):
            case {"v": 1, "number": int(number), "keys": list(lines)}:
                pinned: frozenset[str] = frozenset()
            case {"v": 2, "number": int(number), "keys": list(lines), "passkeys": list(names)}:
                pinned = frozenset(map(str, names))
            case _:
                raise Malformed("keys.json needs v, number and keys")
        if number < floor:
            raise KeyRefused(
                "keys_too_old", f"keys.json has number {number}, but {floor} was already seen"
            )
        entries = tuple(KeyEntry.from_dict(line) for line in lines)
        if len({entry.id for entry in entries}) != len(entries):
            raise Malformed("keys.json lists a key twice")
        return cls(number, entries, root, pinned)

    def seal(self, root: PrivateKey) -> str:
        """Return ``keys.json`` signed by the root key itself."""
        if root.public != self.root:
            raise KeyRefused("wrong_root", "this is not the root key of this list")
        lines = [entry.to_dict() for entry in self.entries]
        members = {"v": 1, "number": self.number, "keys": lines}
        if self.passkeys:  # a version of its own: who knows nothing of them must not read past them
            members |= {"v": 2, "passkeys": sorted(self.passkeys)}
        return dsse.sign(dsse.KEYS, canonical.dumps(members), root).to_json()

    def pin(self, environments: Iterable[str]) -> "KeyRing":
        """Return the next list: in exactly these environments nothing counts without passkeys."""
        return replace(self, number=self.number + 1, passkeys=frozenset(environments))

    def of(self, purpose: KeyPurpose) -> tuple[KeyEntry, ...]:
        """Return every key of ``purpose``, past ones too."""
        return tuple(entry for entry in self.entries if entry.purpose == purpose)

    def current(self, purpose: KeyPurpose, at: datetime) -> KeyEntry:
        """Return the newest key of ``purpose`` that is good at ``at``."""
        good = [entry for entry in self.of(purpose) if entry.valid_at(at)]
        if not good:
            raise KeyRefused("no_key", f"there is no {purpose} key that is valid now")
        return max(good, key=lambda entry: entry.valid_from)

    def get(self, key_id: str) -> KeyEntry:
        """Return the key with this id."""
        for entry in self.entries:
            if entry.id == key_id:
                return entry
        raise KeyRefused("unknown_key", f"there is no key {key_id}")

    def add(self, purpose: KeyPurpose, public: PublicKey, at: datetime) -> "KeyRing":
        """Return the next list: ``public`` takes over ``purpose`` at ``at``.

        Old and new overlap by a few minutes on both sides, so that nothing that is being signed
        at that very moment becomes void.
        """
        if any(entry.public == public for entry in self.entries):
            raise KeyRefused("key_reused", "a key has one purpose and is listed once")
        ended = [
            replace(entry, valid_until=at + OVERLAP, ended="rotated")
            if entry.purpose == purpose and entry.valid_until is None
            else entry
            for entry in self.entries
        ]
        fresh = KeyEntry(public, purpose, at - OVERLAP)
        return replace(self, number=self.number + 1, entries=(*ended, fresh))

    def revoke(self, key_id: str, compromised_at: datetime) -> "KeyRing":
        """Return the next list: ``key_id`` counts for nothing signed from ``compromised_at`` on."""
        lost = self.get(key_id)
        until = min(lost.valid_until or compromised_at, compromised_at)
        changed = tuple(
            replace(entry, valid_until=until, ended="lost") if entry.id == key_id else entry
            for entry in self.entries
        )
        return replace(self, number=self.number + 1, entries=changed)

    def verify(
        self, envelope: dsse.Envelope, purpose: KeyPurpose, at: datetime | None = None
    ) -> bytes:
        """Return the payload when a key of ``purpose``, good at ``at``, signed it.

        ``at`` is the moment of signing as the payload itself states it; ``None`` reads it there.
        A key counts for its own purpose alone, and a purpose for its own payload and predicate
        types alone. Raises ``KeyRefused``.
        """
        if (envelope.payload_type, _predicate_type(envelope)) not in ALLOWED[purpose]:
            raise KeyRefused("wrong_type", f"a {purpose} key does not sign this type of payload")
        moment = signed_at(envelope) if at is None else at
        self._signer(envelope, purpose, moment)
        return envelope.payload

    def verify_raw(
        self, key_id: str, purpose: KeyPurpose, at: datetime, *, signature: bytes, message: bytes
    ) -> None:
        """Raise ``KeyRefused`` unless this key, of ``purpose`` and good at ``at``, signed."""
        entry = self.get(key_id)
        fault = _fault(entry, purpose, at)
        if fault is not None:
            raise fault
        if not entry.public.verify(signature, message):
            raise KeyRefused("bad_signature", "the signature does not match")

    def _signer(self, envelope: dsse.Envelope, purpose: KeyPurpose, at: datetime) -> KeyEntry:
        message, by_id = envelope.pae, {entry.id: entry for entry in self.entries}
        reason = KeyRefused("unknown_key", "no signature is by a key of this installation")
        for signature in envelope.signatures:
            entry = by_id.get(signature.keyid)
            if entry is None:
                continue
            fault = _fault(entry, purpose, at)
            if fault is None and entry.public.verify(signature.sig, message):
                return entry
            reason = fault or KeyRefused("bad_signature", "the signature does not match")
        raise reason


def make_ring(root: PrivateKey, keys: Iterable[tuple[KeyPurpose, PublicKey]], at: datetime) -> str:
    """Return a ``keys.json`` numbered 1 with ``keys``, each valid from ``at``."""
    entries = tuple(KeyEntry(public, purpose, at) for purpose, public in keys)
    return KeyRing(1, entries, root.public).seal(root)


def signed_at(envelope: dsse.Envelope) -> datetime:
    """Return the moment of signing that the payload itself states."""
    members = canonical.loads(envelope.payload)
    match members:
        case {"predicate": {"at": at}} | {"issued_at": at} | {"at": at}:
            return times.parse(at)
        case {"predicate": {"timeVerified": at}}:
            return times.parse(at)
        case {"predicate": {"runDetails": {"metadata": {"finishedOn": at}}}}:
            return times.parse(at)
    raise Malformed("the payload does not say when it was signed")


def _predicate_type(envelope: dsse.Envelope) -> str:
    if envelope.payload_type != dsse.STATEMENT:
        return ""
    match canonical.loads(envelope.payload):
        case {"predicateType": str(predicate)}:
            return predicate
    return ""


def _fault(entry: KeyEntry, purpose: KeyPurpose, at: datetime) -> KeyRefused | None:
    if entry.purpose != purpose:
        return KeyRefused(
            "wrong_purpose", f"key {entry.id} is a {entry.purpose} key, not {purpose}"
        )
    if not entry.valid_at(at):
        when = times.rfc3339(at)
        return KeyRefused("key_not_valid", f"key {entry.id} was not valid at {when}")
    return None

"""Sealed text: the log knows a commitment, the text lies aside under a per-person key."""

import hashlib
import os
from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.audit.models import PersonKey, SealedText
from apps.audit.rows import column_salt


def fresh_salt() -> bytes:
    """Return a salt, for a text whose commitment is needed before it is stored."""
    return os.urandom(16)


def commitment_of(text: str, salt: bytes) -> str:
    """Return what :func:`seal` returns for this text and salt; nothing is stored."""
    return "sha256:" + hashlib.sha256(salt + text.encode("utf-8")).hexdigest()


def seal(text: str, *, person: str, salt: bytes | None = None) -> str:
    """Store ``text`` encrypted under ``person``'s key and return ``sha256:…`` of salt ‖ text.

    The commitment may be hashed and signed; the text comes back through
    :func:`apps.audit.queries.unseal` until the person's key is erased.
    """
    commitment, sealed = _seal(text, person, _key(person), salt or fresh_salt())
    store_sealed([sealed] if sealed else [])
    return commitment


def seal_bytes(raw: bytes, *, person: str, place: str) -> bytes:
    """Return bytes encrypted under ``person``'s key, for a row that keeps them itself: they open at
    ``place`` alone (:func:`apps.audit.queries.open_bytes`). Empty once that key was erased."""
    if not (key := _key(person)):
        return b""
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, raw, place.encode())


def seal_column(text: str, *, person: str, place: str) -> tuple[str, SealedText | None]:
    """Return the commitment of one column of a row (``place``), and what is to be stored of it.

    The salt is derived from the person's key, the place and the text, so that the same text in
    the same place has one commitment however often the row is logged: readers see what changed
    and nothing is stored twice. Without the key the salt is as good as random.

    Storing is left to the end of the transaction (:func:`store_sealed`): two that log the same
    text would wait for each other in the middle of their work otherwise.
    """
    key = _key(person)
    return _seal(text, person, key, column_salt(key or os.urandom(32), place, text))


def store_sealed(texts: Iterable[SealedText]) -> None:
    """Store sealed texts that are not there yet, in an order that is the same for everybody."""
    by_commitment = {text.commitment: text for text in texts}
    if by_commitment:
        rows = [by_commitment[commitment] for commitment in sorted(by_commitment)]
        SealedText.objects.bulk_create(rows, ignore_conflicts=True)


def _seal(text: str, person: str, key: bytes, salt: bytes) -> tuple[str, SealedText | None]:
    raw, commitment = salt + text.encode("utf-8"), commitment_of(text, salt)
    if not key:
        return commitment, None  # erased: committed to, kept nowhere
    nonce = os.urandom(12)
    ciphertext = nonce + AESGCM(key).encrypt(nonce, raw, commitment.encode())
    return commitment, SealedText(commitment=commitment, person_id=person, ciphertext=ciphertext)


def _key(person: str) -> bytes:
    """Return the person's key, made at first use; empty once it was erased."""
    key = PersonKey.objects.filter(pk=person).values_list("key", flat=True).first()
    if key is None:
        fresh = PersonKey(person_id=person, key=AESGCM.generate_key(bit_length=256))
        PersonKey.objects.bulk_create([fresh], ignore_conflicts=True)
        key = PersonKey.objects.values_list("key", flat=True).get(pk=person)
    return bytes(key)

"""The texts that lie beside the log."""

import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.audit.entries import pending
from apps.audit.models import PersonKey, SealedText

ERASED = "[erased]"


def unseal_many(commitments: Iterable[str]) -> dict[str, str]:
    """Return the texts behind ``commitments`` in two queries; erased ones read ``[erased]``."""
    wanted = {c for c in commitments if c}
    return dict.fromkeys(wanted, ERASED) | opened_many(wanted)


def opened_many(commitments: Iterable[str]) -> dict[str, str]:
    """Return the texts behind those ``commitments`` that can be opened (two queries).

    Those that the open unit of work stores with its events are among them.
    """
    wanted = {c for c in commitments if c}
    rows = list(SealedText.objects.filter(commitment__in=wanted)) if wanted else []
    rows += [t for entry in pending() for t in entry.texts if t.commitment in wanted]
    keys = (
        {
            k.person_id: bytes(k.key)
            for k in PersonKey.objects.filter(person_id__in={r.person_id for r in rows})
        }
        if rows
        else {}
    )
    found = {row.commitment: _open(row, keys.get(row.person_id, b"")) for row in rows}
    return {commitment: text for commitment, text in found.items() if text is not None}


def unseal(commitment: str) -> str:
    """Return the text behind one commitment ('' for '')."""
    return unseal_many([commitment])[commitment] if commitment else ""


def _open(row: SealedText, key: bytes) -> str | None:
    """Return the text if ``key`` opens it and it is the one that was committed to."""
    if not key:
        return None
    raw = bytes(row.ciphertext)
    try:
        opened = AESGCM(key).decrypt(raw[:12], raw[12:], row.commitment.encode())
    except (InvalidTag, ValueError):  # another key, or none at all, put there by somebody
        return None
    if "sha256:" + hashlib.sha256(opened).hexdigest() != row.commitment:
        return None
    return opened[16:].decode("utf-8")

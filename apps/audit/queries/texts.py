"""The texts that lie beside the log."""

from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.audit.models import PersonKey, SealedText

ERASED = "[erased]"


def unseal_many(commitments: Iterable[str]) -> dict[str, str]:
    """Return the texts behind ``commitments`` in two queries; erased ones read ``[erased]``."""
    wanted = {c for c in commitments if c}
    rows = list(SealedText.objects.filter(commitment__in=wanted)) if wanted else []
    keys = {
        k.person_id: bytes(k.key)
        for k in PersonKey.objects.filter(person_id__in={r.person_id for r in rows})
    } if rows else {}  # fmt: skip
    texts = dict.fromkeys(wanted, ERASED)
    for row in rows:
        if key := keys.get(row.person_id):
            texts[row.commitment] = _open(row, key)
    return texts


def unseal(commitment: str) -> str:
    """Return the text behind one commitment ('' for '')."""
    return unseal_many([commitment])[commitment] if commitment else ""


def _open(row: SealedText, key: bytes) -> str:
    raw = bytes(row.ciphertext)
    try:
        opened = AESGCM(key).decrypt(raw[:12], raw[12:], row.commitment.encode())
    except InvalidTag:
        return ERASED
    return opened[16:].decode("utf-8")

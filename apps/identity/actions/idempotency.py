"""Records of answered POSTs: their own transactions, no events; they expire after a day."""

import os
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from apps.identity.errors import IdempotencyConflict, IdempotencyInProgress
from apps.identity.models import IdempotencyRecord
from placet.kernel.clock import now
from placet.kernel.config import config

KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What the first request was answered."""

    status: int
    headers: dict[str, str]
    body: bytes


def begin(
    *, actor_id: str, key: str, request_hash: str
) -> tuple[IdempotencyRecord, StoredResponse | None]:
    """Claim ``key`` for this request, or return the answer it already has.

    The unique constraint decides between two that come at once. A first request that ended with
    no answer at all (its process was killed) leaves the key in progress until it expires: what it
    did is unknown, so it is not done again.
    """
    record = IdempotencyRecord(actor_id=actor_id, key=key, request_hash=request_hash)
    IdempotencyRecord.objects.bulk_create([record], ignore_conflicts=True)
    stored = IdempotencyRecord.objects.get(actor_id=actor_id, key=key)
    if stored.request_hash != request_hash:
        raise IdempotencyConflict
    if stored.claim == record.claim:
        return stored, None
    if stored.status is None:
        raise IdempotencyInProgress(
            "The first request with this key is still running, was cut off, or its answer is kept "
            "no more: look at what it did before you send it again under a new key"
        )
    return stored, StoredResponse(stored.status, stored.headers, _open(stored))


def finish(record: IdempotencyRecord, *, status: int, headers: dict[str, str], body: bytes) -> None:
    """Remember the answer; the body is encrypted, since it may hold a secret shown once."""
    nonce = os.urandom(12)
    sealed = nonce + AESGCM(_key()).encrypt(nonce, body, _context(record))
    IdempotencyRecord.objects.filter(pk=record.pk).update(
        status=status, headers=headers, body=sealed
    )


def forget(record: IdempotencyRecord) -> None:
    """Free the key: the request may be tried again."""
    IdempotencyRecord.objects.filter(pk=record.pk).delete()


def forget_answers() -> None:
    """Forget what every request was answered: any may name somebody who is erased, and none can be
    looked into but by who sent it. Its key stays taken: what was done is not done again."""
    IdempotencyRecord.objects.exclude(status=None).update(status=None, headers={}, body=b"")


def expire() -> int:
    """Remove the records that are older than a day; return how many."""
    count, _ = IdempotencyRecord.objects.filter(created_at__lt=now() - KEPT_FOR).delete()
    return count


def _open(record: IdempotencyRecord) -> bytes:
    raw = bytes(record.body)
    return AESGCM(_key()).decrypt(raw[:12], raw[12:], _context(record))


def _context(record: IdempotencyRecord) -> bytes:
    return f"{record.actor_id}|{record.key}|{record.request_hash}".encode()


def _key() -> bytes:
    secret = config().secret_key.get_secret_value().encode()
    return HKDF(SHA256(), 32, salt=None, info=b"placet idempotency bodies").derive(secret)

"""Being a witness: cosigning other logs' checkpoints, never of a fork, never of a shrink.

The protocol is https://c2sp.org/tlog-witness. What is signed is what was recorded before, in one
compare-and-set: of two requests at a time one is refused with the size that the other left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction
from django.utils.http import http_date

from apps.audit.actions.record import record
from apps.audit.actions.witnesses import may_administer
from apps.audit.errors import KeyTaken, WitnessKeyMissing
from apps.audit.events import (
    WITNESSED_LOG_ADDED,
    WITNESSED_LOG_FORKED,
    WITNESSED_LOG_REMOVED,
)
from apps.audit.models import WitnessedHead, WitnessedLog
from apps.audit.names import witness_name
from apps.audit.witnesses.answers import LARGEST
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.keystore import KeyUnavailable, signer
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet_verify.errors import Malformed, Refused
from placet_verify.log import checkpoint, cosignature, merkle, submission
from placet_verify.log.checkpoint import Checkpoint
from placet_verify.log.submission import Submission


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the protocol: a status, plain text, and headers of it."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


def witness_log(*, key: str, actor: Actor) -> WitnessedLog:
    """Begin to cosign a log of others, known by its verifier key. Needs ``audit.witness``.

    A log that changes its key is added by the new one too. Raises :class:`InvalidInput`,
    :class:`KeyTaken`.
    """
    with record(actor) as events:
        may_administer(actor)
        try:
            origin, public = checkpoint.read_verifier_key(key)
        except Malformed as fault:
            detail = f"The log's verifier key, name+id+base64: {fault}"
            raise InvalidInput(errors=[FieldError("/key", detail)]) from None
        row = WitnessedLog(origin=origin, key=checkpoint.verifier_key(origin, public))
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise KeyTaken from None
        events.add(WITNESSED_LOG_ADDED, row)
    return row


def forget_log(log_id: str, *, actor: Actor) -> None:
    """Cosign a log by this key no more. What was seen of it is remembered. Needs
    ``audit.witness``."""
    with record(actor) as events:
        may_administer(actor)
        row = WitnessedLog.objects.select_for_update().filter(pk=log_id).first()
        if row is None:
            raise NotFound
        WitnessedLog.objects.filter(pk=log_id).delete()
        events.add(WITNESSED_LOG_REMOVED, deleted=(row,))


def add_checkpoint(body: bytes) -> Reply:
    """Cosign the submitted checkpoint, or say why not, as the protocol words it.

    Whoever brings it: what counts is the log's own signature. Raises :class:`WitnessKeyMissing`.
    """
    try:
        submitted = submission.parse(body)
        unverified = checkpoint.parse(submitted.note)
    except Malformed as fault:
        return Reply(400, str(fault))
    if unverified.size > LARGEST or "\x00" in submitted.note:
        return Reply(400, "No log is so large, and no checkpoint holds a null character")
    keys = WitnessedLog.objects.filter(origin=unverified.origin).values_list("key", flat=True)
    known = [checkpoint.read_verifier_key(key)[1] for key in keys]
    if not known:
        return Reply(404, "This log is not witnessed here")
    try:
        head = checkpoint.verify(submitted.note, known)
    except Refused:
        return Reply(403, "No key that this log is known by signed the checkpoint")
    if submitted.old > head.size:
        return Reply(400, "The old size is larger than the checkpoint's")
    return _cosign(submitted, head)


def _cosign(submitted: Submission, head: Checkpoint) -> Reply:
    try:
        key = signer("witness")
    except KeyUnavailable as refusal:
        raise WitnessKeyMissing(refusal.sentence) from refusal
    seen = _seen(head.origin)
    if seen.size == head.size and bytes(seen.root) != head.root:
        _log_fork(seen, head.size, submitted.note)
        return Reply(409, "A checkpoint of this size with another root was cosigned here")
    if submitted.old != seen.size:
        return _other_size(seen)
    if not merkle.verify_consistency(
        seen.size, head.size, bytes(seen.root), head.root, submitted.hashes
    ):
        return Reply(422, "The proof does not lead from the old size to the checkpoint")
    at = now()
    unmoved = WitnessedHead.objects.filter(pk=seen.pk, size=seen.size, root=bytes(seen.root))
    if not unmoved.update(size=head.size, root=head.root, note=submitted.note, cosigned_at=at):
        return _other_size(_seen(head.origin))
    return Reply(200, cosignature.sign(head.text, witness_name(), key, int(at.timestamp())))


def _seen(origin: str) -> WitnessedHead:
    """Return what was last cosigned of a log; the empty tree at first."""
    head = WitnessedHead.objects.filter(pk=origin).first()
    if head is None:
        fresh = WitnessedHead(origin=origin, root=merkle.EMPTY_ROOT)
        WitnessedHead.objects.bulk_create([fresh], ignore_conflicts=True)
        head = WitnessedHead.objects.get(pk=origin)
    return head


def _other_size(seen: WitnessedHead) -> Reply:
    headers = {"Content-Type": submission.SIZE_TYPE}
    if seen.cosigned_at:  # not of the protocol: it lets a log say since when it is behind
        headers["Last-Modified"] = http_date(seen.cosigned_at.timestamp())
    return Reply(409, f"{seen.size}\n", headers)


def _log_fork(seen: WitnessedHead, size: int, note: str) -> None:
    """Keep the proof that a log shows two histories: both checkpoints carry its signature."""
    with record(SYSTEM) as events:
        if WitnessedHead.objects.filter(pk=seen.pk, fork="").update(fork=note):
            log = WitnessedLog.objects.filter(origin=seen.origin).first()
            events.add(
                WITNESSED_LOG_FORKED, subject=log.pk if log else "system", data={"size": size}
            )

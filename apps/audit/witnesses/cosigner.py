"""A witness that co-signs over HTTP: C2SP tlog-witness, ``add-checkpoint``."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from apps.audit.models import Witness
from apps.audit.witnesses.answers import (
    LARGEST,
    Ahead,
    Forked,
    PushFailed,
    ShownCheckpoint,
    Taken,
    WitnessAnswer,
)
from placet.kernel import outbound
from placet.kernel.clock import now
from placet_verify.errors import Refused
from placet_verify.log import checkpoint, cosignature, merkle, submission
from placet_verify.log.cosignature import WitnessKey

AHEAD_OF_OURS = timedelta(minutes=10)  # by how much the other clock may go before ours
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")


def push(witness: Witness, shown: ShownCheckpoint) -> WitnessAnswer:
    """Ask for a cosignature, from the size that the witness took last; when it knows another,
    once more from that one."""
    known = min(shown.known, shown.size)
    answer = _ask(witness, shown, known)
    if (size := _known_size(answer)) is not None:
        if size > shown.size:
            return Ahead(size, _since(answer))
        known, answer = size, _ask(witness, shown, size)
    match answer.status:
        case 200:
            return _cosigned(witness, shown, answer.body)
        case 409 if _known_size(answer) is None:
            return Forked(known, _since(answer))
        case 422:
            return Forked(known, _since(answer))
        case 404:
            raise PushFailed("The witness does not know this log yet: have it added there")
        case 403:
            raise PushFailed("The witness knows this log by another key: have ours added there")
    raise PushFailed(f"The witness answered with status {answer.status}")


def _ask(witness: Witness, shown: ShownCheckpoint, known: int) -> outbound.OutboundResponse:
    hashes = merkle.consistency_proof(known, shown.size, shown.tree)
    body = submission.write(known, hashes, shown.note)
    try:
        return outbound.post(
            f"{witness.address}/add-checkpoint",
            body=body,
            headers={"Content-Type": "text/plain; charset=utf-8"},
            limit=submission.MAX_BYTES,
        )
    except outbound.OutboundFailed as failure:
        raise PushFailed(str(failure)) from None


def _known_size(answer: outbound.OutboundResponse) -> int | None:
    """Return the size that the witness says it knows, when that is what its answer says."""
    if answer.status != 409 or not _is_size(answer.headers.get("content-type", "")):
        return None
    match = _SIZE.fullmatch(answer.body)
    if match is None or int(match[1]) > LARGEST:
        raise PushFailed("The witness says that it knows another size, but none that a log has")
    return int(match[1])


def _is_size(content_type: str) -> bool:
    return content_type.partition(";")[0].strip() == submission.SIZE_TYPE


def _since(answer: outbound.OutboundResponse) -> datetime | None:
    """Return when the witness took what it knows, if it says so (a Placet does)."""
    try:
        return parsedate_to_datetime(answer.headers["last-modified"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None


def _cosigned(witness: Witness, shown: ShownCheckpoint, body: bytes) -> Taken:
    key = WitnessKey.parse(witness.key)
    try:
        head = checkpoint.parse(shown.note + body.decode("utf-8"))
    except (Refused, UnicodeDecodeError):
        raise PushFailed("The witness's answer is no cosignature") from None
    signed = cosignature.cosigned(head, key)
    if signed is None:
        raise PushFailed("The witness's answer is not signed by the key that it is known by")
    latest = now() + AHEAD_OF_OURS
    if signed.at > latest.timestamp():
        raise PushFailed("The witness's cosignature is of the future: compare the clocks")
    return Taken(datetime.fromtimestamp(signed.at, tz=UTC), signed.line)

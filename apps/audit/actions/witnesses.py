"""Witnesses of this log: who they are, and showing them its checkpoints."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.audit import rules
from apps.audit.actions.record import record
from apps.audit.errors import NameTaken
from apps.audit.events import (
    WITNESS_ADDED,
    WITNESS_AGREES,
    WITNESS_AHEAD,
    WITNESS_FORKED,
    WITNESS_REMOVED,
    EventKind,
)
from apps.audit.models import (
    Checkpoint,
    Cosignature,
    Witness,
    WitnessFault,
    WitnessKind,
    WitnessState,
)
from apps.audit.queries.proofs import latest_checkpoint, log_size, tree
from apps.audit.witnesses import (
    Ahead,
    Forked,
    PushFailed,
    ShownCheckpoint,
    Taken,
    WitnessAnswer,
    show_to,
)
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.artifacts import BucketAddress, artifact_address
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput, NeedsPermission, NotFound
from placet_verify.errors import Malformed
from placet_verify.log.cosignature import WitnessKey

RETAIN_DAYS = 3650  # how long a locked object stays, unless said otherwise
MOST_DAYS = 36_500
# Seconds between two checkpoints for one witness: what is kept for ever comes less often.
EVERY = {WitnessKind.HTTP: 5, WitnessKind.FILE: 60, WitnessKind.S3: 60}
LONGEST_WAIT = 600  # seconds before a witness that fails is asked again
ASK_AGAIN = timedelta(minutes=10)  # of a witness that has everything
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_asked: set[str] = set()  # witnesses that this process had an answer of
log = structlog.get_logger(__name__)


def add_witness(
    *,
    name: str,
    kind: str,
    address: str,
    key: str = "",
    retain_days: int = RETAIN_DAYS,
    actor: Actor,
) -> Witness:
    """Begin to show every checkpoint to a witness. Needs ``audit.witness``.

    ``address`` and ``key`` as :class:`Witness` says. Raises :class:`InvalidInput` with the field
    at fault, :class:`NameTaken`.
    """
    with record(actor) as events:
        may_administer(actor)
        if not _NAME.fullmatch(name):
            raise _invalid("name", "Lower-case letters, digits and hyphens, 60 at most")
        kinds = [known for known in WitnessKind if known == kind]
        if not kinds:
            raise _invalid("kind", f"One of {', '.join(WitnessKind)}")
        row = Witness(name=name, kind=kinds[0], address=_address(kinds[0], address))
        row.key = _key(kinds[0], key)
        if row.kind == WitnessKind.S3:
            row.retain_days = _days(retain_days)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise NameTaken from None
        WitnessState.objects.create(witness=row)
        events.add(WITNESS_ADDED, row, data={"kind": row.kind})
    return row


def remove_witness(witness_id: str, *, actor: Actor) -> None:
    """Show nothing more to a witness. Its cosignatures stay. Needs ``audit.witness``."""
    with record(actor) as events:
        may_administer(actor)
        row = Witness.objects.select_for_update().filter(pk=witness_id).first()
        if row is None:
            raise NotFound
        Witness.objects.filter(pk=row.pk).delete()
        events.add(WITNESS_REMOVED, deleted=(row,), data={"kind": row.kind})


def may_administer(actor: Actor) -> None:
    """Refuse who may not say who witnesses what."""
    if not actor.can("audit.witness"):
        raise NeedsPermission(actor, "audit.witness")


def show_witnesses() -> dict[str, str]:
    """Show the newest checkpoint to every witness whose turn it is.

    Returns the sentence of each fault that stands, by the witness's id. One after another: a
    witness that does not answer is asked less often from time to time, and misses nothing by it,
    because the next checkpoint covers all before it.
    """
    due = WitnessState.objects.filter(next_at__lte=now()).order_by("next_at")
    for state in due.select_related("witness"):
        head = latest_checkpoint()
        if head is not None and _has_to_be_asked(state, head.size):
            _show(state, head)
    faulty = WitnessState.objects.exclude(fault=WitnessFault.NONE)
    return dict(faulty.values_list("witness_id", "sentence"))


def witnesses_due() -> list[QuerySet[WitnessState]]:
    """Return those that :func:`show_witnesses` would ask, or tell a fault of."""
    newest = Coalesce(Subquery(Checkpoint.objects.order_by("-size").values("size")[:1]), 0)
    idle = Q(size=newest, fault=WitnessFault.NONE, pk__in=[*_asked], asked_at__gt=now() - ASK_AGAIN)
    due = WitnessState.objects.filter(next_at__lte=now()).exclude(idle)
    return [due, WitnessState.objects.exclude(fault=WitnessFault.NONE)]


def _has_to_be_asked(state: WitnessState, size: int) -> bool:
    """Tell whether there is something to say, or it is long since the witness was asked.

    And whether this process has asked at all: the row may come from an older copy of the database.
    """
    idle = state.asked_at is not None and now() - state.asked_at < ASK_AGAIN
    return size != state.size or bool(state.fault) or state.pk not in _asked or not idle


def _show(state: WitnessState, head: Checkpoint) -> None:
    shown = ShownCheckpoint(head.note, head.size, bytes(head.root), tree(head.size), state.size)
    try:
        answer = show_to(state.witness, shown)
    except (PushFailed, LookupError) as failure:  # or leaves that should be here are not
        _note_failure(state, str(failure))
        return
    if isinstance(answer, Ahead) and answer.size <= _signed():
        return  # by another worker meanwhile; the next look shows that checkpoint
    _note_answer(state, head, answer)
    _asked.add(state.pk)


def _signed() -> int:
    head = latest_checkpoint()
    return head.size if head else 0


def _note_failure(state: WitnessState, sentence: str) -> None:
    """Ask again later, and later still each time."""
    attempts = state.attempts + 1
    wait = min(EVERY[WitnessKind.HTTP] * 2 ** min(attempts, 10), LONGEST_WAIT)
    WitnessState.objects.filter(pk=state.pk).update(
        attempts=attempts, error=sentence[:500], next_at=now() + timedelta(seconds=wait)
    )
    log.warning("witness_not_shown", witness=state.pk, reason=sentence)


def _note_answer(state: WitnessState, head: Checkpoint, answer: WitnessAnswer) -> None:
    """Write down what a witness said, and log when its judgement of our log changes."""
    witness = state.witness
    with record(SYSTEM) as events:
        row = WitnessState.objects.select_for_update(no_key=True).filter(pk=state.pk).first()
        if row is None:
            return  # removed meanwhile
        before, row.attempts, row.error, row.asked_at = row.fault, 0, "", now()
        row.next_at = row.asked_at + timedelta(seconds=EVERY[WitnessKind(witness.kind)])
        kind, data = _judge(row, witness, head.size, answer)
        row.save()
        if isinstance(answer, Taken) and answer.line:
            Cosignature.objects.update_or_create(
                size=head.size, key=witness.key, defaults={"line": answer.line, "at": answer.at}
            )
        if row.fault != before:
            events.add(kind, subject=witness.pk, data=data)


def _judge(
    row: WitnessState, witness: Witness, size: int, answer: WitnessAnswer
) -> tuple[EventKind, dict[str, int]]:
    """Set what the answer means; return how it is told if that is new."""
    who = f"Witness {witness.name}"
    match answer:
        case Taken():
            row.size, row.seen_at, row.fault, row.sentence = size, answer.at, "", ""
            return WITNESS_AGREES, {"size": size}
        case Ahead():
            ours = log_size()
            if row.fault != WitnessFault.AHEAD:  # later the log has grown again, past the gap
                row.sentence = rules.gap(f"{who} saw", answer.size, ours, answer.at)
            row.fault = WitnessFault.AHEAD
            return WITNESS_AHEAD, {"seen": answer.size, "size": ours}
        case Forked():
            row.fault = WitnessFault.FORKED
            row.sentence = rules.fork(who, answer.size, answer.at)
            return WITNESS_FORKED, {"seen": answer.size, "size": size}


def _address(kind: WitnessKind, address: str) -> str:
    if len(address) > 500:
        raise _invalid("address", "At most 500 characters")
    if kind == WitnessKind.FILE:
        if not _NAME.fullmatch(address):
            raise _invalid("address", "The name of a folder below PLACET_WITNESS_DIR")
        return address
    if kind == WitnessKind.S3:
        return _bucket(address)
    _refuse_address(address)
    return address.rstrip("/")


def _bucket(address: str) -> str:
    try:
        bucket = artifact_address(address)
    except ValueError:
        bucket = None
    if not isinstance(bucket, BucketAddress):
        raise _invalid("address", "s3://bucket/prefix?endpoint_url=…&region=…, no credentials")
    if bucket.endpoint_url:
        _refuse_address(bucket.endpoint_url)
    return address


def _refuse_address(url: str) -> None:
    """Refuse what would be asked without TLS, or with more than an address in it.

    Nothing of an answer but a verified signature, a size and a status is ever shown.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise _invalid("address", "This is no address") from None
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if not (safe and host and plain and url.isascii() and url.isprintable() and " " not in url):
        raise _invalid("address", "An https:// address without user, query and fragment")


def _key(kind: WitnessKind, key: str) -> str:
    if kind != WitnessKind.HTTP:
        if key:
            raise _invalid("key", "Only a witness that co-signs has a key: leave it out")
        return ""
    try:
        return str(WitnessKey.parse(key))
    except Malformed as fault:
        raise _invalid("key", f"The witness's verifier key, name+id+base64: {fault}") from None


def _days(days: int) -> int:
    if not 1 <= days <= MOST_DAYS:
        raise _invalid("retain_days", f"A number from 1 to {MOST_DAYS}")
    return days


def _invalid(field: str, detail: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError(f"/{field}", detail)])

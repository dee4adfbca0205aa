"""Having the checkpoints stamped with the time by authorities that the settings name (RFC 3161).

A stamp is no event: the log would never come to rest. It says that this many events, exactly these,
existed at a time, by the clock of somebody who has nothing to do with us.
"""

import secrets
from datetime import datetime, timedelta

import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import transaction

from apps.audit import rules
from apps.audit.models import Checkpoint, Timestamp, TimestampState
from apps.audit.queries.proofs import latest_checkpoint
from apps.audit.queries.timestamps import newest_event_at
from placet.kernel import outbound
from placet.kernel.clock import now
from placet.kernel.config import TimestampAuthority, config
from placet.kernel.faults import crash_point
from placet_verify.errors import Refused
from placet_verify.time import timestamp
from placet_verify.time.chains import read_pinned
from placet_verify.time.timestamp import Stamp

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)  # after a failure
LATE, CLOCK = "late", "clock"  # faults
log = structlog.get_logger(__name__)


class _Wrong(Exception):
    """There is no stamp that counts; the text says why. ``clock``: its time contradicts ours."""

    def __init__(self, sentence: str, *, clock: bool = False) -> None:
        super().__init__(sentence)
        self.clock = clock


def stamp_checkpoints() -> dict[str, str]:
    """Have the newest checkpoint stamped by every authority whose turn it is.

    Returns the sentence of each fault that stands, by the authority's name. Talks to other
    machines: call it outside any transaction. Repeating it asks none before its turn.
    """
    named = {one.name: one for one in config().timestamp_authorities}
    _know(named)
    head = latest_checkpoint()
    if head is None:
        return {}
    due = TimestampState.objects.filter(next_at__lte=now(), size__lt=head.size)
    for state in due.order_by("authority"):
        if _take_turn(state):
            _stamp(named[state.pk], state, head)
    return {state.pk: state.sentence for state in _judged(head) if state.fault}


def _know(named: dict[str, TimestampAuthority]) -> None:
    """Have one row for each authority that is named, and no other."""
    TimestampState.objects.exclude(pk__in=named).delete()
    rows = [TimestampState(authority=name) for name in named]
    TimestampState.objects.bulk_create(rows, ignore_conflicts=True)


def _take_turn(state: TimestampState) -> bool:
    """Put the next turn off before asking: what is killed while it asks does not ask at once
    again, and of two at a time one asks."""
    mine = TimestampState.objects.filter(pk=state.pk, next_at=state.next_at)
    return bool(mine.update(next_at=now() + _wait(state.attempts)))


def _wait(attempts: int) -> timedelta:
    """Return how long to wait after so many failures: never less than between two stamps if that
    is shorter."""
    every = timedelta(minutes=config().timestamp_every_minutes)
    return min(FIRST_WAIT * (1 << min(attempts, 10)), LONGEST_WAIT, every)


def _stamp(authority: TimestampAuthority, state: TimestampState, head: Checkpoint) -> None:
    try:
        stamp, token = _ask(authority, head)
    except _Wrong as failure:
        TimestampState.objects.filter(pk=state.pk).update(
            attempts=state.attempts + 1,
            error=str(failure)[:500],
            next_at=now() + _wait(state.attempts + 1),
            **({"fault": CLOCK, "sentence": str(failure)[:500]} if failure.clock else {}),
        )
        log.warning("checkpoint_not_stamped", authority=authority.name, reason=str(failure))
        return
    _keep(authority, head, stamp, token)


def _ask(authority: TimestampAuthority, head: Checkpoint) -> tuple[Stamp, bytes]:
    """Return the stamp over the exact bytes of a signed checkpoint, or raise :class:`_Wrong`."""
    message, nonce = head.note.encode("utf-8"), secrets.randbits(63)
    begin = newest_event_at(head)
    try:
        anchors = read_pinned(authority.ca_file)
        answer = outbound.post(
            authority.url,
            body=timestamp.request(message, nonce=nonce, policy=authority.policy),
            headers={"Content-Type": timestamp.QUERY_TYPE, "Accept": timestamp.REPLY_TYPE},
            limit=timestamp.LARGEST,
        )
        if answer.status != 200:
            raise _Wrong(f"It answered {answer.status}")
        stamp, token = timestamp.accept(
            answer.body, message, anchors, nonce=nonce, policy=authority.policy
        )
        timestamp.verify(token, message, [stamp.anchor])  # as everybody will who looks later
    except OSError as error:
        raise _Wrong(f"{authority.ca_file.name} cannot be read: {error.strerror}") from None
    except (outbound.OutboundFailed, Refused) as failure:
        raise _Wrong(str(failure)) from None
    if contradiction := rules.contradiction(authority.name, stamp.at, stamp.accuracy, begin, now()):
        raise _Wrong(contradiction, clock=True)
    return stamp, token


def _keep(authority: TimestampAuthority, head: Checkpoint, stamp: Stamp, token: bytes) -> None:
    anchor = stamp.anchor.public_bytes(Encoding.DER)
    row = Timestamp(
        size=head.size, authority=authority.name, at=stamp.at, token=token, anchor=anchor
    )
    every = timedelta(minutes=config().timestamp_every_minutes)
    with transaction.atomic():
        Timestamp.objects.bulk_create([row], ignore_conflicts=True)
        TimestampState.objects.filter(pk=authority.name).update(
            size=head.size,
            at=stamp.at,
            attempts=0,
            error="",
            fault="",
            sentence="",
            next_at=now() + every,
        )
        crash_point("audit.before_stamp_commit")
    crash_point("audit.after_stamp_commit")


def _judged(head: Checkpoint) -> list[TimestampState]:
    """Return every row, with the fault that a checkpoint waits for its stamp for too long."""
    limit = now() - timedelta(hours=config().timestamp_alert_after_hours)
    states = list(TimestampState.objects.order_by("authority"))
    for state in states:
        since = _waiting_since(state)
        if state.fault != CLOCK and since is not None and since < limit:
            waiting = head.size - state.size
            state.fault = LATE
            state.sentence = rules.late(state.pk, waiting, since, state.at, state.error)
            TimestampState.objects.filter(pk=state.pk, size=state.size).update(
                fault=LATE, sentence=state.sentence
            )
    return states


def _waiting_since(state: TimestampState) -> datetime | None:
    """Return since when the oldest checkpoint waits that this authority did not stamp."""
    first = Checkpoint.objects.filter(size__gt=state.size).order_by("size").first()
    return None if first is None else max(first.created_at, state.created_at)

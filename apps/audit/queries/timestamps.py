"""Time stamps of the checkpoints, and whether those that are kept still hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from django.db.models import OuterRef, QuerySet, Subquery

from apps.audit import rules
from apps.audit.models import Checkpoint, Event, Timestamp, TimestampState
from placet.kernel.config import config
from placet.kernel.problems import NotFound
from placet_verify.errors import Refused
from placet_verify.log.checking import Fault
from placet_verify.time import timestamp
from placet_verify.time.chains import read_pinned

BATCH = 500


@dataclass(frozen=True, slots=True)
class Stamped:
    """A stamp with what it is over: everything that another verifier needs but the pinned
    certificate. ``reply`` is an answer as RFC 3161 has it."""

    row: Timestamp
    note: str
    reply: bytes

    @property
    def serial(self) -> str:
        """Return the stamp's number at its authority."""
        return str(timestamp.claims(bytes(self.row.token)).serial)


def newest_event_at(head: Checkpoint) -> datetime:
    """Return when the newest event of a checkpoint was written, or if it is not here any more,
    when the checkpoint was signed."""
    at = Event.objects.filter(pk=head.size - 1).values_list("at", flat=True).first()
    return datetime.fromisoformat(at) if at else head.created_at


def timestamps() -> QuerySet[Timestamp]:
    """Return every stamp; whoever is signed in may see them, as the checkpoints."""
    return Timestamp.objects.all()


def timestamp_states() -> list[TimestampState]:
    """Return how far each authority has come, by name."""
    return list(TimestampState.objects.order_by("authority"))


def stamped(size: int, authority: str) -> Stamped:
    """Return one stamp with the note that it is over, or raise ``NotFound``."""
    row = Timestamp.objects.filter(size=min(size, 2**62), authority=authority).first()
    head = Checkpoint.objects.filter(pk=row.size).first() if row else None
    if row is None or head is None:
        raise NotFound
    return Stamped(row, head.note, timestamp.reply_of(bytes(row.token)))


def every_stamp(size: int) -> Iterator[Stamped]:
    """Yield the stamps of all checkpoints up to ``size``, without holding them in memory."""
    note = Checkpoint.objects.filter(pk=OuterRef("size")).values("note")
    rows = Timestamp.objects.filter(size__lte=size).annotate(note=Subquery(note))
    for row in rows.order_by("size", "authority").iterator(chunk_size=BATCH):
        yield Stamped(row, row.note or "", timestamp.reply_of(bytes(row.token)))


def wrong_timestamps() -> Iterator[Fault]:
    """Yield the stamps that do not hold: over other bytes, by another authority than the pinned
    one, of another time than the row says, or before an event that they cover."""
    pinned = _pinned()
    if isinstance(pinned, Fault):
        yield pinned
        return
    note = Checkpoint.objects.filter(pk=OuterRef("size")).values("note")
    newest = Event.objects.filter(pk=OuterRef("size") - 1).values("at")
    rows = Timestamp.objects.annotate(note=Subquery(note), newest=Subquery(newest))
    for row in rows.order_by("size", "authority").iterator(chunk_size=BATCH):
        place = f"time stamp {row.size} {row.authority}"
        if sentence := _fault(row, row.note, row.newest, pinned.get(row.authority)):
            yield Fault(place, f"{place}: {sentence}")


def _pinned() -> dict[str, list[x509.Certificate]] | Fault:
    try:
        return {a.name: read_pinned(a.ca_file) for a in config().timestamp_authorities}
    except (OSError, Refused) as error:
        return Fault("time stamps", f"time stamps: a pinned certificate cannot be read: {error}")


def _fault(
    row: Timestamp, note: str | None, newest: str | None, pinned: list[x509.Certificate] | None
) -> str:
    if note is None:
        return "there is no checkpoint of this size"
    try:
        anchors = pinned or [x509.load_der_x509_certificate(bytes(row.anchor))]
        stamp = timestamp.verify(bytes(row.token), note.encode("utf-8"), anchors)
    except Refused as refusal:
        return refusal.sentence
    except ValueError:
        return "its pinned certificate cannot be read"
    if stamp.at != row.at:
        return f"the row says {row.at:%Y-%m-%d %H:%M:%S} UTC, the token {stamp.at:%H:%M:%S}"
    begin = datetime.fromisoformat(newest) if newest else stamp.at - timedelta(1)
    return rules.contradiction(row.authority, stamp.at, stamp.accuracy, begin)

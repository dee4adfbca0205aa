"""Checking what came to the log since it was last checked, so that no check grows with the log."""

from collections.abc import Iterator
from itertools import takewhile

from apps.audit.models import Checkpoint, VerifiedHead
from apps.audit.queries import checkpoint_files
from apps.audit.queries.archived import NO_INDEX, every_record
from apps.audit.queries.proofs import tree
from placet.kernel.keystore import ring
from placet_verify.errors import Refused
from placet_verify.log import checkpoint
from placet_verify.log.checking import Fault, LeafRecord, LogReport, verify_log
from placet_verify.log.merkle import Frontier

MOST = 20_000  # events of one check, and those up to the next checkpoint
BEGINNING = (0, Frontier().root())


class NotContinued(Exception):
    """What was verified before is not what stands there now; its text says how."""


def verify_new(known: VerifiedHead | None) -> LogReport | None:
    """Check the events since ``known`` up to a signed checkpoint; ``None`` where there is none.

    Their bodies, hashes and seals are checked, and that tree heads continue each other: from the
    one that was reached before, whose signature counts and not what the row says, over those kept
    outside the database, to the one that this check reaches. Raises :class:`NotContinued`.
    """
    size, root = (known.size, bytes(known.root)) if known and known.size else BEGINNING
    reached = next_checkpoint(size)
    if reached is None:
        return None
    if size and signed(size) != root:
        raise NotContinued(f"The first {size} events are not those that were verified before")
    start = Frontier.resume(size, tree(size))
    if start.root() != root:
        raise NotContinued(f"The tree over the first {size} events is not the one that was signed")
    return verify_log(
        records(size, reached.size),
        heads=[*kept_between(size, reached.size), (reached.size, signed(reached.size))],
        complete=True,
        ring=ring(),
        start=start,
    )


def next_checkpoint(size: int) -> Checkpoint | None:
    """Return the last checkpoint that one check reaches from ``size``, else the first beyond."""
    later = Checkpoint.objects.filter(size__gt=size)
    within = later.filter(size__lte=size + MOST).order_by("-size").first()
    return within or later.order_by("size").first()


def signed(size: int) -> bytes:
    """Return the root that our key signed over the first ``size`` events, b'' where it did not."""
    row = Checkpoint.objects.filter(size=size).first()
    try:
        head = checkpoint.verify(row.note if row else "", checkpoint.log_keys(ring()))
    except Refused:
        return b""
    return head.root if head.size == size else b""


def kept_between(size: int, end: int) -> list[tuple[int, bytes]]:
    """Return the heads that are kept outside the database, of the sizes that a check passes."""
    sizes = [kept for kept in checkpoint_files.kept_sizes() if size < kept < end]
    files = [checkpoint_files.folder() / f"{kept}.txt" for kept in sizes]
    return [(head.size, head.root) for head in map(checkpoint_files.read_kept, files)]


def records(start: int, end: int) -> Iterator[LeafRecord]:
    """Yield the events from ``start`` on, before ``end``."""
    after = start - 1 if start else NO_INDEX
    return takewhile(lambda record: record[0] < end, every_record(after))


def report_fault(report: LogReport) -> Fault | None:
    """Return what is wrong, also where an event claims to vouch for access without a good seal."""
    if report.fault is not None or not report.unsealed:
        return report.fault
    first = report.unsealed[0]
    sentence = f"{first.sentence}: it claims to give access, and was appended past Placet"
    return Fault(first.place, sentence)

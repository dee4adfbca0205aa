"""What reads the whole database sees one moment of it, and holds a bounded number of bytes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import F, Func, IntegerField

from apps.audit.models import SealedText
from apps.audit.queries.texts import opened_many

BATCH = 500  # items, at most
BYTES = 1 << 20  # of them, and what makes it more
T = TypeVar("T")


@contextmanager
def at_one_moment() -> Iterator[None]:
    """Have all that is read within be as it was at one moment, while others go on."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def in_batches(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield ``items`` in lists that end with the one that makes them ``BYTES``, by their ``size``,
    or ``BATCH`` in number."""
    batch: list[T] = []
    held = 0
    for item in items:
        batch.append(item)
        held += size(item)
        if held >= BYTES or len(batch) == BATCH:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def opened_in_turn(commitments: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the sealed texts that can be opened, never more of them at once than ``BYTES``."""
    size = Func(F("ciphertext"), function="octet_length", output_field=IntegerField())
    rows = SealedText.objects.filter(commitment__in=commitments).values_list("commitment", size)
    for part in in_batches(rows, lambda row: row[1]):
        yield from opened_many(commitment for commitment, _ in part).items()

"""The leaves of the log, a page at a time: hashes for everybody, bodies for who may read them."""

from dataclasses import dataclass

from django.db.models import F, Func, IntegerField

from apps.audit.models import ArchivedLeaf, Event
from apps.audit.queries.filtering import readable
from placet.kernel.actor import Actor

MOST_BYTES = 4 << 20  # of bodies on one page, and the one that makes it more


@dataclass(frozen=True, slots=True)
class ShownLeaf:
    """A leaf; no ``body`` where the reader may not see it, or it was archived."""

    index: int
    leaf_hash: bytes
    body: str | None


def shown_leaves(start: int, end: int, actor: Actor) -> tuple[list[ShownLeaf], int]:
    """Return the leaves from ``start`` on, in order, and where the next ones begin: at ``end``, or
    before it where more bodies came than a page holds."""
    events = Event.objects.filter(index__gte=start)
    mine = events.filter(readable(actor)).order_by("index")
    room = MOST_BYTES
    size = Func(F("body"), function="octet_length", output_field=IntegerField())
    for index, length in mine.filter(index__lt=end).values_list("index", size):
        if room <= 0:
            end = index
            break
        room -= length
    bodies = dict(mine.filter(index__lt=end).values_list("index", "body"))
    here = events.filter(index__lt=end).values_list("index", "leaf_hash")
    archived = ArchivedLeaf.objects.filter(index__gte=start, index__lt=end)
    leaves = dict(here) | dict(archived.values_list("index", "leaf_hash"))
    ordered = sorted(leaves.items())
    return [ShownLeaf(index, bytes(leaf), bodies.get(index)) for index, leaf in ordered], end

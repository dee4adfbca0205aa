"""How far the log was read, and what is to be sent."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.audit.hooks import Follower
from apps.audit.models import Event, LogHead
from apps.audit.queries import log_size
from apps.notices.models import Notice, NoticeState, Reading
from apps.notices.rules import CONCERNS
from placet.kernel.clock import now

LOOK = 100  # events that one look at the log takes


def following() -> list[Follower]:
    """Return how far the log was read, if it was at all: see :func:`apps.audit.hooks.followers`."""
    cursors = Reading.objects.values_list("cursor", flat=True)
    return [Follower("mail to people", cursor) for cursor in cursors]


def unread(cursor: int) -> tuple[list[Event], int]:
    """Return the next events that may concern somebody, and where the look after begins."""
    size = log_size()
    rows = Event.objects.filter(index__gte=cursor, index__lt=size, kind__in=CONCERNS)
    events = list(rows.order_by("index")[:LOOK])
    return events, events[-1].index + 1 if len(events) == LOOK else size


def due_notices() -> QuerySet[Notice]:
    """Return what is to be sent now: what waits, and what somebody began to send who is gone."""
    at = now()
    waits = Q(state=NoticeState.WAITING, next_at__lte=at)
    left = Q(state=NoticeState.SENDING, lease_until__lt=at)
    return Notice.objects.filter(waits | left).order_by("next_at", "pk")


def anything_to_do() -> list[QuerySet[Any]]:
    """Return the log's head where it was not read to its end, and what is to be sent."""
    read = Reading.objects.filter(pk=1, cursor=OuterRef("size"))
    return [LogHead.objects.exclude(Exists(read)), due_notices()]


def is_due() -> bool:
    """Tell whether anything is."""
    return due_notices().exists()

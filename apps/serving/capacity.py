"""The memory of a target: what has it, and why something does not fit beside that."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Q, QuerySet, Sum, TextField, Value
from django.db.models.functions import Coalesce, Concat, JSONObject

from apps.serving.models import Endpoint, Revision, Target
from apps.serving.replicas import MOST_REPLICAS, most_replicas
from apps.serving.rules import (
    PRESENT,
    RUNNING,
    EndpointState,
    Occupant,
    RevisionState,
    describe_occupants,
    serving_config,
    to_evict,
)

# Of a revision: it has memory of its target, or is about to. One behind a stopped endpoint ends,
# and so does one that drains.
HAS_MEMORY = Q(state__in=PRESENT - {RevisionState.DRAINING}, endpoint__state=EndpointState.ACTIVE)
# Of all the replicas that it may have: what its node scales by load always finds room.
MOST_MB = F("memory_mb") * MOST_REPLICAS


def _rows(target: Any) -> QuerySet[Revision, Any]:
    """Select what takes memory on ``target``, longest warm first, as an :class:`Occupant` each."""
    revisions = Revision.objects.filter(HAS_MEMORY, endpoint__target=target)
    names = "endpoint__environment", Value("/"), "endpoint__name"
    path = Concat(*names, output_field=TextField())
    row = JSONObject(
        id="pk",
        state="state",
        memory_mb=MOST_MB,
        project="project",
        endpoint=path,
    )
    return revisions.order_by("warm_until", "pk").values(json=row)


def occupants(target: Target) -> list[Occupant]:
    """Return what takes memory on ``target``, longest warm first."""
    return [Occupant(**row["json"]) for row in _rows(target)]


def occupying(target: str) -> ArraySubquery:
    """Return the same for the target to which this column of another query leads."""
    return ArraySubquery(_rows(OuterRef(target)))


def lacking(target: Target, rows: Sequence[Occupant], needed_mb: int, project: str) -> str:
    """Return why ``needed_mb`` more do not fit on ``target`` beside ``rows``, '' when they do.

    It is said to people of ``project`` (an id): what others run there is not named.
    """
    if to_evict(rows, capacity_mb=target.capacity_mb, needed_mb=needed_mb) is not None:
        return ""
    return (
        f"{needed_mb:,} MB do not fit on {target.name} now: {describe_occupants(rows, project)} of "
        f"{target.capacity_mb:,} MB are taken. There is room when one of them is stopped or scaled "
        "down, or the target gets more memory"
    )


def needed_mb(serving: Mapping[str, Any]) -> int:
    """Return the memory that what is started by this serving configuration may take."""
    config = serving_config(serving)
    return most_replicas(serving, config.replicas) * config.memory_mb


def needed_back_mb(former: Revision, leaving: Revision | None) -> int:
    """Return the memory that a way back to ``former``, which is stopped, needs beside what runs:
    for what it begins with, and for all that its node may give it once ``leaving`` has gone."""
    begins = serving_config(former.serving).replicas * former.memory_mb
    freed = Revision.objects.filter(HAS_MEMORY, pk=leaving.pk if leaving else None)
    taken: int = freed.aggregate(taken=Coalesce(Sum(MOST_MB), 0))["taken"]
    return max(begins, needed_mb(former.serving) - taken)


def running_mb(endpoint: Endpoint) -> int:
    """Return the memory that what runs behind ``endpoint`` may take while it is active."""
    rows = endpoint.revisions.filter(state__in=RUNNING)
    taken: int = rows.aggregate(taken=Coalesce(Sum(MOST_MB), 0))["taken"]
    return taken

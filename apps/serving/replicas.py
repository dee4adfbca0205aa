"""How many replicas a revision has at most and at least: those that somebody said, or between the
two bounds within which its node scales it by load."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Case, F, IntegerField, Q, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from apps.serving.models import Revision
from apps.serving.rules import RevisionState
from placet_verify.permit.scaling import Scaling, scaling_of


def most_replicas(serving: Mapping[str, Any], replicas: int) -> int:
    """Return how many replicas what runs by ``serving`` may take; ``replicas`` are those that it
    is to have or begins with."""
    scaling = scaling_of(serving)
    return replicas if scaling is None else scaling.most


# The same of a revision in a query: ``test_the_most_replicas_are_the_same_in_a_query``.
_SCALED = Q(serving__has_keys=["egress", "target_inflight"])
_MOST = (Cast(KT(f"serving__{name}"), IntegerField()) for name in ("max_replicas", "replicas"))
MOST_REPLICAS = Case(
    When(_SCALED, then=Coalesce(*_MOST, 1)), default=F("replicas"), output_field=IntegerField()
)


def scaled_live(revision: Revision) -> Scaling | None:
    """Return within which bounds its node scales ``revision``; ``None`` where it does not: before
    it is live there are as many as its rollout needs."""
    return scaling_of(revision.serving) if revision.state == RevisionState.LIVE else None


def wanted_replicas(revision: Revision) -> int:
    """Return how many replicas are to answer: of what is live and scaled the fewest that its node
    may leave it."""
    scaling = scaled_live(revision)
    return revision.replicas if scaling is None else scaling.least


def ready_of(revision: Revision, ready: int) -> str:
    """Return how many replicas answer, for a table: of how many, where somebody said that."""
    return f"{ready} of {revision.replicas}" if scaled_live(revision) is None else str(ready)


def ready_words(revision: Revision, ready: int) -> str:
    """Return the same for who has no table, and who says how many there are to be."""
    scaling = scaled_live(revision)
    many = ready if scaling else revision.replicas
    said = f"{ready_of(revision, ready)} replica{'' if many == 1 else 's'} ready"
    if scaling is None:
        return said
    return f"{said}, scaled by load between {scaling.least} and {scaling.most}"

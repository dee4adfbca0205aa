"""The rejection that a release was requested again after."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from apps.governance.models import Decision, Release
from apps.governance.rules import ReleaseState


@dataclass(frozen=True, slots=True)
class EarlierRejection:
    """Who rejected an earlier release of the same version for the same endpoint, and why."""

    release: str
    number: int
    person: str
    name: str
    role: str
    comment: str
    at: datetime


def decisions_on(row: Release) -> tuple[list[Decision], list[Any]]:
    """Return the decisions on a release, and those that rejected earlier ones of its version for
    its endpoint before it was decided, in order (one query)."""
    rejected = Q(state=ReleaseState.REJECTED, number__lt=row.number)
    rejected &= Q(version=row.version_id, endpoint=row.endpoint_id)
    releases = Release.objects.filter(Q(pk=row.pk) | rejected)
    rows = Decision.objects.filter(release__in=releases.values("pk"))
    found = list(rows.annotate(number=F("release__number")).order_by("created_at", "pk"))
    own: list[Decision] = [one for one in found if one.release_id == row.pk]
    decided = row.approved_at or row.ended_at
    others = (one for one in found if one.release_id != row.pk)
    before = (one for one in others if decided is None or one.created_at < decided)
    return own, [one for one in before if one.verdict == "reject" and not one.voided_reason]


def last_rejection(
    before: list[Any], names: Mapping[str, str], texts: Mapping[str, str]
) -> EarlierRejection | None:
    """Return the newest rejection, ``None`` where there was none."""
    for one in before[-1:]:
        return EarlierRejection(
            release=one.release_id,
            number=one.number,
            person=one.person,
            name=names.get(one.person, ""),
            role=one.role,
            comment=texts.get(one.comment_sealed, ""),
            at=one.created_at,
        )
    return None

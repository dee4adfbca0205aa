"""Rollouts of releases that a recall does not reach, and that it aborts all the same: what was live
before them is recalled, so that nothing is left that they could give requests back to."""

from collections.abc import Collection

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.rollouts.models import Rollout
from apps.rollouts.rules import STEPPING
from apps.rollouts.states import RolloutKind, RolloutState


def aborting_along(releases: Collection[str]) -> Subquery:
    """Return the rollout that a recall which reaches ``releases`` (ids) would abort with a revision
    of theirs, as a column of a query for revisions."""
    rows = Rollout.objects.filter(from_revision=OuterRef("pk"), state__in=STEPPING)
    return _told(rows.exclude(release__in=releases))


def aborted_along() -> Subquery:
    """Return the rollout that a recall aborted with the release of an effect, as a column of a
    query for effects."""
    rows = Rollout.objects.filter(
        endpoint=OuterRef("endpoint"),
        from_revision__release=OuterRef("release"),
        state=RolloutState.ABORTED,
        finished_at__gte=OuterRef("recall__created_at"),
    )
    # what was about to be aborted without the recall has been in that state
    rows = rows.exclude(phase_times__has_key=RolloutState.ABORTING)
    return _told(rows.exclude(release__recalls__recall=OuterRef("recall")))


def _told(rows: QuerySet[Rollout]) -> Subquery:
    """Return the first of releases, since a rollback or a test of one goes on to what is good: its
    id, and the number and version of its release."""
    version = {"model": "release__version__model__name", "version": "release__version__number"}
    told = JSONObject(id="pk", number="release__number", **version)
    return Subquery(rows.filter(kind=RolloutKind.RELEASE).order_by("pk").values(json=told)[:1])

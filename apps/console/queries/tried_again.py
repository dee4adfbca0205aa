"""What was tried again: the retry of a rollout that ended badly, and the newer release of the same
version to the same endpoint, requested after that had ended. What was tried before is read by
``apps.rollouts.attempts``."""

from collections.abc import Iterator
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.urls import reverse

from apps.console.queries.page_parts import Banner, Link
from apps.console.templatetags.placet import state_word
from apps.governance.models import OPEN_STATES, Release
from apps.governance.rules import RETRIABLE, ReleaseState
from apps.rollouts.models import Rollout
from apps.rollouts.states import RolloutKind

ENDED_BADLY = (
    *RETRIABLE,
    ReleaseState.REJECTED,
    ReleaseState.WITHDRAWN,
    ReleaseState.EXPIRED,
    ReleaseState.REVOKED,
    ReleaseState.ROLLED_BACK,
)


def with_requested_again(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have releases bring the newest one of their version to their endpoint that was requested
    after they had ended (``requested_again``)."""
    return releases.annotate(requested_again=_newer("", since="ended_at"))


def with_tried_again(rollouts: QuerySet[Rollout]) -> QuerySet[Rollout, Any]:
    """Have rollouts bring the newest of their release after them (``retried``), and the newest
    release as :func:`with_requested_again` does."""
    later = Rollout.objects.filter(
        release=OuterRef("release"), kind=RolloutKind.RELEASE, created_at__gt=OuterRef("created_at")
    )
    retried = Subquery(later.order_by("-created_at").values("pk")[:1])
    return rollouts.annotate(
        retried=retried, requested_again=_newer("release__", since="finished_at")
    )


def _newer(release: str, *, since: str) -> Subquery:
    newer = Release.objects.filter(
        version=OuterRef(f"{release}version"),
        endpoint=OuterRef(f"{release}endpoint"),
        number__gt=OuterRef(f"{release}number"),
        created_at__gt=OuterRef(since),
    )
    columns = JSONObject(id="pk", number="number", state="state")
    return Subquery(newer.order_by("-number").values(json=columns)[:1])


def requested_again(release: Any) -> Banner | None:
    """Return which release came after one that ended badly; ``None`` where none did."""
    if release.state not in ENDED_BADLY or not release.requested_again:
        return None
    newer = release.requested_again
    place = f"{release.environment.name} / {release.endpoint.name}"
    text = f"Its version was requested for {place} again: {_named(newer)}."
    return Banner("info", text, [Link(f"Open release {newer['number']}", _url(newer))])


def tried_again(rollout: Any) -> Iterator[Link]:
    """Yield where a rollout that ended badly was tried again: what goes back to a release, or tests
    that, is no attempt to release it."""
    if rollout.kind != RolloutKind.RELEASE:
        return
    if rollout.retried:
        yield Link("Open its retry", reverse("rollout", args=[rollout.retried]))
    if newer := rollout.requested_again:
        yield Link(f"Requested again at {rollout.endpoint.name}: open {_named(newer)}", _url(newer))


def _named(newer: dict[str, Any]) -> str:
    """Return a release by its number, with how it ended where it did."""
    state = newer["state"]
    ended = "" if state in (*OPEN_STATES, ReleaseState.LIVE) else f" ({state_word(state).lower()})"
    return f"release {newer['number']}{ended}"


def _url(newer: dict[str, Any]) -> str:
    return reverse("release", args=[newer["id"]])

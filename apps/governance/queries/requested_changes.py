"""Standing requests for changes: whose release they hold, who made them, and what answers them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import JSONObject

from apps.governance.models import Decision, Release
from apps.governance.rules import ReleaseState
from apps.identity.queries import name_in, visible
from placet.kernel.actor import Actor
from placet_verify.statements import REQUEST_CHANGES

MOST = 20  # requests that one release may answer, and are told
UNANSWERED = (
    ReleaseState.REJECTED,
    ReleaseState.WITHDRAWN,
    ReleaseState.EXPIRED,
    ReleaseState.REVOKED,
)
_SAID = {"id": "pk", "person": "person", "role": "role", "at": "created_at"}
_SAID |= {"comment": "comment_sealed"}


@dataclass(frozen=True, slots=True)
class Answered:
    """A request for changes on a former release that a newer one answers."""

    id: str
    person: str
    name: str
    role: str
    at: datetime
    comment: str  # '' where it was erased
    release: str
    number: int
    state: str  # of that release
    requester: str
    version: int

    @classmethod
    def of(cls, row: Mapping[str, Any], texts: Mapping[str, str]) -> Self:
        """Read it as :func:`with_answers` brings it."""
        told = {"at": datetime.fromisoformat(row["at"]), "comment": texts.get(row["comment"], "")}
        return cls(**{**row, **told})


@dataclass(frozen=True, slots=True)
class Answer:
    """The newest release that answers requests for changes on a former one."""

    release: str
    number: int
    version: int
    state: str


def asked(release: str = "pk") -> QuerySet[Decision]:
    """Return the standing requests for changes on a release, whose id a query has in this column,
    the first one first."""
    rows = Decision.objects.filter(release=OuterRef(release), voided_reason="")
    return rows.filter(verdict=REQUEST_CHANGES).order_by("pk")


def with_requests(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have releases bring who asked for changes that stand, as what, when and why (``asking``: the
    comment is a commitment); nobody once they are decided."""
    waiting = asked().filter(release__state=ReleaseState.REQUESTED)
    told = waiting.values(json=JSONObject(name=name_in("person"), **_SAID))
    return releases.annotate(asking=ArraySubquery(told))


def held_own(actor: Actor) -> Q:
    """Return the condition under which a release waits for ``actor``, who asked for it or made its
    version, since others asked for changes."""
    me = actor.accountable
    own = Q(release__requester=me) | Q(release__version__author=me)
    held = Decision.objects.filter(own, voided_reason="", verdict=REQUEST_CHANGES)
    # By what is held, which is little: either alternative alone would go through all versions.
    return Q(pk__in=held.filter(release__state=ReleaseState.REQUESTED).values("release"))


def held_by(actor: Actor) -> Q:
    """Return the condition under which a release is held by a request for changes of ``actor``."""
    made = Decision.objects.filter(
        person=actor.accountable,
        voided_reason="",
        verdict=REQUEST_CHANGES,
        release__state=ReleaseState.REQUESTED,
    )
    return Q(pk__in=made.values("release"))


def releases_to_change(actor: Actor) -> QuerySet[Release]:
    """Return the releases that wait for changes by ``actor``, of those that they see."""
    return visible(Release.objects.filter(held_own(actor)), actor, view="release.view")


def with_answers(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have each release bring the requests for changes that it answers (``answers``): those that
    stand on former releases of its model behind its endpoint which were open when it was requested,
    of no later version; and what :func:`with_answer` does."""
    open_then = Q(release__state=ReleaseState.REQUESTED) | Q(
        release__ended_at__gt=OuterRef("created_at"), release__state__in=UNANSWERED
    )
    former = Decision.objects.filter(
        open_then,
        created_at__lt=OuterRef("created_at"),  # what is asked later it cannot have answered
        voided_reason="",
        verdict=REQUEST_CHANGES,
        release__endpoint=OuterRef("endpoint"),
        release__version__model=OuterRef("version__model"),
        release__number__lt=OuterRef("number"),
        release__version__number__lte=OuterRef("version__number"),
    )
    of = {name: f"release__{name}" for name in ("number", "state", "requester")}
    of |= {"release": "release", "version": "release__version__number"}
    told = JSONObject(name=name_in("person"), **of, **_SAID)
    answers = ArraySubquery(former.order_by("pk").values(json=told)[:MOST])
    return with_answer(releases.annotate(answers=answers))


def with_answer(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have each release on which changes are requested bring the newest one of its model behind
    its endpoint, of no earlier version, that was requested after all of that and is not over
    unserved (``answered_by``): it answers them."""
    newer = Release.objects.filter(
        endpoint=OuterRef("endpoint"),
        version__model=OuterRef("version__model"),
        number__gt=OuterRef("number"),
        version__number__gte=OuterRef("version__number"),
    ).exclude(state__in=UNANSWERED)
    later = Decision.objects.filter(
        release=OuterRef(OuterRef("pk")),
        voided_reason="",
        verdict=REQUEST_CHANGES,
        created_at__gt=OuterRef("created_at"),
    )
    newer = newer.filter(~Exists(later))
    answer = JSONObject(release="pk", number="number", version="version__number", state="state")
    newest = Subquery(newer.order_by("-number").values(json=answer)[:1])
    return releases.annotate(answered_by=Case(When(Exists(asked()), then=newest)))

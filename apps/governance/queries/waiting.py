"""What a release waits for beside its gates: its turn, its target's list, or room there."""

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import CharField, Exists, ExpressionWrapper, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.governance.models import FIRST_LIVE, OPEN_STATES, UNFINISHED_STATES, Release
from apps.governance.rules import ReleaseState
from apps.jobs.models import Job
from apps.jobs.queries import OPEN
from apps.serving.capacity import lacking, needed_mb, occupying
from apps.serving.models import TargetUse
from apps.serving.rules import EndpointState, Occupant
from apps.serving.uses import why_unlisted
from placet.kernel import clock

START = "rollouts.start"  # the job that begins to roll a release out


def overtaking() -> QuerySet[Release]:
    """Return the newer releases to the endpoint of an approved one, which a query reads, that went
    live since it was approved: those who approved it saw another one there.

    What is started again, or gone back to, did not go live since. Of a release that is not
    approved, or no more, the database looks at no other.
    """
    behind = Release.objects.filter(endpoint=OuterRef("endpoint"), number__gt=OuterRef("number"))
    theirs = ExpressionWrapper(OuterRef("state"), CharField())
    since = behind.alias(went_live=FIRST_LIVE, theirs=theirs)
    return since.filter(theirs=ReleaseState.APPROVED, went_live__gt=OuterRef("approved_at"))


def to_start() -> QuerySet[Release]:
    """Return the approved releases that start by themselves, where nothing newer went live since
    and nothing goes out."""
    behind = Release.objects.filter(endpoint=OuterRef("endpoint"))
    return _starting().filter(
        ~Exists(overtaking()), ~Exists(behind.filter(state=ReleaseState.ROLLING_OUT))
    )


def _starting() -> QuerySet[Release]:
    return Release.objects.filter(
        state=ReleaseState.APPROVED, not_after__gt=clock.now(), plan__start="on_approval"
    )


def decided() -> QuerySet[Release]:
    """Return the releases whose people have decided, and that wait for another gate."""
    return Release.objects.filter(
        state=ReleaseState.REQUESTED, quorum_met=True, not_after__gt=clock.now()
    )


def to_advance() -> list[QuerySet[Release]]:
    """Return the releases that time alone may bring further, cheaply: whether nothing stands in the
    way of a start is not asked."""
    return [decided(), _starting()]


def on_their_way() -> QuerySet[Release]:
    """Return the releases that are on their way to an endpoint, which a query reads: none of those
    can be deleted."""
    return Release.objects.filter(endpoint=OuterRef("pk"), state__in=OPEN_STATES)


def with_overtaking(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have each release bring the number of the newest that :func:`overtaken` tells of."""
    newest = overtaking().order_by("-number").values("number")
    return releases.annotate(overtaken_by=Subquery(newest[:1]))


def overtaken(release: Any) -> str:
    """Say which release went live since this approved one was, so that it does not start by
    itself; '' where none did, or the release was not read :func:`with_overtaking`."""
    number = getattr(release, "overtaken_by", None)
    if not number or release.state != ReleaseState.APPROVED:
        return ""
    return f"Release {number} went live since this one was approved"


def with_waiting(releases: QuerySet[Release]) -> QuerySet[Release]:
    """Have each release bring what :func:`waits_for` looks at."""
    tried = Job.objects.filter(kind=START, key=OuterRef("pk")).exclude(error="").order_by("-pk")
    attempts = tried.values(json=JSONObject(error="error", state="state"))
    entries = TargetUse.objects.filter(
        target=OuterRef("endpoint__target"), project=OuterRef("project")
    )
    return with_overtaking(releases).annotate(
        tried=Subquery(attempts[:1]),
        beside=occupying("endpoint__target"),
        listed=ArraySubquery(entries.values("environment")),
    )


def waits_for(release: Any) -> str:
    """Return what keeps ``release`` from starting beside its gates, in a sentence; '' for nothing.

    What the job said that tried to start it is the newest that is known.
    """
    if release.state not in UNFINISHED_STATES:
        return ""
    if release.endpoint.state == EndpointState.STOPPED:
        return "The endpoint is stopped: nothing starts there before somebody starts the endpoint"
    if newer := overtaken(release):
        return f"{newer}: it does not start by itself, an operator has to start it"
    if release.state == ReleaseState.APPROVED and release.tried:
        error = str(release.tried["error"])
        return error if release.tried["state"] in OPEN else f"It could not be started: {error}"
    target, environment = release.endpoint.target, release.environment.name
    if why := why_unlisted(target.name, release.project.slug, environment, release.listed):
        return f"{why}. It cannot start until then"
    rows = [Occupant(**row) for row in release.beside]
    return lacking(target, rows, needed_mb(release.serving), release.project_id)

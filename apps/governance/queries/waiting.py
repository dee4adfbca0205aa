"""What a release waits for beside its gates: its turn, or room on its target."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.governance.models import Release
from apps.jobs.models import Job
from apps.jobs.queries import OPEN
from apps.serving.capacity import lacking, occupying
from apps.serving.rules import Occupant, serving_config

START = "rollouts.start"  # the job that begins to roll a release out


def with_waiting(releases: QuerySet[Release]) -> QuerySet[Release]:
    """Have each release bring what :func:`waits_for` looks at."""
    tried = Job.objects.filter(kind=START, key=OuterRef("pk")).exclude(error="").order_by("-pk")
    said = tried.values(json=JSONObject(error="error", state="state"))
    return releases.annotate(tried=Subquery(said[:1]), beside=occupying("endpoint__target"))


def waits_for(release: Any) -> str:
    """Return what keeps ``release`` from starting beside its gates, in a sentence; '' for nothing.

    What the job said that tried to start it is the newest that is known.
    """
    if release.state not in ("requested", "approved"):
        return ""
    if release.state == "approved" and release.tried:
        error = str(release.tried["error"])
        return error if release.tried["state"] in OPEN else f"It could not be started: {error}"
    rows, needed = [Occupant(**row) for row in release.beside], serving_config(release.serving)
    return lacking(release.endpoint.target, rows, needed.total_mb, release.project_id)

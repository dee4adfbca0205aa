"""What soaks in an environment that has requests opened in the next one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.governance import promotion
from apps.governance.models import Environment, PolicyRevision, Promotion, Release
from apps.governance.promotion import Soak
from apps.governance.queries.facts import soaks_by_environment, soaks_of
from apps.governance.rules import PolicyState, ReleaseState
from apps.identity.queries import name_in
from apps.serving.rules import EndpointState
from placet.kernel import clock


def promoting() -> QuerySet[Release, Any]:
    """Return what is :func:`to_promote`, with what :func:`soak_of` looks at (one query)."""
    rows = with_soak(to_promote())
    return rows.select_related("project", "environment__promote_to", "endpoint", "version", "bento")


def to_promote() -> QuerySet[Release]:
    """Return what is live where an environment has requests opened in the next, and was neither
    tried nor ever asked for there."""
    live = Release.objects.filter(state=ReleaseState.LIVE, environment__promote_to__isnull=False)
    serving = live.exclude(endpoint__state=EndpointState.STOPPED)
    tried = Promotion.objects.filter(
        source=OuterRef("pk"), environment=OuterRef("environment__promote_to")
    )
    return serving.filter(~Exists(tried), ~Exists(asked_there()))


def asked_there() -> QuerySet[Release]:
    """Return what ever asked for the Bento of a release, a row outside, behind the endpoint of its
    name in the environment that its own promotes to: whoever asked, and whatever became of it."""
    return Release.objects.filter(
        environment=OuterRef("environment__promote_to"),
        endpoint__name=OuterRef("endpoint__name"),
        bento=OuterRef("bento"),
    )


def with_soak(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have releases bring when their Bento was live (``stretches``), and the policy in force where
    their environment promotes to (``next_policy``)."""
    return releases.annotate(
        stretches=ArraySubquery(soaks_of("bento")),
        next_policy=policy_at("environment__promote_to"),
    )


def policy_at(environment: str) -> Subquery:
    """Return the document of the policy in force in an environment, a column of rows outside."""
    published = PolicyRevision.objects.filter(
        environment=OuterRef(environment), state=PolicyState.PUBLISHED
    )
    return Subquery(published.order_by("-number").values("document")[:1])


def soak_of(release: Any, now: datetime | None = None) -> Soak:
    """Return how a release stands before what the next environment demands of soaking in its own;
    it comes :func:`with_soak`."""
    place: Environment = release.environment
    if release.next_policy is None or promotion.fault(release.next_policy, place.name, ""):
        return Soak(passed=False)
    stretches = soaks_by_environment(release.stretches).get(place.name, [])
    return promotion.soak(release.next_policy, place.name, stretches, now or clock.now())


def opened_by_itself() -> Subquery:
    """Return for whom a release was requested by itself, and who had set that, as a column of a
    query that reads it; ``None`` of one that somebody requested."""
    made = Promotion.objects.filter(release=OuterRef("pk"))
    told = JSONObject(owner=name_in("release__requester"), by="set_by", setter=name_in("set_by"))
    return Subquery(made.values(json=told)[:1])


def promote_document(environment: Environment) -> Mapping[str, Any]:
    """Return the setting of an environment as the API has it; empty where nothing opens by itself.

    ``environment`` comes with its ``promote_to``.
    """
    if environment.promote_to is None:
        return {}
    said = {"after": promotion.AFTER, "to": environment.promote_to.name}
    return said | ({"plan": environment.promote_plan} if environment.promote_plan else {})

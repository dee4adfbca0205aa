"""Endpoints as the pages show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.utils.text import capfirst

from apps.console.charts import Sparkline, SplitSpan, sparkline, split_bar
from apps.console.queries.approvers import approval, approvers_of, everybody
from apps.console.queries.empty_lists import EmptyList
from apps.console.queries.endpoint_parts import (
    EXPOSED,
    UNUSED,
    health,
    kept_apart,
    version_url,
    why,
)
from apps.console.queries.page_parts import Sign
from apps.console.queries.paging import keyed
from apps.console.queries.sorting import ENDPOINTS, Sorting
from apps.console.templatetags.placet import percent
from apps.governance.models import OPEN_STATES as UNDER_WAY
from apps.governance.models import Release
from apps.governance.rules import ReleaseState
from apps.monitoring.queries import requests_at
from apps.registry.queries import large_of
from apps.rollouts.models import Rollout
from apps.rollouts.pauses import as_told, paused, told_along
from apps.rollouts.rules import OPEN_STATES
from apps.rollouts.states import RolloutKind, RolloutState
from apps.serving.models import Endpoint, Revision
from apps.serving.queries import (
    EndpointStatus,
    isolated,
    statuses_of,
    visible_endpoints,
)
from apps.serving.rules import ISOLATION
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet_verify.units import WHOLE

USED = Exists(Revision.objects.filter(endpoint=OuterRef("pk")))
MINUTES = 60  # whose requests a list draws


@dataclass(frozen=True, slots=True)
class ServingPart:
    """A release that has a share of an endpoint's requests, and who approved it."""

    release: Release
    weight: int  # out of 10,000
    since: datetime | None
    approved_by: str  # in words, by name; '' when nobody had to
    url: str  # where its version is read

    @property
    def share(self) -> str:
        """Its share of the requests; '' for all of them, or none while nothing is reported."""
        return percent(self.weight) if 0 < self.weight < WHOLE else ""


@dataclass(slots=True)
class EndpointRow:
    """One endpoint in a list: its status, and which releases serve behind it, what is live
    first."""

    status: EndpointStatus
    release: Release | None  # what is live
    approvers: list[str]  # of that, by name, with who made it an emergency release
    parts: list[ServingPart]
    rollout: str  # the one under way
    moving: str  # who or what has paused that, or only that it is under way
    lately: Sparkline | None = None  # its requests of the last hour; ``None`` where nobody asks

    @property
    def split(self) -> list[SplitSpan]:
        """The shares of what serves as a bar, what is live first; empty where one has all."""
        weights = [part.weight for part in self.parts]
        return split_bar(weights) if len(weights) > 1 and any(weights) else []

    @property
    def split_words(self) -> str:
        """The bar for who does not see it."""
        return ", ".join(f"{part.release.version} {percent(part.weight)}" for part in self.parts)

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint itself."""
        return self.status.endpoint

    @property
    def stopped_at(self) -> datetime | None:
        """When somebody stopped it; ``None`` while it serves."""
        return self.endpoint.stopped_at

    @property
    def exposed(self) -> str:
        """Which weak isolation it has, '' when each replica has a network of its own."""
        return EXPOSED.get(self.status.isolation, "")

    @property
    def kept_apart(self) -> str:
        """How its replicas are kept apart otherwise."""
        return kept_apart(self.status.isolation)

    @property
    def health(self) -> Sign:
        """How it is."""
        if self.status.health == "empty" and getattr(self.endpoint, "in_vain", False):
            return UNUSED
        return health(self.status.health)

    @property
    def why(self) -> str:
        """Why it is not healthy, in few words."""
        return why(self.status)


@dataclass(frozen=True, slots=True)
class EndpointListPage:
    """One page of what runs where, and what it was narrowed to."""

    rows: list[EndpointRow]
    project: str
    isolation: str
    empty: EmptyList

    @property
    def is_narrowed(self) -> bool:
        """Whether more could be shown."""
        return bool(self.project or self.isolation)

    @property
    def isolations(self) -> list[tuple[str, str]]:
        """What it can be narrowed to."""
        return isolations()

    @property
    def empty_title(self) -> str:
        """What an empty page says."""
        if self.isolation:
            return "Nothing that you may see runs so"
        what = "Nothing" if self.empty.shows_all else "Nothing that you may see"
        return f"{what} serves {'in this project ' if self.project else ''}yet"

    @property
    def first_step(self) -> str:
        """What to do when nothing was made yet."""
        made = "An endpoint is made with the first release to it"
        how = f"{made}. Open a built version and ask for a release."
        return self.empty.says("release.request", how, f"{made}, which contributors request.")


def isolations() -> list[tuple[str, str]]:
    """Return the ways in which what runs is kept apart, to choose from."""
    return [(word, capfirst(says)) for word, says in ISOLATION.items()]


def endpoint_list_page(
    actor: Actor,
    *,
    project: str = "",
    isolation: str = "",
    sorting: Sorting = ENDPOINTS,
    after: str = "",
    tried: bool = False,
    most: int = 0,
) -> tuple[list[EndpointRow], str]:
    """Return one page of what runs where, and the key to go on after; with ``tried`` no endpoint
    that nothing was ever rolled out to.

    ``most`` is how many, where a page has fewer than usual."""
    matching = endpoints_matching(actor, project=project, isolation=isolation)
    matching = matching.filter(USED) if tried else matching
    rows, key = keyed(with_use(matching), sorting.fields, after, most)
    return with_sparklines(endpoint_rows(rows)), key


def with_use(endpoints: QuerySet[Endpoint]) -> QuerySet[Endpoint, Any]:
    """Have each endpoint say whether it was only asked for ``in_vain``: nothing was ever rolled out
    to it, and no release is on its way there."""
    asked = Release.objects.filter(endpoint=OuterRef("pk"))
    vain = Q(~USED, Exists(asked), ~Exists(asked.filter(state__in=UNDER_WAY)))
    return endpoints.annotate(in_vain=Case(When(vain, then=True), default=False))


def endpoints_matching(
    actor: Actor, *, project: str = "", isolation: str = ""
) -> QuerySet[Endpoint]:
    """Return the endpoints that ``actor`` may see, of one project or of all of them; with
    ``isolation`` those where it is the weakest of what runs."""
    endpoints = visible_endpoints(actor)
    endpoints = endpoints.filter(project__slug=project) if project else endpoints
    return isolated(endpoints, isolation) if isolation else endpoints


def endpoint_rows(endpoints: Sequence[Endpoint]) -> list[EndpointRow]:
    """Return what runs there, since when and by whose approval, in a fixed number of queries."""
    statuses = statuses_of(endpoints)
    found = serving_releases(statuses)
    return [endpoint_row(status, found.get(status.endpoint.pk, [])) for status in statuses]


def with_sparklines(rows: Sequence[EndpointRow]) -> list[EndpointRow]:
    """Return these rows with their requests of the last hour: one query, an hour of each."""
    until = now().replace(second=0, microsecond=0) + timedelta(minutes=1)  # with the one under way
    since = until - timedelta(minutes=MINUTES)
    present = [row.status.endpoint.pk for row in rows]
    found = requests_at(present, since, until, 60) if present else {}
    minutes = range(int(since.timestamp()), int(until.timestamp()), 60)
    for row in rows:
        counts = found[row.status.endpoint.pk]
        row.lately = sparkline([counts.get(at, 0) for at in minutes])
    return list(rows)


def serving_releases(statuses: Sequence[EndpointStatus]) -> dict[str, list[Any]]:
    """Return by endpoint what is live there and what else has a share of its requests, each with
    who approved it and the rollout under way there."""
    moves = Rollout.objects.filter(endpoint=OuterRef("endpoint"), state__in=OPEN_STATES)
    sharing = [row.revision.release for s in statuses for row in s.revisions if row.share]
    live = Q(endpoint__in=[s.endpoint.pk for s in statuses], state=ReleaseState.LIVE)
    rows = Release.objects.filter(live | Q(pk__in=sharing)).select_related("version__model")
    rows = rows.defer(*large_of("version"))
    told = told_along(moves, pk="pk", plan="release__plan")
    rows = rows.annotate(**approvers_of("pk"), rollout=told)
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.endpoint_id, []).append(row)
    return found


def endpoint_row(status: EndpointStatus, releases: Sequence[Any]) -> EndpointRow:
    """Return an endpoint with what serves there of ``releases``; what is live is there also while
    nothing is known of its share."""
    live = next((row for row in releases if row.state == ReleaseState.LIVE), None)
    shares = {row.revision.release: row for row in status.revisions if row.share}
    parts = []
    for row in sorted(releases, key=lambda release: release is not live):
        sharing = shares.get(row.pk)
        if (row is not live and sharing is None) or (row is live and shares and sharing is None):
            continue
        since = _since(row, sharing.revision) if sharing and row is not live else row.live_at
        url = version_url(row.version, status.endpoint.project.slug)
        weight = sharing.share if sharing else 0
        parts.append(ServingPart(row, weight, since, approval(row.approvers, row.emergency), url))
    told = next((row.rollout for row in releases if row.rollout), None)
    rollout, moving = (told["pk"], _moving(told)) if told else ("", "")
    approvers = everybody(live.approvers, live.emergency) if live else []
    return EndpointRow(status, live, approvers, parts, rollout, moving)


def _since(release: Any, revision: Revision) -> datetime | None:
    """Return since when a revision shares requests that is not live: what an endpoint goes back to
    had its first ones long before."""
    told = release.rollout
    if told is None or told["kind"] == RolloutKind.RELEASE:
        return revision.first_served_at
    shifted = told["phase_times"].get(RolloutState.SHIFTING, told["created_at"])
    return datetime.fromisoformat(shifted)


def _moving(told: Mapping[str, Any]) -> str:
    """Say who or what has paused a rollout, or only that it is under way."""
    row = as_told(told, Release(plan=told["plan"]))
    return paused(row, row.pauser) or "Rollout in progress"

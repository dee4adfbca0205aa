"""Endpoints as the pages show them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils.text import capfirst

from apps.console.queries.alerts import AlertRow, shown_alerts, with_keeper
from apps.console.queries.drills import DrillRow, drill_rows, last_drills, schedule_with
from apps.console.queries.endpoint_parts import EXPOSED, health, kept_apart, version_url, why
from apps.console.queries.events import EventLine, story
from apps.console.queries.page_parts import Sign
from apps.console.queries.paging import keyed
from apps.console.queries.recalls import reached_by
from apps.console.templatetags.placet import percent
from apps.governance.models import Decision, Release
from apps.governance.rules import ReleaseState
from apps.identity.queries import name_in
from apps.monitoring.models import AlertKind, Objective
from apps.monitoring.queries import Recent, alerts_of, figures, objective_with
from apps.monitoring.rules import ObjectiveStatus
from apps.registry.queries import large_of
from apps.rollouts.events import ENTERED, ROLLBACK_STARTED
from apps.rollouts.models import DrillSchedule, Rollout
from apps.rollouts.queries import ROLLBACK_KEPT, may_serve_again
from apps.rollouts.rules import OPEN_STATES, STEPPING
from apps.rollouts.states import RolloutKind, RolloutState
from apps.serving.models import Endpoint, EndpointKey, Revision
from apps.serving.queries import (
    EndpointStatus,
    endpoint_keys,
    isolated,
    status_with,
    statuses_of,
    visible_endpoints,
)
from apps.serving.rules import ISOLATION, PRESENT, RevisionState, Trouble, serving_config
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound
from placet_verify.capture import Capture
from placet_verify.statements import APPROVE
from placet_verify.units import WHOLE, UnitSource

SHOWN = 20  # revisions of an endpoint
ABORTED = (RolloutState.ABORTING, RolloutState.ABORTED)
TAKEN_BACK = (ROLLBACK_STARTED.name, ENTERED[RolloutState.ABORTING].name)


@dataclass(frozen=True, slots=True)
class ServingPart:
    """A release that has a share of an endpoint's requests, and who approved it."""

    release: Release
    weight: int  # out of 10,000
    since: datetime | None
    approvers: list[str]
    url: str  # where its version is read

    @property
    def share(self) -> str:
        """Its share of the requests; '' for all of them, or none while nothing is reported."""
        return percent(self.weight) if 0 < self.weight < WHOLE else ""

    @property
    def approved_by(self) -> str:
        """Who approved it, by name."""
        return ", ".join(self.approvers)


@dataclass(slots=True)
class EndpointRow:
    """One endpoint in a list: its status, and which releases serve behind it, what is live
    first."""

    status: EndpointStatus
    release: Release | None  # what is live
    approvers: list[str]  # of that, by name
    parts: list[ServingPart]
    rollout: str  # the one under way

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint itself."""
        return self.status.endpoint

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
    has_roles: bool

    @property
    def is_narrowed(self) -> bool:
        """Whether more could be shown."""
        return bool(self.project or self.isolation)

    @property
    def isolations(self) -> list[tuple[str, str]]:
        """What it can be narrowed to."""
        return [(word, capfirst(says)) for word, says in ISOLATION.items()]

    @property
    def empty_title(self) -> str:
        """What an empty page says."""
        how = "runs so" if self.isolation else "serves yet"
        return f"Nothing that you may see {how}"

    @property
    def first_step(self) -> str:
        """What to do when nothing was made yet."""
        if self.has_roles:
            return (
                "An endpoint is made with the first release to it. Open a built version and ask for"
                " a release."
            )
        return "You have no project role yet: ask an access administrator for one."


@dataclass(slots=True)
class EndpointView:
    """Everything the page of one endpoint shows."""

    status: EndpointStatus
    history: list[Revision]
    former: list[Revision]  # that a rollback may go to, the newest first
    recent: dict[str, Recent]  # by revision, of the last 15 minutes
    objective: Objective | None
    verdict: ObjectiveStatus | None
    alerts: list[AlertRow]
    keys: list[EndpointKey]
    rollouts: list[Rollout]
    drills: list[DrillRow]  # the newest first
    schedule: DrillSchedule | None
    names: dict[str, str]
    timeline: list[EventLine]
    said: dict[int, str]  # why, by the index of a line

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint itself."""
        return self.status.endpoint

    @property
    def traffic(self) -> Recent | None:
        """What the live revision answered."""
        live = self.status.live
        return self.recent.get(live.revision.pk) if live else None

    @property
    def split(self) -> UnitSource | None:
        """The unit that requests are split by, of the candidate else of what is live."""
        rows = [r.revision for r in self.status.revisions if r.revision.weight]
        candidates = [row for row in rows if row.state != RevisionState.LIVE]
        deciding = (candidates or rows)[:1]
        return serving_config(deciding[0].serving).unit if deciding else None

    @property
    def capture(self) -> Capture | None:
        """What the live revision writes down of its predictions."""
        live = self.status.live
        return serving_config(live.revision.serving).capture if live else None

    @property
    def sample(self) -> Any:
        """One example row of the live version, for the snippets."""
        live = self.status.live
        example = live.revision.bento.version.example if live else None
        return example[0] if example else {}

    @property
    def address(self) -> str:
        """The URL that clients call: ``/predict``, or the API that the live version names; '' while
        the target has no address."""
        live = self.status.live
        if not self.status.url:
            return ""
        return f"{self.status.url}/{live.revision.bento.version.api if live else 'predict'}"

    @property
    def previous(self) -> Revision | None:
        """The revision that a rollback goes to unless another one is named."""
        return self.former[0] if self.former else None

    @property
    def rollout(self) -> Rollout | None:
        """The rollout that is under way, if any."""
        return next((r for r in self.rollouts if r.state in OPEN_STATES), None)

    @property
    def going_out(self) -> bool:
        """Tell whether a rollback would abort a release that is going out."""
        row = self.rollout
        return (
            row is not None
            and row.kind == RolloutKind.RELEASE
            and row.state in STEPPING
            and row.from_revision_id is not None
        )


def endpoint_list_page(
    actor: Actor, *, project: str = "", isolation: str = "", after: str = ""
) -> tuple[list[EndpointRow], str]:
    """Return one page of what runs where, and the key to go on after."""
    matching = endpoints_matching(actor, project=project, isolation=isolation)
    rows, key = keyed(matching, ("project__slug", "environment", "name"), after)
    return endpoint_rows(rows), key


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


def serving_releases(statuses: Sequence[EndpointStatus]) -> dict[str, list[Any]]:
    """Return by endpoint what is live there and what else has a share of its requests, each with
    who approved it and the rollout under way there."""
    approved = Decision.objects.filter(release=OuterRef("pk"), verdict=APPROVE, voided_reason="")
    names = approved.annotate(who=name_in("person")).order_by("pk").values("who")
    moves = Rollout.objects.filter(endpoint=OuterRef("endpoint"), state__in=OPEN_STATES)
    sharing = [row.revision.release for s in statuses for row in s.revisions if row.share]
    live = Q(endpoint__in=[s.endpoint.pk for s in statuses], state=ReleaseState.LIVE)
    rows = Release.objects.filter(live | Q(pk__in=sharing)).select_related("version__model")
    rows = rows.defer(*large_of("version"))
    rows = rows.annotate(approvers=ArraySubquery(names), rollout=Subquery(moves.values("pk")[:1]))
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
        since = sharing.revision.first_served_at if sharing and row is not live else row.live_at
        url = version_url(row.version, status.endpoint.project.slug)
        weight = sharing.share if sharing else 0
        parts.append(ServingPart(row, weight, since, row.approvers, url))
    rollout = next((row.rollout for row in releases if row.rollout), "")
    return EndpointRow(status, live, live.approvers if live else [], parts, rollout)


def endpoint_view(endpoint_id: str, actor: Actor) -> EndpointView:
    """Return everything the page of one endpoint shows, or raise ``NotFound``."""
    rows = visible_endpoints(actor, deleted=True).select_related("objective", "drill_schedule")
    endpoint = rows.annotate(**read_along()).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound
    history = revisions_of(endpoint)
    status = status_with(endpoint, history)
    known = {status.node.id: f"node {endpoint.target}"} if status.node else {}
    live = status.live.revision if status.live else None
    moves = endpoint.rollouts.select_related("release", "to_revision")
    rollouts = list(moves.order_by("-created_at")[:10])
    keys = list(endpoint_keys(endpoint).order_by("-created_at"))
    objective = objective_with(endpoint)
    beside = [row.revision.pk for row in status.revisions]
    recent, verdict = figures(live, objective, beside=beside, minutes=15) if live else ({}, None)
    drills = drill_rows(endpoint)
    people = {endpoint.created_by, objective.owner if objective else ""}
    people |= {*(k.created_by for k in keys), *(r.started_by for r in rollouts)}
    people |= {drill.started_by for drill in drills} | approvers_of(history)
    reasons = {r.pk: r.reason for r in rollouts if is_taken_back(r)}
    ids = [endpoint.pk, *(r.pk for r in history[:5]), *reasons]
    lines, names = story(ids, actor, people=people, known=known)
    return EndpointView(
        status=with_verdict(status, verdict),
        history=history[:SHOWN],
        former=drilled(rollouts, history) or former_of(live, history),
        recent=recent,
        objective=objective,
        verdict=verdict,
        alerts=shown_alerts(with_keeper(alerts_of(endpoint)), actor),
        keys=keys,
        rollouts=rollouts,
        drills=drills,
        schedule=schedule_with(endpoint),
        names=names,
        timeline=lines,
        said={e.index: reasons[e.subject] for e in lines if e.kind in TAKEN_BACK},
    )


def is_taken_back(rollout: Rollout) -> bool:
    """Tell whether a rollout went back, or was aborted: its story says who did that and why."""
    return rollout.kind == RolloutKind.ROLLBACK or rollout.state in ABORTED


def with_verdict(status: EndpointStatus, verdict: ObjectiveStatus | None) -> EndpointStatus:
    """Return ``status`` with its objective not met where that is so: as its page measures it, also
    in the seconds before the alert about it is open."""
    known = {trouble.title for trouble in status.found}
    if verdict is None or verdict.standing != "breached" or AlertKind.OBJECTIVE.label in known:
        return status
    found = (Trouble(AlertKind.OBJECTIVE.label, verdict.reason), *status.found)
    return replace(status, found=found)


def read_along() -> dict[str, ArraySubquery]:
    """Return what the query that reads an endpoint reads along: its drills and its recalls."""
    return {"last_drills": last_drills(), "recalled": reached_by()}


def approvers_of(history: Sequence[Any]) -> set[str]:
    """Return who approved the releases of revisions that :func:`revisions_of` read."""
    return {person for row in history for person in row.approvers}


def revisions_of(endpoint: Endpoint) -> list[Revision]:
    """Return the newest revisions and all that are present, each with the number of its release
    and who approved that."""
    newest = endpoint.revisions.order_by("-number").values("pk")[:SHOWN]
    release = Release.objects.filter(pk=OuterRef("release"))
    approved = Decision.objects.filter(
        release=OuterRef("release"), verdict=APPROVE, voided_reason=""
    )
    columns = {
        "release_number": Subquery(release.values("number")),
        "may_serve_again": Exists(may_serve_again().filter(pk=OuterRef("pk"))),
        "approvers": ArraySubquery(approved.order_by("pk").values("person")),
    }
    rows = endpoint.revisions.filter(Q(pk__in=newest) | Q(state__in=PRESENT))
    rows = rows.select_related("bento__version__model", "bento__runtime")
    return list(rows.annotate(**columns).order_by("-number"))


def drilled(rollouts: Sequence[Rollout], history: list[Any]) -> list[Revision]:
    """Return the revision that a drill is on its way to: a rollback would stay there."""
    there = {
        r.to_revision_id for r in rollouts if r.kind == RolloutKind.DRILL and r.state in STEPPING
    }
    return [row for row in history if row.pk in there]


def former_of(live: Revision | None, history: list[Any]) -> list[Revision]:
    """Return what a rollback may go to, as :func:`apps.rollouts.queries.former_revisions` does,
    from ``history`` as :func:`revisions_of` reads it."""
    former = [
        row
        for row in history
        if live is not None and row.number < live.number and row.may_serve_again
    ]
    return former[:ROLLBACK_KEPT]

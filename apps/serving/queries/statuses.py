"""What runs behind endpoints, and how it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch as Fetch
from django.db.models import QuerySet, prefetch_related_objects

from apps.registry.queries import large_of
from apps.serving.hooks import watcher
from apps.serving.marks import marks
from apps.serving.models import Endpoint, Revision
from apps.serving.queries.endpoints import with_troubles
from apps.serving.queries.nodes import NodeStatus, node_of, node_status, reported_revisions
from apps.serving.queries.urls import base_urls, endpoint_below, no_address
from apps.serving.replicas import ready_words, wanted_replicas
from apps.serving.rules import (
    ISOLATION,
    PRESENT,
    START_SECONDS,
    EndpointState,
    RevisionState,
    Trouble,
    isolation_of,
    replicas_health,
)
from placet.kernel.clock import now
from placet_protocol.report import weakest
from placet_verify.permit.serving import network


@dataclass(frozen=True, slots=True)
class RevisionStatus:
    """A revision, and what its node says of it ('' when it says nothing)."""

    revision: Revision
    phase: str
    ready_replicas: int
    weight: int
    detail: str
    since: str = ""  # when it entered that phase
    isolation: str = ""  # one of rules.ISOLATION, '' while it is not known
    egress: tuple[Mapping[str, Any], ...] = ()  # what was sent where, as the node counts it

    @property
    def share(self) -> int:
        """The share of the requests that it has, out of 10,000: as its node says, and as it was
        told while that says nothing of it."""
        return self.weight if self.phase else self.revision.weight

    @property
    def is_asleep(self) -> bool:
        """Whether it has no replica, for nobody called for a while, and the next request wakes it;
        also while it wakes."""
        return self.phase == "asleep"

    @property
    def asleep_since(self) -> datetime | None:
        """Since when it sleeps; ``None`` when it does not."""
        return datetime.fromisoformat(self.since) if self.is_asleep and self.since else None

    @property
    def answers(self) -> bool:
        """Whether its node has what answers requests, or wakes for them."""
        return self.is_asleep or self.ready_replicas > 0

    @property
    def ready(self) -> str:
        """How many replicas answer, in words, and between which bounds its node scales them; or
        since when it sleeps."""
        if (since := self.asleep_since) is not None:
            return f"asleep since {since:%Y-%m-%d %H:%M} UTC; the next request wakes it"
        return ready_words(self.revision, self.ready_replicas)

    @property
    def network(self) -> str:
        """What a replica may reach, in words."""
        return network(self.revision.serving)

    @property
    def egress_marks(self) -> list[str]:
        """What of its destinations should not be read past, a sentence for each."""
        egress = self.revision.serving.get("egress") or []
        return marks(egress, self.revision.endpoint.target.url)

    @property
    def isolation_says(self) -> str:
        """The isolation in words."""
        return ISOLATION.get(self.isolation, "not reported yet")


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """An endpoint with everything present behind it, the live revision first."""

    endpoint: Endpoint
    url: str
    node: NodeStatus | None
    revisions: tuple[RevisionStatus, ...]
    found: tuple[Trouble, ...] = ()  # what is wrong with it, as the watcher says
    just_told: bool = False  # whether its node was told moments ago to start its replicas

    @property
    def no_address(self) -> str:
        """Why clients have no address to call, '' when they have."""
        if self.endpoint.state == EndpointState.DELETED:
            return "It was deleted"
        return "" if self.url else no_address(self.endpoint.target.name)

    @property
    def live(self) -> RevisionStatus | None:
        """The revision that serves."""
        return next((r for r in self.revisions if r.revision.state == RevisionState.LIVE), None)

    @property
    def serving(self) -> RevisionStatus | None:
        """What is live, else what a rollout gave requests already where nothing is."""
        return self.live or next((r for r in self.revisions if r.share), None)

    @property
    def isolation(self) -> str:
        """The weakest isolation of what runs here, '' while none is known."""
        return weakest(row.isolation for row in self.revisions)

    @property
    def unreached(self) -> str:
        """Why nobody can reach what is to serve here, whether or not replicas answer; '' where
        somebody may, or its node is silent."""
        serves = any(row.revision.weight for row in self.revisions)
        if self.endpoint.state != EndpointState.ACTIVE or not serves:
            return ""
        if self.node is None or not self.node.unreached:
            return ""
        return f"{self.node.unreached} on {self.endpoint.target.name}"

    @property
    def health(self) -> str:
        """One of :data:`apps.serving.rules.HEALTH`: ``down`` answers nobody, ``unknown`` is no
        news, and what something is wrong with is not ``healthy``."""
        word, _ = self._replicas
        degraded = any(trouble.degrades for trouble in self.found)
        return "degraded" if word == "healthy" and degraded else word

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """Why it is not healthy, and what else is wrong with it."""
        _, own = self._replicas
        return (own, *self.found) if own else self.found

    @property
    def _replicas(self) -> tuple[str, Trouble | None]:
        """How it is by what runs alone, and what is wrong there."""
        if self.endpoint.state != EndpointState.ACTIVE:
            return self.endpoint.state, None
        if self.unreached:
            return "down", Trouble(f"Nobody can reach it: {self.unreached}")
        if (first := self.serving) is None:
            return "empty", None
        if self.node is None or not self.node.alive:
            return "unknown", Trouble(f"{self.endpoint.target.name} is silent")
        answering = sum(r.ready_replicas for r in self.revisions if r is not first and r.share)
        ready, wanted, told = first.ready_replicas, wanted_replicas(first.revision), self.just_told
        return replicas_health(first.phase, ready, wanted, others=answering, just_told=told)


def statuses(endpoints: QuerySet[Endpoint]) -> list[EndpointStatus]:
    """Return the status of each endpoint in two queries, in the order given."""
    return statuses_of(with_troubles(endpoints.select_related("project", "target__node")))


def statuses_of(endpoints: Iterable[Endpoint]) -> list[EndpointStatus]:
    """Return the status of endpoints that came with their projects, targets, nodes and troubles,
    in one query more."""
    rows, at = list(endpoints), now()
    present = Revision.objects.filter(state__in=PRESENT)
    present = present.select_related("bento__version__model", "bento__runtime")
    present = present.defer(*large_of("bento__version"))
    newest = Fetch("revisions", present.order_by("-number"), to_attr="present_revisions")
    prefetch_related_objects(rows, newest)
    bases = base_urls(endpoint.target for endpoint in rows)
    return [_status(endpoint, at, bases) for endpoint in rows]


def isolated(endpoints: QuerySet[Endpoint], word: str) -> QuerySet[Endpoint]:
    """Return those behind which something runs with this isolation and nothing with a weaker."""
    ids = [row.endpoint.pk for row in statuses(endpoints) if row.isolation == word]
    return endpoints.filter(pk__in=ids)


def status(endpoint: Endpoint) -> EndpointStatus:
    """Return the status of one endpoint."""
    return statuses(Endpoint.objects.filter(pk=endpoint.pk))[0]


def status_with(endpoint: Any, revisions: Iterable[Revision]) -> EndpointStatus:
    """Return the status of one endpoint whose present revisions are among ``revisions``."""
    endpoint.present_revisions = [row for row in revisions if row.state in PRESENT]
    return _status(endpoint, now(), base_urls([endpoint.target]))


def _status(endpoint: Any, at: datetime, bases: Mapping[str, str]) -> EndpointStatus:
    node = node_of(endpoint.target)
    reported = reported_revisions(node)
    told = datetime.fromisoformat(endpoint.told_at) if endpoint.told_at else None
    rows = sorted(
        endpoint.present_revisions, key=lambda r: (r.state != RevisionState.LIVE, -r.number)
    )
    return EndpointStatus(
        endpoint=endpoint,
        url=endpoint_below(bases[endpoint.target_id], endpoint),
        node=node_status(node, at) if node else None,
        revisions=tuple(revision_status(row, reported) for row in rows),
        found=watcher().read(endpoint.found),
        just_told=told is not None and (at - told).total_seconds() < START_SECONDS,
    )


def revision_status(
    revision: Revision, reported: Mapping[str, Mapping[str, Any]]
) -> RevisionStatus:
    """Return ``revision`` with what its node reported, given by revision id."""
    row = reported.get(revision.pk, {})
    return RevisionStatus(
        revision=revision,
        phase=row.get("phase", ""),
        ready_replicas=row.get("ready_replicas", 0),
        weight=row.get("weight", 0),
        detail=row.get("detail", ""),
        since=row.get("since", ""),
        isolation=isolation_of(row.get("isolation", ""), revision.serving),
        egress=tuple(row.get("egress", ())),
    )

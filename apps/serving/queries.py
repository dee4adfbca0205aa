"""What runs where, since when, and how it is."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    prefetch_related_objects,
)
from django.db.models import Prefetch as Fetch

from apps.audit.models import Event
from apps.builds.models import Runtime
from apps.identity.models import Project
from apps.identity.queries import visible
from apps.registry.queries import large_of
from apps.serving.events import ENDPOINT_RESTARTED, ENDPOINT_STARTED
from apps.serving.hooks import watcher
from apps.serving.marks import marks
from apps.serving.models import (
    Endpoint,
    EndpointKey,
    Node,
    Prefetch,
    Revision,
    Target,
    TargetUse,
)
from apps.serving.rules import (
    ALIVE_SECONDS,
    ISOLATION,
    PRESENT,
    START_SECONDS,
    EndpointState,
    RevisionState,
    Trouble,
    isolation_of,
    replicas_health,
)
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import NotFound
from placet_protocol.report import weakest
from placet_verify.permit.serving import network

BUILT_IN = "local"  # the name of the target that Placet makes for its own node
BEGINNINGS = (ENDPOINT_STARTED.name, ENDPOINT_RESTARTED.name)  # after which replicas start
MISSING = "no such environment yet"
WITHHELD = "The node says more to those who see every target"


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """How the node of a target is."""

    id: str
    alive: bool
    last_seen_at: datetime | None
    agent_version: str
    platform: Mapping[str, Any]
    errors: tuple[Mapping[str, str], ...]
    fault: str


@dataclass(frozen=True, slots=True)
class RevisionStatus:
    """A revision, and what its node says of it ('' when it says nothing)."""

    revision: Revision
    phase: str
    ready_replicas: int
    weight: int
    detail: str
    isolation: str = ""  # one of rules.ISOLATION, '' while it is not known
    egress: tuple[Mapping[str, Any], ...] = ()  # what was sent where, as the node counts it

    @property
    def share(self) -> int:
        """The share of the requests that it has, out of 10,000: as its node says, and as it was
        told while that says nothing of it."""
        return self.weight if self.phase else self.revision.weight

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
        if (first := self.serving) is None:
            return "empty", None
        if self.node is None or not self.node.alive:
            return "unknown", Trouble(f"{self.endpoint.target.name} is silent")
        answering = sum(r.ready_replicas for r in self.revisions if r is not first and r.share)
        ready, wanted, told = first.ready_replicas, first.revision.replicas, self.just_told
        return replicas_health(first.phase, ready, wanted, others=answering, just_told=told)


def visible_targets(actor: Actor) -> QuerySet[Target]:
    """Return every target for who may view targets everywhere, else those that list a project
    where ``actor`` may view them."""
    rows = Target.objects.select_related("node")
    projects = actor.projects_with("target.view")
    if projects is None:
        return rows
    listing = TargetUse.objects.filter(target=OuterRef("pk"), project__in=projects)
    return rows.filter(Exists(listing))


def get_target(name: str, actor: Actor) -> Target:
    """Return the target of this name, or raise :class:`NotFound`."""
    target = visible_targets(actor).filter(name=name).first()
    if target is None:
        raise NotFound
    return target


def uses_of(target: Target, actor: Actor) -> QuerySet[TargetUse]:
    """Return who may use ``target``: the entries about projects that ``actor`` may see, each with
    a ``note`` where its environment is not there."""
    there = Project.objects.filter(
        pk=OuterRef("project"), environments__name=OuterRef("environment")
    )
    missing = When(~Q(environment="") & ~Exists(there), then=Value(MISSING))
    note = Case(missing, default=Value(""), output_field=CharField())
    return visible(target.uses.select_related("project").annotate(note=note), actor)


def visible_endpoints(actor: Actor, *, deleted: bool = False) -> QuerySet[Endpoint]:
    """Return the endpoints that ``actor`` may see; with ``deleted`` also what there was."""
    rows = Endpoint.objects.all() if deleted else Endpoint.objects.kept()
    whole = with_troubles(rows.select_related("project", "target__node"))
    return visible(whole, actor, view="endpoint.view")


def with_troubles(endpoints: QuerySet[Endpoint]) -> QuerySet[Endpoint]:
    """Have each endpoint bring what is wrong with it, and when its node was last told to start its
    replicas anew (``told_at``), as ``EndpointStatus`` reads it. The log says so: the state of its
    target is signed anew for any other endpoint too."""
    begun = Event.objects.filter(subject=OuterRef("pk"), kind__in=BEGINNINGS).order_by("-index")
    told_at = Subquery(begun.values("at")[:1])
    return endpoints.annotate(found=watcher().troubles("pk"), told_at=told_at)


def get_endpoint(endpoint_id: str, actor: Actor) -> Endpoint:
    """Return one endpoint, a deleted one too, or raise :class:`NotFound`."""
    endpoint = visible_endpoints(actor, deleted=True).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def endpoint_keys(endpoint: Endpoint) -> QuerySet[EndpointKey]:
    """Return the API keys of ``endpoint``."""
    return EndpointKey.objects.filter(endpoint=endpoint)


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
        url=_below(bases[endpoint.target_id], endpoint),
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
        isolation=isolation_of(row.get("isolation", ""), revision.serving),
        egress=tuple(row.get("egress", ())),
    )


def node_of(target: Target) -> Node | None:
    """Return the node that joined ``target``, if any, without a query when it was fetched."""
    try:
        return target.node
    except Node.DoesNotExist:
        return None


def node_status(node: Node, at: datetime | None = None) -> NodeStatus:
    """Return how ``node`` is."""
    heard = node.heard_at
    alive = heard is not None and ((at or now()) - heard).total_seconds() < ALIVE_SECONDS
    return NodeStatus(
        id=node.pk,
        alive=alive,
        last_seen_at=node.last_seen_at,
        agent_version=node.agent_version,
        platform=node.platform,
        errors=(*node.left_out, *node.report.get("errors", [])),
        fault=node.fault,
    )


def redact_errors(node: NodeStatus, actor: Actor) -> NodeStatus:
    """Return what ``actor`` is told of ``node``. What a node says went wrong may be about any
    project that is served there: its words are for who may view targets everywhere."""
    if actor.can("target.view"):
        return node
    codes = dict.fromkeys(row["code"] for row in node.errors)
    return replace(node, errors=tuple({"code": code, "detail": WITHHELD} for code in codes))


def reported_revisions(node: Node | None) -> dict[str, Mapping[str, Any]]:
    """Return the last reported rows by revision id."""
    rows: Iterable[Mapping[str, Any]] = node.report.get("revisions", []) if node else []
    return {row["id"]: row for row in rows}


def endpoint_url(endpoint: Endpoint) -> str:
    """Return the address that clients call; ``/predict`` and the others come after it. '' while
    nobody has said where the target is reached."""
    return _below(base_urls([endpoint.target])[endpoint.target_id], endpoint)


def _below(base: str, endpoint: Endpoint) -> str:
    if not base or endpoint.state == EndpointState.DELETED:
        return ""
    return f"{base}/{endpoint.project.slug}/{endpoint.environment}/{endpoint.name}"


def base_urls(targets: Iterable[Target]) -> dict[str, str]:
    """Return where clients reach each target, by its id, '' where nobody has said.

    ``PLACET_ENDPOINT_URL`` is the address of the target that comes with Placet, or of the only one
    that there is; the address of any other is never guessed from it.
    """
    rows = {target.pk: target for target in targets}
    unsaid = [key for key, row in rows.items() if not row.url and row.name != BUILT_IN]
    alone = len(unsaid) == 1 and not Target.objects.exclude(pk=unsaid[0]).exists()
    usual = config().endpoint_url
    return {
        key: row.url or ("" if key in unsaid and not alone else usual) for key, row in rows.items()
    }


def no_address(target: str) -> str:
    """Say that clients cannot know where ``target`` is reached, and what to do."""
    return f"{target} has no address yet: placet target edit {target} --url https://…"


def allowed_runtimes(target: Target) -> set[str]:
    """Return the digests of the runtimes that the node of ``target`` needs."""
    present = Revision.objects.filter(endpoint__target=target, state__in=PRESENT)
    ahead = Prefetch.objects.filter(target=target)
    return set(present.values_list("bento__runtime_id", flat=True)) | set(
        ahead.values_list("bento__runtime_id", flat=True)
    )


def may_fetch(target: Target, sha256: str) -> bool:
    """Tell whether the node of ``target`` needs this blob: a Bento that its state names, or a
    wheel of the runtime of one."""
    digest = f"sha256:{sha256}"
    present = Revision.objects.filter(endpoint__target=target, state__in=PRESENT)
    if present.filter(bento_id=digest).exists():
        return True
    if Prefetch.objects.filter(target=target, bento_id=digest).exists():
        return True
    runtimes = Runtime.objects.filter(pk__in=allowed_runtimes(target))
    return any(
        str(wheel["sha256"]).removeprefix("sha256:") == sha256
        for wheels in runtimes.values_list("wheels", flat=True)
        for wheel in wheels
    )


def bentos_needed(digests: Collection[str], since: datetime) -> set[str]:
    """Return the Bentos that serve, may serve at once, lie ready, or served since that time."""
    over = Q(state__in=(RevisionState.STOPPED, RevisionState.FAILED), ended_at__lt=since)
    serving = Revision.objects.filter(bento__in=digests).exclude(over)
    ready = Prefetch.objects.filter(bento__in=digests)
    return {*serving.values_list("bento_id", flat=True), *ready.values_list("bento_id", flat=True)}

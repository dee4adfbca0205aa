"""Endpoints: making, stopping, starting, restarting and scaling them."""

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction

from apps.audit.actions import record
from apps.audit.events import EventKind
from apps.identity.models import Project
from apps.identity.queries import authorize
from apps.identity.sign_in.freshness import demand_fresh
from apps.serving import desired, hooks
from apps.serving.actions.deletion import refuse_deleted
from apps.serving.actions.locking import lock_endpoint, lock_target
from apps.serving.actions.revisions import count_again, make_room
from apps.serving.capacity import lacking, occupants, running_mb
from apps.serving.errors import (
    EndpointExists,
    NoRoom,
    NothingLive,
    RevisionMoved,
    ScaledByLoad,
    ScaleNotApproved,
    WrongEndpointState,
)
from apps.serving.events import (
    ENDPOINT_CREATED,
    ENDPOINT_KEYS_CHANGED,
    ENDPOINT_RESTARTED,
    ENDPOINT_SCALED,
    ENDPOINT_STARTED,
    ENDPOINT_STOPPED,
)
from apps.serving.models import Endpoint, Revision, Target
from apps.serving.replicas import scaled_live
from apps.serving.rules import EndpointState, RevisionState, serving_config, to_evict
from apps.serving.uses import refuse_unlisted
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import (
    FieldError,
    Forbidden,
    InvalidInput,
    NeedsPermission,
    NotFound,
    QuotaReached,
)
from placet.kernel.states import move
from placet.kernel.texts import clean_text
from placet_protocol.fields import is_name


def create_endpoint(
    project: Project,
    *,
    environment: str,
    name: str,
    target: Target,
    actor: Actor,
    api_key_required: bool | None = None,
) -> Endpoint:
    """Make an endpoint on ``target``. Needs ``endpoint.manage`` or ``release.request`` there:
    an endpoint serves nothing by itself.

    Where ``api_key_required`` is not said, clients need a key if they did of the endpoint that had
    the name before. To open such a name needs ``endpoint.manage``, and is in the log by itself.
    """
    with record(actor) as log:
        _authorize_create(actor, project, environment)
        if faults := name_faults(name):
            raise InvalidInput(errors=faults)
        endpoint = Endpoint(
            project=project, environment=environment, name=name, target=target, created_by=actor.id
        )
        # before the target, which the hook holds: as whoever asks for a release does
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        hooks.endpoint_created(endpoint)
        _refuse_many(project, target)
        opened = _set_key_rule(endpoint, api_key_required, actor)
        try:
            with transaction.atomic():
                endpoint.save(force_insert=True)
        except IntegrityError:
            raise EndpointExists from None
        log.add(ENDPOINT_CREATED, endpoint)
        if opened:
            log.add(ENDPOINT_KEYS_CHANGED, endpoint, data={"required": False})
        desired.publish(target.pk)
    return endpoint


def name_faults(name: str) -> list[FieldError]:
    """Return why no endpoint can be called so; nothing where one can."""
    detail = "Small letters, digits and hyphens, at most 60, no hyphen first or last"
    return [] if is_name(name) else [FieldError("/endpoint", detail)]


def _set_key_rule(endpoint: Endpoint, required: bool | None, actor: Actor) -> bool:
    """Say whether clients need an API key: as ``required``, else as at the endpoint that had the
    name last. Return whether they did, and need none any more."""
    scope = Scope(endpoint.project_id, endpoint.environment)
    before = Endpoint.objects.filter(
        project=scope.project, environment=endpoint.environment, name=endpoint.name
    )
    last = before.order_by("-created_at", "-pk").first()
    locked = last is not None and last.api_key_required
    endpoint.api_key_required = locked if required is None else required
    opened = locked and not endpoint.api_key_required
    if opened and not actor.can("endpoint.manage", scope):
        raise Forbidden("Clients of this name need an API key: who manages endpoints opens it")
    return opened


def _refuse_many(project: Project, target: Target) -> None:
    """Count. Project and target are held: of two at once the second sees the first."""
    quota, most = config().max_endpoints, config().max_target_endpoints
    if (count := Endpoint.objects.kept().filter(project=project).count()) >= quota:
        raise QuotaReached(
            f"{project.slug} has {count:,} endpoints",
            quota,
            remedy="release to one of them, delete one",
            setting="PLACET_MAX_ENDPOINTS",
        )
    if Endpoint.objects.kept().filter(target=target).count() >= most:
        raise QuotaReached(
            f"{target.name} has as many endpoints as it may",
            most,
            remedy="choose another target",
            setting="PLACET_MAX_TARGET_ENDPOINTS",
        )


def _authorize_create(actor: Actor, project: Project, environment: str) -> None:
    scope = Scope(project.pk, environment)
    if actor.can("endpoint.manage", scope) or actor.can("release.request", scope):
        return
    if not actor.can("project.view", scope):
        raise NotFound
    raise NeedsPermission(actor, "endpoint.manage", "release.request", scope=scope)


def stop_endpoint(endpoint: Endpoint, *, actor: Actor, reason: str = "") -> Endpoint:
    """Stop everything behind ``endpoint``; clients get 503 until it is started again. Until then
    it says who stopped it, and the ``reason`` if one was given."""
    stopped = {
        "stopped_at": now(),
        "stopped_by": actor.id,
        "reason": clean_text("reason", reason, limit=2000, empty=True),
    }
    return _switch(endpoint, EndpointState.STOPPED, ENDPOINT_STOPPED, actor, stopped)


def start_endpoint(endpoint: Endpoint, *, actor: Actor, reason: str = "") -> Endpoint:
    """Let what was live serve again. Starts nothing that was not live: no approval is needed. The
    log has the ``reason`` if one was given.

    Its target must list it, and have room: somebody may have taken it off the list since it was
    stopped, and its memory was free for others.
    """
    why = clean_text("reason", reason, limit=2000, empty=True)
    started = {"stopped_at": None, "stopped_by": "", "reason": why}
    return _switch(endpoint, EndpointState.ACTIVE, ENDPOINT_STARTED, actor, started)


def _switch(
    endpoint: Endpoint, after: str, kind: EventKind, actor: Actor, changes: dict[str, Any]
) -> Endpoint:
    starts = after == EndpointState.ACTIVE
    before = EndpointState.STOPPED if starts else EndpointState.ACTIVE
    with record(actor) as log:
        row = _lock(endpoint, actor)
        if row.state != before:
            raise WrongEndpointState(f"The endpoint is {row.state}")
        if starts:
            refuse_unlisted(row.target_id, row.project_id, row.environment)
            make_room(row, running_mb(row), actor=actor)
        move(row, expected=before, to=after, **changes)
        log.add(kind, row)
        if starts:
            count_again(row, actor=actor)
            hooks.endpoint_started(row, actor)
        desired.publish(row.target_id)
    return row


def restart_endpoint(endpoint: Endpoint, *, actor: Actor) -> Endpoint:
    """Have the replicas of the live revision replaced, one after another."""

    def raise_nonce(revision: Revision) -> dict[str, int]:
        return {"restart_nonce": revision.restart_nonce + 1}

    return _change_live(endpoint, raise_nonce, ENDPOINT_RESTARTED, actor)[0]


def scale_endpoint(endpoint: Endpoint, *, replicas: int, actor: Actor) -> bool:
    """Set the replicas of the live revision, from 1 to the ``max_replicas`` that was approved, and
    tell whether there were more or fewer before: as many again are no event. Not where its node
    scales it by load."""

    def set_replicas(revision: Revision) -> dict[str, int]:
        if scaling := scaled_live(revision):
            raise ScaledByLoad(
                f"Its node scales it by load between {scaling.least} and {scaling.most} replicas, "
                "as its release says: request a release with other bounds"
            )
        if replicas == revision.replicas:
            return {}
        approved = serving_config(revision.serving).max_replicas
        if not 1 <= replicas <= approved:
            raise ScaleNotApproved(
                f"The live release was approved for 1 to {approved} replicas; more needs a "
                "release with a larger max_replicas"
            )
        more = (replicas - revision.replicas) * revision.memory_mb
        target = lock_target(revision.endpoint.target_id)  # of two the second sees the first
        rows = occupants(target)
        evicted = to_evict(rows, capacity_mb=target.capacity_mb, needed_mb=more)
        if more > 0 and evicted != []:
            why = lacking(target, rows, more, revision.project_id)
            raise NoRoom(why or f"{more:,} MB more do not fit on {target.name} beside what is warm")
        return {"replicas": replicas}

    return bool(_change_live(endpoint, set_replicas, ENDPOINT_SCALED, actor)[1])


def _change_live(
    endpoint: Endpoint,
    change: Callable[[Revision], dict[str, int]],
    kind: EventKind,
    actor: Actor,
) -> tuple[Endpoint, dict[str, int]]:
    """Apply what ``change`` says of the live revision; return that too. Nothing is not logged."""
    with record(actor) as log:
        row = _lock(endpoint, actor)
        if row.state != EndpointState.ACTIVE:
            raise WrongEndpointState(f"The endpoint is {row.state}")
        live = row.revisions.filter(state=RevisionState.LIVE).first()
        if live is None:
            raise NothingLive
        changes = change(live)
        if not changes:
            return row, changes
        if not move(live, expected=RevisionState.LIVE, to=RevisionState.LIVE, **changes):
            raise RevisionMoved
        log.add(kind, live, subject=row.pk, data={"revision": live.pk, **changes})
        desired.publish(row.target_id)
    return row, changes


def require_api_key(endpoint: Endpoint, *, required: bool, actor: Actor) -> Endpoint:
    """Say whether clients need an API key of the endpoint. To take the need away is for who has
    just shown who they are: it outlasts the session."""
    with record(actor) as log:
        row = _lock(endpoint, actor, permission="endpoint.manage")
        refuse_deleted(row)
        if row.api_key_required and not required:
            demand_fresh(actor)
        row.api_key_required = required
        row.generation += 1
        row.save(update_fields=["api_key_required", "generation"])
        log.add(ENDPOINT_KEYS_CHANGED, row, data={"required": required})
        desired.publish(row.target_id)
    return row


def _lock(endpoint: Endpoint, actor: Actor, permission: str = "endpoint.operate") -> Endpoint:
    row = lock_endpoint(endpoint.pk)
    authorize(actor, permission, row, view="endpoint.view")
    return row

"""Starting a rollout: the moment at which every gate counts once more."""

from django.db import IntegrityError, transaction

from apps.audit.actions import Recorder, record
from apps.governance import actions as governance
from apps.governance.models import Release
from apps.governance.plan import Plan
from apps.identity.queries import authorize
from apps.jobs.actions import enqueue
from apps.rollouts.actions.reasons import why
from apps.rollouts.errors import EndpointStopped, NotRetryable, RolloutOpen
from apps.rollouts.events import ROLLOUT_RETRIED, ROLLOUT_STARTED
from apps.rollouts.models import Rollout
from apps.rollouts.queries import rollout_under_way
from apps.rollouts.states import ENDED_BADLY, RolloutKind, RolloutState
from apps.rollouts.steps import needs
from apps.serving import actions as serving
from apps.serving.actions.locking import lock_endpoint
from apps.serving.drivers.kinds import driver_for
from apps.serving.errors import DoesNotFit
from apps.serving.models import Endpoint
from apps.serving.queries import secret_faults
from apps.serving.rules import EndpointState, RevisionState, serving_config
from apps.serving.uses import refuse_unlisted
from placet.kernel.actor import Actor
from placet.kernel.clock import now, rfc3339
from placet.kernel.faults import crash_point
from placet.kernel.keystore import ring
from placet_verify.signing.keys import KeyRing


def start_rollout(release: Release, *, actor: Actor) -> Rollout:
    """Begin to roll out an approved release. Needs ``rollout.start`` in its environment.

    In one transaction: the gates are evaluated again, the permit is assembled and verified, the
    revision is added at weight 0 and the rollout opened. One open rollout for each endpoint.
    Its target must list it still; a way back is not asked that.
    """
    authorize(actor, "rollout.start", release, view="release.view")  # before any other answer
    keys = ring()  # a file: read before the transaction
    _check_target(release)
    with record(actor) as log:
        rollout = _begin(release, keys, log)
        crash_point("rollouts.before_start_commit")
    crash_point("rollouts.after_start_commit")
    return rollout


def retry(rollout: Rollout, *, reason: str, actor: Actor) -> Rollout:
    """Roll the release of a failed or aborted rollout out again. Needs ``rollout.start``.

    On the approval that it has: every gate, the time and the permit are asked again, as with the
    first start. A rollback is not retried but rolled back again.
    """
    row = Rollout.objects.select_related("endpoint", "release__bento__runtime").get(pk=rollout.pk)
    authorize(actor, "rollout.start", row, view="rollout.view")
    text = why(reason)
    if row.kind != RolloutKind.RELEASE or row.state not in ENDED_BADLY:
        raise NotRetryable(f"The rollout is {row.state}")
    keys = ring()
    _check_target(row.release)
    with record(actor) as log:
        _lock(row.release)
        again = _begin(governance.reopen(row.release, actor=actor), keys, log, reason=text)
        log.add(ROLLOUT_RETRIED, row, data={"state": row.state, "by": again.pk})
    return again


def _begin(release: Release, keys: KeyRing, log: Recorder, reason: str = "") -> Rollout:
    actor = log.actor
    _lock(release)
    refuse_open(release.endpoint, release)
    begun = governance.begin_rollout(release, ring=keys, actor=actor)
    endpoint = _active_endpoint(begun)
    revision = serving.add_revision(
        endpoint,
        bento=begun.bento,
        release=begun.pk,
        permit=governance.assemble_permit(begun),
        serving=begun.serving,
        guard=Plan.stored(begun.plan).guard_entry,
        ring=keys,
        actor=actor,
    )
    rollout = insert_rollout(
        Rollout(
            project_id=begun.project_id,
            endpoint=endpoint,
            release=begun,
            kind=RolloutKind.RELEASE,
            from_revision=endpoint.revisions.filter(state=RevisionState.LIVE).first(),
            to_revision=revision,
            started_by=actor.id,
            reason=reason,
        ),
    )
    log.add(ROLLOUT_STARTED, rollout, data={"release": begun.pk, "revision": revision.number})
    ring_reconciler(rollout)
    return rollout


def _lock(release: Release) -> None:
    """Hold the endpoint before the release, as whoever moves both does, and its target between
    them, which must list it: the states that are published on the way come behind both."""
    row = lock_endpoint(release.endpoint_id)
    serving.refuse_deleted(row)
    refuse_unlisted(row.target_id, row.project_id, row.environment)


def _active_endpoint(release: Release) -> Endpoint:
    """Return the release's endpoint, which is held and must not be stopped."""
    endpoint = Endpoint.objects.get(pk=release.endpoint_id)
    if endpoint.state != EndpointState.ACTIVE:
        raise EndpointStopped
    return endpoint


def _check_target(release: Release) -> None:
    endpoint = Endpoint.objects.select_related("target").get(pk=release.endpoint_id)
    plan = Plan.stored(release.plan)
    problems = driver_for(endpoint.target).validate(
        endpoint.target,
        release.bento,
        serving_config(release.serving),
        needs=needs(plan.steps) | ({"guard"} if plan.guard_entry else set()),
    )
    problems += _lacking_secrets(release)
    if problems:
        raise DoesNotFit("; ".join(problems))


def _lacking_secrets(release: Release) -> list[str]:
    """Return which secrets of a release have no value now: they may have been revoked since."""
    if not release.serving.get("secrets"):
        return []
    project = release.project
    faults = secret_faults(project.pk, project.slug, release.environment.name, release.serving)
    return [detail for _, detail in faults]


def refuse_open(endpoint: Endpoint, release: Release | None = None) -> None:
    """Raise :class:`RolloutOpen` when the endpoint is being moved already, perhaps by ``release``
    itself."""
    open_ = rollout_under_way(endpoint)
    if open_ is None:
        return
    goes_out = open_.kind == RolloutKind.RELEASE
    if release is not None and goes_out and open_.release_id == release.pk:
        raise RolloutOpen("The rollout of this release is under way already")
    raise RolloutOpen


def insert_rollout(rollout: Rollout) -> Rollout:
    """Save a new rollout; the constraint lets one be open for each endpoint."""
    started = now()
    rollout.deadline = rollout.ready_by(started)
    rollout.phase_times = {RolloutState.STARTING: rfc3339(started)}
    try:
        with transaction.atomic():
            rollout.save(force_insert=True)
    except IntegrityError:
        raise RolloutOpen from None
    return rollout


def ring_reconciler(rollout: Rollout) -> None:
    """Have the reconciler look at ``rollout`` as soon as this transaction commits."""
    enqueue("rollouts.reconcile", key=rollout.pk, project=rollout.project_id, rollout=rollout.pk)

"""Going back to a former revision, whoever asks for it: a person, an alert, a drill or a recall."""

from apps.audit.actions import Recorder
from apps.governance.models import Release
from apps.rollouts.actions.start import insert_rollout
from apps.rollouts.events import ROLLBACK_STARTED
from apps.rollouts.models import Rollout
from apps.serving import actions as serving
from apps.serving.capacity import needed_back_mb
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import RevisionState, serving_config
from placet.kernel.actor import Actor
from placet_verify.permit.scaling import scaling_of
from placet_verify.signing.keys import KeyRing


def check_return(former: Revision, endpoint: Endpoint, keys: KeyRing) -> None:
    """Raise :class:`NotPermitted` when ``former`` may not serve again. The end of its permit is
    not asked: that ends the right to start a release, never to go back to one."""
    serving.check_permit(
        former.permit,
        keys,
        endpoint=endpoint,
        bento=former.bento,
        release=former.release,
        serving=former.serving,
        starting_at=None,
    )


def open_return(
    live: Revision, former: Revision, *, kind: str, reason: str, actor: Actor
) -> Rollout:
    """Open a rollout from ``live`` back to ``former``, on the release that brought that one."""
    return insert_rollout(
        Rollout(
            project_id=live.endpoint.project_id,
            endpoint=live.endpoint,
            release=Release.objects.get(pk=former.release),
            kind=kind,
            from_revision=live,
            to_revision=former,
            started_by=actor.id,
            reason=reason,
        )
    )


def begin_return(rollout: Rollout, endpoint: Endpoint, log: Recorder) -> None:
    """Start the revision that ``rollout`` goes back to, if it was stopped, and log the rollback.

    Its target makes room for it; the caller has held that and asked :func:`check_return`.
    """
    former = rollout.to_revision
    if former.state == RevisionState.STOPPED:
        needed = needed_back_mb(former, rollout.from_revision)
        serving.make_room(endpoint, needed, actor=log.actor)
        serving.set_revision(
            former,
            state=RevisionState.STARTING,
            weight=0,
            replicas=_first_replicas(former),
            actor=log.actor,
        )
    data = {"release": former.release, "revision": former.number}
    log.add(ROLLBACK_STARTED, rollout, data=data)


def _first_replicas(former: Revision) -> int | None:
    """Return how many replicas ``former`` begins with again where its node scales it by load: a
    way back waits for no more. ``None`` for as many as it had."""
    return serving_config(former.serving).replicas if scaling_of(former.serving) else None

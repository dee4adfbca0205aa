"""What stands in the story of an endpoint at first: what people decided about it, and how its state
changed. Steps of plans, shares and what nodes tell are shown with everything."""

from apps.monitoring import events as monitoring
from apps.rollouts import events as rollouts
from apps.rollouts.states import RolloutState
from apps.serving import events as serving

NOTABLE = tuple(
    kind.name
    for kind in (
        serving.ENDPOINT_CREATED,
        serving.ENDPOINT_STOPPED,
        serving.ENDPOINT_STARTED,
        serving.ENDPOINT_DELETED,
        serving.ENDPOINT_RESTARTED,
        serving.ENDPOINT_SCALED,
        serving.ENDPOINT_KEYS_CHANGED,
        monitoring.OBJECTIVE_SET,
        monitoring.OBJECTIVE_REMOVED,
        serving.REVISION_REFUSED,
        serving.REQUESTS_TAKEN_BACK,
        rollouts.ROLLOUT_STARTED,
        rollouts.ROLLBACK_STARTED,
        rollouts.ROLLOUT_PAUSED,
        rollouts.ROLLOUT_RESUMED,
        rollouts.ROLLOUT_PROMOTED,
        rollouts.STEP_SKIPPED,
        rollouts.ROLLOUT_SHIPPED,
        rollouts.ROLLOUT_RETRIED,
        rollouts.PAUSE,
        rollouts.EFFECT_SHOWN,
        rollouts.ENTERED[RolloutState.DRAINING],
        rollouts.ENTERED[RolloutState.ABORTING],
        rollouts.ENTERED[RolloutState.ABORTED],
        rollouts.ENTERED[RolloutState.FAILED],
    )
)

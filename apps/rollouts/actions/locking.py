"""In which order rows are held: an endpoint before the rollouts that move it, those before its
revisions and releases. Whoever holds two of them in another order waits for who waits for them."""

from apps.rollouts.models import Rollout
from apps.serving.models import Endpoint


def lock_endpoint(endpoint_id: str) -> Endpoint:
    """Hold an endpoint until the transaction ends."""
    rows = Endpoint.objects.select_for_update(of=("self",), no_key=True).select_related("target")
    return rows.get(pk=endpoint_id)


def lock_rollout(rollout: Rollout, *beside: str) -> Rollout:
    """Hold a rollout behind its endpoint; ``beside`` names what is read with it."""
    lock_endpoint(rollout.endpoint_id)
    rows = Rollout.objects.select_for_update(of=("self",), no_key=True).select_related(
        "endpoint", *beside
    )
    return rows.get(pk=rollout.pk)

"""In which order rows are held. Whoever holds two in another order waits for who waits for them.

1. a project, then its environment;
2. endpoints, by id;
3. the targets where they stand, by id;
4. the rollouts that move the endpoints, then revisions and releases;
5. the waiting jobs that sign the states of targets: see :func:`apps.serving.desired.publish`;
6. models, by id, then versions, by id (and versions behind a project, where both are changed);
7. the head of the log, which is the last: see :mod:`apps.audit.actions.record`.

So whoever holds a target waits for no endpoint. A revision behind another endpoint, which must make
room, is moved by compare-and-set alone: it is warm and carries no weight.

Everybody holds rows ``FOR NO KEY UPDATE`` (``no_key=True``) unless they delete them: it keeps out
whoever would hold the same row, and lets in whoever inserts a row that refers to it.
"""

from apps.rollouts.models import Rollout
from apps.serving.actions.locking import lock_endpoint


def lock_rollout(rollout: Rollout, *beside: str) -> Rollout:
    """Hold a rollout behind its endpoint; ``beside`` names what is read with it."""
    lock_endpoint(rollout.endpoint_id)
    rows = Rollout.objects.select_for_update(of=("self",), no_key=True).select_related(
        "endpoint", *beside
    )
    return rows.get(pk=rollout.pk)

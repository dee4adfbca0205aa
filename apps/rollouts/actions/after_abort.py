"""What follows from an abort of a node that was heard of only after its revision went live."""

import structlog

from apps.jobs.each import each
from apps.rollouts import guard
from apps.rollouts.actions.abort_and_rollback import go_back
from apps.rollouts.queries import rollout_under_way
from apps.serving.drivers.base import Observation
from apps.serving.models import Revision, Target
from apps.serving.rules import RevisionState
from placet.kernel.actor import SYSTEM
from placet.kernel.problems import Problem

log = structlog.get_logger(__name__)


def go_back_after_abort(target: Target, seen: Observation, faults: list[Exception]) -> int:
    """Roll back each live revision of ``target`` that was ``seen`` to have lost its requests.

    The node took them while the rollout went to its end: it serves the revision before, and the
    rows must say so too. Once that is done it is live no more, so that a repeat finds nothing.
    One that this cannot be done with stops no other (``each``).
    """
    aborted = {pk: row.aborted for pk, row in seen.revisions.items() if row.aborted}
    if not aborted:
        return 0

    def follow(live: Revision) -> bool:
        if rollout_under_way(live.endpoint) is not None:
            return False
        try:
            go_back(live.endpoint, reason=guard.reason(aborted[live.pk]), actor=SYSTEM)
        except Problem as refusal:
            log.warning("abort_not_followed", revision=live.pk, why=refusal.detail)
            return False
        return True

    rows = Revision.objects.filter(
        pk__in=aborted, state=RevisionState.LIVE, endpoint__target=target
    )
    return sum(each(follow, rows.select_related("endpoint"), faults))

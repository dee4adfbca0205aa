"""Several releases for one endpoint: the second waits for the first, or sends it back."""

from typing import Literal

from django.db.models import Exists

from apps.governance.models import Release
from apps.governance.queries.waiting import START, overtaking, to_start
from apps.jobs.models import Job
from apps.jobs.queries import OPEN
from apps.rollouts.actions.abort_and_rollback import abort
from apps.rollouts.errors import NotAbortable
from apps.rollouts.models import Rollout
from apps.rollouts.rules import OPEN_STATES, STEPPING
from apps.rollouts.states import RolloutKind
from placet.kernel.actor import SYSTEM

Turn = Literal["now", "later", "never"]
BUSY = "Another rollout is under way"  # what a start says that has to wait for its turn


def take_turn(release: Release) -> Turn:
    """Have an approved release, which starts by itself, take its turn; return when it may start.

    While the endpoint is being moved that is ``later``; one whose plan says so aborts the release
    that is going out before it, never a rollback. Of those that waited for that the one which was
    requested first goes first: after the others nobody would start it. ``never``, that is not by
    itself, once something newer went live while it waited.
    """
    if Release.objects.filter(Exists(overtaking()), pk=release.pk).exists():
        return "never"
    moving = Rollout.objects.filter(endpoint=release.endpoint_id, state__in=OPEN_STATES)
    before = moving.select_related("release").first()
    if before is None:
        return "later" if _has_one_before(release) else "now"
    older = before.kind == RolloutKind.RELEASE and before.release.number < release.number
    if release.plan.get("when_busy") == "supersede" and older and before.state in STEPPING:
        _send_back(before, release)
    return "later"


def _has_one_before(release: Release) -> bool:
    """Tell whether an older release waits for nothing but its turn: what its start said last."""
    waits = Job.objects.filter(kind=START, state__in=OPEN, error=BUSY).values("key")
    older = to_start().filter(endpoint=release.endpoint_id, number__lt=release.number)
    return older.filter(pk__in=waits).exists()


def _send_back(before: Rollout, release: Release) -> None:
    try:
        abort(before, reason=f"Superseded by release {release.number}", actor=SYSTEM)
    except NotAbortable:
        return  # it has just ended, or gone live: both are well

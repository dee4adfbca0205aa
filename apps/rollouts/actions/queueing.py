"""Two releases for one endpoint: the second waits for the first, or sends it back."""

from typing import Literal

from django.db.models import Exists

from apps.governance.models import Release
from apps.governance.queries.waiting import overtaking
from apps.rollouts.actions.abort_and_rollback import abort
from apps.rollouts.errors import NotAbortable
from apps.rollouts.models import Rollout
from apps.rollouts.rules import OPEN_STATES, STEPPING
from apps.rollouts.states import RolloutKind
from placet.kernel.actor import SYSTEM

Turn = Literal["now", "later", "never"]


def take_turn(release: Release) -> Turn:
    """Have an approved release, which starts by itself, take its turn; return when it may start.

    While the endpoint is being moved that is ``later``; one whose plan says so aborts the release
    that is going out before it, never a rollback. ``never``, that is not by itself, once something
    newer went live while it waited.
    """
    if Release.objects.filter(Exists(overtaking()), pk=release.pk).exists():
        return "never"
    moving = Rollout.objects.filter(endpoint=release.endpoint_id, state__in=OPEN_STATES)
    before = moving.select_related("release").first()
    if before is None:
        return "now"
    older = before.kind == RolloutKind.RELEASE and before.release.number < release.number
    if release.plan.get("when_busy") == "supersede" and older and before.state in STEPPING:
        _send_back(before, release)
    return "later"


def _send_back(before: Rollout, release: Release) -> None:
    try:
        abort(before, reason=f"Superseded by release {release.number}", actor=SYSTEM)
    except NotAbortable:
        return  # it has just ended, or gone live: both are well

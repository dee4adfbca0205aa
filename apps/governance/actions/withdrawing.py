"""Withdrawing a release, which nobody does but who requested it."""

from apps.audit.actions import record
from apps.governance.actions.advance import move_release
from apps.governance.actions.break_glass_ends import end_break_glasses_of
from apps.governance.actions.locking import lock_release
from apps.governance.errors import WrongState
from apps.governance.events import RELEASE_WITHDRAWN
from apps.governance.models import UNFINISHED_STATES, Release
from apps.governance.rules import ReleaseState
from apps.identity.queries import people_names
from apps.serving.actions import release_prefetch
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet.kernel.problems import Forbidden, NeedsPermission


def withdraw(release: Release, *, actor: Actor) -> Release:
    """Take a request back, by whoever asked, until its rollout has started."""
    with record(actor) as log:
        try:
            row = lock_release(release, actor, "release.withdraw")
        except NeedsPermission:  # a role would help nobody but who asked
            _refuse_others(release, actor)
            raise
        _refuse_others(row, actor)
        if not move_release(
            row, expected=UNFINISHED_STATES, to=ReleaseState.WITHDRAWN, ended_at=clock.now()
        ):
            raise WrongState(f"The release is {row.get_state_display().lower()}")
        log.add(RELEASE_WITHDRAWN, row, data={"number": row.number})
        end_break_glasses_of(row, log)
        release_prefetch(row.pk, actor=actor)
        return row


def _refuse_others(release: Release, actor: Actor) -> None:
    if actor.accountable != release.requester:
        name = people_names([release.requester])[release.requester]
        which = f"release {release.number} of {release.project.slug}"
        raise Forbidden(f"Only {name}, who requested {which}, can withdraw it")

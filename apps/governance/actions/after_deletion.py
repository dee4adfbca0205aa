"""What the deletion of an endpoint means for its releases."""

from apps.audit.actions import record
from apps.governance.actions.advance import move_release
from apps.governance.actions.after_stop import served_until
from apps.governance.actions.break_glass_ends import end_break_glasses_of
from apps.governance.events import RELEASE_RETIRED
from apps.governance.models import OPEN_STATES, Release
from apps.governance.rules import ReleaseState
from apps.serving.models import Endpoint
from apps.serving.rules import EndpointState
from placet.kernel.actor import Actor


def needed_by_release(endpoint: Endpoint) -> str:
    """Say which release is on its way to ``endpoint``, '' when none is."""
    row = (
        Release.objects.filter(endpoint=endpoint, state__in=OPEN_STATES).order_by("number").first()
    )
    if row is None:
        return ""
    end = "abort" if row.state == ReleaseState.ROLLING_OUT else "withdraw"
    return f"Release {row.number} is {row.get_state_display().lower()}: {end} it first"


def retire(endpoint: Endpoint, actor: Actor) -> None:
    """End the release that was live behind ``endpoint``, which the caller holds."""
    with record(actor) as log:
        live = Release.objects.select_for_update(of=("self",), no_key=True).select_related(
            "environment"
        )
        for row in live.filter(endpoint=endpoint, state=ReleaseState.LIVE):
            reason, ended = "Its endpoint was deleted", served_until(row, endpoint)
            if endpoint.state == EndpointState.STOPPED and endpoint.stopped_at is None:
                reason += "; since when it had been stopped is not known"
            move_release(
                row,
                expected=ReleaseState.LIVE,
                to=ReleaseState.RETIRED,
                ended_at=ended,
                ended_reason=reason,
            )
            log.add(RELEASE_RETIRED, row, data={"number": row.number})
            end_break_glasses_of(row, log)

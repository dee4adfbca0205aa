"""What the stop of an endpoint means for the release that is live behind it, and its start."""

from datetime import datetime

from apps.audit.actions import record
from apps.governance import rules
from apps.governance.actions.sweeps import ask_for_start
from apps.governance.events import RELEASE_RESTORED
from apps.governance.models import Release
from apps.governance.queries.waiting import to_start
from apps.governance.rules import ReleaseState
from apps.serving.models import Endpoint
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.states import move


def served_until(release: Release, endpoint: Endpoint) -> datetime:
    """Return when a live release whose time ends now served last."""
    began = release.live_at or now()
    return rules.served_until(began, None, endpoint.state, endpoint.stopped_at) or now()


def serve_anew(endpoint: Endpoint, actor: Actor) -> None:
    """Begin the time of the release that is live behind ``endpoint``, which the caller has started.

    It did not serve meanwhile: what it soaks is counted without a break. What was approved
    meanwhile is asked to start, at once and not when its failed start would be tried again.
    """
    with record(actor) as log:
        live = Release.objects.select_for_update(no_key=True, of=("self",))
        for row in live.filter(endpoint=endpoint, state=ReleaseState.LIVE).select_related(
            "environment"
        ):
            move(row, expected=ReleaseState.LIVE, to=ReleaseState.LIVE, live_at=now())
            log.add(RELEASE_RESTORED, row, data={"number": row.number})
        ask_for_start(to_start().filter(endpoint=endpoint))

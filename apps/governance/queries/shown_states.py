"""The states of releases as people are told them: what is live behind a stopped endpoint is stopped
(``Release.shown_state``), and what waits for people is no longer told so where a gate has failed or
somebody asked for changes."""

from django.db.models import QuerySet

from apps.governance import gates, rules
from apps.governance.models import Release
from apps.governance.queries.by_clock import gates_now
from apps.governance.rules import ReleaseState
from apps.serving.rules import EndpointState
from placet.kernel.states import values_of

SHOWN_STATES = (*values_of(ReleaseState), EndpointState.STOPPED.value)
HELD = "held"  # what is requested, and somebody asked for changes


def shown_as(rows: QuerySet[Release], state: str) -> QuerySet[Release]:
    """Leave only what pages show as ``state``, if one is given."""
    if state == EndpointState.STOPPED:
        return rows.filter(state=ReleaseState.LIVE, endpoint__state=EndpointState.STOPPED)
    if state == ReleaseState.LIVE:
        return rows.filter(state=state).exclude(endpoint__state=EndpointState.STOPPED)
    return rows.filter(state=state) if state else rows


def has_failed_gate(release: Release) -> bool:
    """Tell whether a release that is requested waits in vain: nobody opens a gate that failed."""
    return release.state == ReleaseState.REQUESTED and bool(gates.failing(gates_now(release)))


def stands(release: Release) -> str:
    """Return how a release stands, in one word; of its rollout it knows nothing."""
    if has_failed_gate(release):
        return ReleaseState.FAILED
    is_held = release.state == ReleaseState.REQUESTED and rules.is_held(release.gates)
    return HELD if is_held else release.shown_state

"""The states of releases as people are told them: what is live behind a stopped endpoint is stopped
(``Release.shown_state``)."""

from django.db.models import QuerySet

from apps.governance.models import Release
from apps.governance.rules import ReleaseState
from apps.serving.rules import EndpointState
from placet.kernel.states import values_of

SHOWN_STATES = (*values_of(ReleaseState), EndpointState.STOPPED.value)


def shown_as(rows: QuerySet[Release], state: str) -> QuerySet[Release]:
    """Leave only what pages show as ``state``, if one is given."""
    if state == EndpointState.STOPPED:
        return rows.filter(state=ReleaseState.LIVE, endpoint__state=EndpointState.STOPPED)
    if state == ReleaseState.LIVE:
        return rows.filter(state=state).exclude(endpoint__state=EndpointState.STOPPED)
    return rows.filter(state=state) if state else rows

"""The home page: what waits on me, and what runs where."""

from django.http import HttpResponse

from apps.console.context import waiting
from apps.console.queries.alerts import alert_rows
from apps.console.queries.models import projects_of
from apps.console.queries.serving import endpoint_page
from apps.console.views.base import PageRequest, page, show
from apps.governance.queries.lists import releases, startable
from apps.governance.queries.sharing import shared_last
from apps.rollouts.queries import awaiting_person


@page
def home(request: PageRequest) -> HttpResponse:
    """Answer at a glance: what waits on me; what runs where, since when, by whose approval."""
    rows, more = endpoint_page(request.actor)
    return show(
        request,
        "home",
        alerts=alert_rows(request.actor),
        inbox=waiting(request, request.actor),
        rows=rows,
        more=more,
        startable=startable(request.actor),
        paused=awaiting_person(request.actor),
        shared=shared_last(request.actor),
        recent=list(releases(request.actor)[:8]),
        projects=[] if rows else projects_of(request.actor),  # an empty page says what to do
    )

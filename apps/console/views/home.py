"""The home page: what waits on me, and what runs where."""

from django.http import HttpResponse

from apps.console.queries.models import projects_of
from apps.console.queries.serving import endpoint_rows
from apps.console.views.base import PageRequest, page, show
from apps.governance.queries.lists import inbox, releases


@page
def home(request: PageRequest) -> HttpResponse:
    """Answer at a glance: what waits on me; what runs where, since when, by whose approval."""
    return show(
        request,
        "home",
        inbox=inbox(request.actor),
        rows=endpoint_rows(request.actor),
        recent=list(releases(request.actor)[:8]),
        projects=projects_of(request.actor),
    )

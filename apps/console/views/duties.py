"""Separation of duties: how few people could have a release approved, and how."""

from django.http import HttpResponse

from apps.console.queries.duties import duty_rows
from apps.console.queries.paging import keyed
from apps.console.views.base import PageRequest, page, show
from apps.console.views.filters import project_options, refused
from apps.governance.queries.duties import told_duties, visible_duties

SHOWN = 20  # a page: each is a search of its own


@page
def duties(request: PageRequest) -> HttpResponse:
    """List the environments whose access the reader administers or audits."""
    if answer := refused(request, "Separation of duties", project=project_options(request)):
        return answer
    project, after = request.GET.get("project", ""), request.GET.get("after", "")
    rows = visible_duties(request.actor, project=project)
    environments, key = keyed(rows, ("project__slug", "name"), after, SHOWN)
    listed = duty_rows(told_duties(environments, request.actor))
    is_seen = request.actor.can_somewhere("access.view")
    return show(
        request, "duties", rows=listed, is_seen=is_seen, key=key, after=after, project=project
    )

"""What served at an instant, and who approved it."""

from functools import partial

from django.http import HttpResponse

from apps.console.queries.deployments import deployment_list_page
from apps.console.queries.release_rows import place_choices
from apps.console.views.base import PageRequest, page, show
from apps.console.views.filters import project_options, refused


@page
def deployment_list(request: PageRequest) -> HttpResponse:
    """Answer what served behind each endpoint at the instant that the reader names."""
    offered = {
        "project": project_options(request),
        "environment": partial(place_choices, request.actor, request.GET.get("project", "")),
    }
    if answer := refused(request, "Deployments", **offered):
        return answer
    asked = {name: request.GET.get(name, "") for name in offered}
    typed, after = request.GET.get("at", ""), request.GET.get("after", "")
    page_object, key = deployment_list_page(request.actor, typed=typed, after=after, **asked)
    response = show(request, "deployments", page=page_object, key=key, after=after, **asked)
    response.status_code = 400 if page_object.fault else 200
    return response

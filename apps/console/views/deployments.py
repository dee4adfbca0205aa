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
    project = request.GET.get("project", "")
    places = partial(place_choices, request.actor, project)
    if answer := refused(
        request, "Deployments", project=project_options(request), environment=places
    ):
        return answer
    asked = {"project": project, "environment": request.GET.get("environment", "")}
    typed, after = request.GET.get("at", ""), request.GET.get("after", "")
    page_object, key = deployment_list_page(request.actor, typed=typed, after=after, **asked)
    response = show(request, "deployments", page=page_object, key=key, after=after, **asked)
    response.status_code = 400 if page_object.fault else 200
    return response

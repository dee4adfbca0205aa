"""What served at an instant, and who approved it."""

from django.http import HttpResponse

from apps.console.queries.deployments import deployment_list_page
from apps.console.views.base import PageRequest, page, show


@page
def deployment_list(request: PageRequest) -> HttpResponse:
    """Answer what served behind each endpoint at the instant that the reader names."""
    asked = {name: request.GET.get(name, "").strip() for name in ("project", "environment")}
    typed, after = request.GET.get("at", ""), request.GET.get("after", "")
    page_object, key = deployment_list_page(request.actor, typed=typed, after=after, **asked)
    response = show(request, "deployments", page=page_object, key=key, after=after, **asked)
    response.status_code = 400 if page_object.fault else 200
    return response

"""A build with its live log."""

from django.http import HttpResponse

from apps.builds.actions import cancel_build
from apps.builds.models import Build
from apps.console.queries.build_page import build_page
from apps.console.views.base import PageRequest, action, back, page, show
from apps.identity.queries import visible
from placet.kernel.problems import NotFound


def build_of(request: PageRequest, build_id: str) -> Build:
    """Return the build that the actor may see, or raise :class:`NotFound`."""
    builds = visible(
        Build.objects.select_related("version__model", "project", "bento"),
        request.actor,
        view="build.view",
    )
    build = builds.filter(pk=build_id).first()
    if build is None:
        raise NotFound
    return build


@page
def build(request: PageRequest, build_id: str) -> HttpResponse:
    """Show a build; the log part renews itself while it runs."""
    row = build_of(request, build_id)
    template = "parts/build" if request.headers.get("HX-Request") else "build"
    page_object = build_page(row, request.actor)
    return show(request, template, frame=row.project_id, build=row, page=page_object)


@action
def cancel(request: PageRequest, build_id: str) -> HttpResponse:
    """Ask a running build to stop."""
    cancel_build(build_of(request, build_id), actor=request.actor)
    return back(request)

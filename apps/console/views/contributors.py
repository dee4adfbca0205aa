"""Who had a hand in a version, and declaring it."""

from django.http import HttpResponse

from apps.console.queries.contributors import contributors_page
from apps.console.queries.models import version_of
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.registry.actions import declare
from placet.kernel.problems import Problem


@page
def hands(request: PageRequest, project: str, name: str, number: int) -> HttpResponse:
    """Show who put files into a version, who owns its data and who wrote its code."""
    return hands_of(request, project, name, number)


def hands_of(
    request: PageRequest, project: str, name: str, number: int, fault: str = ""
) -> HttpResponse:
    """Show the page; with ``fault`` the form that was refused is filled in as it was."""
    version = version_of(project, name, number, request.actor)
    return show(
        request,
        "contributors",
        version=version,
        page=contributors_page(version, request.actor, request.POST),
        fault=fault,
    )


@action
def declare_hand(request: PageRequest, project: str, name: str, number: int) -> HttpResponse:
    """Declare who owns a data set or wrote the code; a refusal shows the form again."""
    version = version_of(project, name, number, request.actor)
    try:
        declare(
            version.project,
            fact=request.POST.get("fact", ""),
            about=request.POST.get("about", ""),
            person=request.POST.get("person", ""),
            actor=request.actor,
        )
    except Problem as problem:
        return hands_of(request, project, name, number, fault_of(problem))
    return back(request)

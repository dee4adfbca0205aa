"""People: who they are, which roles they hold, and what they did."""

from django.http import HttpResponse

from apps.console.queries.people import person_page
from apps.console.views.base import PageRequest, page, show


@page
def person(request: PageRequest, person_id: str) -> HttpResponse:
    """Show a person to whom they are no secret: access administrators, auditors, themselves."""
    return show(request, "person", page=person_page(person_id, request.actor))

"""The home page, and the inbox: what waits on me, and what runs where."""

from django.http import HttpResponse

from apps.console.context import count_listed, waiting
from apps.console.queries.home_page import home_page
from apps.console.queries.inbox import inbox_page
from apps.console.queries.setup import setup_list
from apps.console.views.base import PageRequest, page, show
from apps.console.views.setup import hidden_from_now_on, is_hidden


@page
def home(request: PageRequest) -> HttpResponse:
    """Answer at a glance: what waits on me; what runs where, since when, by whose approval."""
    page_object = home_page(waiting(request, request.actor, lists_all=True), request.actor)
    count_listed(request, page_object)
    is_set_up = page_object.has_served or is_hidden(request)
    setup = None if is_set_up else setup_list(request.actor)
    response = show(
        request,
        "home",
        page=page_object,
        setup=setup,
        inbox=page_object.inbox,
        rows=page_object.rows,
    )
    return hidden_from_now_on(response) if setup and setup.is_done else response


@page
def inbox(request: PageRequest) -> HttpResponse:
    """Show what waits for the reader."""
    page_object = inbox_page(waiting(request, request.actor, lists_all=True), request.actor)
    count_listed(request, page_object)
    return show(request, "inbox", page=page_object)

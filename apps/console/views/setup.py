"""The set-up list of the home page: its part that renews itself, hiding it, loading sample data."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.crypto import constant_time_compare, salted_hmac

from apps.builds.actions import request_samples
from apps.console.queries.setup import setup_list
from apps.console.views.base import PageRequest, action, page, show

COOKIE = "setup"
A_YEAR = 365 * 24 * 3600


@page
def setup(request: PageRequest) -> HttpResponse:
    """Show how far the set-up is: the part of the home page that renews itself, and stays as it
    is where nothing came: whoever reads it keeps their place."""
    if not request.headers.get("HX-Request"):
        return redirect("home")
    found = setup_list(request.actor)
    if request.GET.get("was") == found.state:
        return HttpResponse(status=204)
    return show(request, "home/setup", setup=found)


@action
def hide(request: PageRequest) -> HttpResponse:
    """Leave the list out of the home page, in this browser."""
    return hidden_from_now_on(redirect("home"))


@action
def load_samples(request: PageRequest) -> HttpResponse:
    """Load sample data, and go where people get a role to see it."""
    project = request_samples(actor=request.actor)
    messages.success(
        request,
        "The sample models are being registered. Give people a role here, so that they see them.",
    )
    return redirect("members", project.slug)


def is_hidden(request: HttpRequest) -> bool:
    """Tell whether this browser hides the list of this installation."""
    return constant_time_compare(request.COOKIES.get(COOKIE, ""), _mark())


def hidden_from_now_on(response: HttpResponse) -> HttpResponse:
    """Have the browser keep that the list is not shown. The cookie names nobody."""
    response.set_cookie(
        COOKIE,
        _mark(),
        max_age=A_YEAR,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response


def _mark() -> str:
    """Return what is the same in this installation alone: another one at this host shows its own
    list."""
    return salted_hmac("placet.console.setup", "hidden").hexdigest()[:16]

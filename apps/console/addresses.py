"""Which page an address belongs to: where its form stands, found from the routes alone."""

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import Http404, HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.urls import resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme

# Whose form stands on another page than the one above it.
FORMS_STAND_ON = {
    "recall-create": "recall-new",
    "freeze-lift": "policy-list",
    "hold-place": "retention",
    "hold-lift": "retention",
    "witnessed-log-add": "witnesses",
    "witnessed-log-remove": "witnesses",
    "setup-hide": "home",
    "load-samples": "home",
}


def page_above(path: str) -> str:
    """Return the page at ``path`` or the nearest above it.

    Nothing is looked up: that a page is said to be there tells nobody whether its object is.
    """
    name = name_of(path)
    if name in FORMS_STAND_ON:
        return reverse(FORMS_STAND_ON[name])
    while path.strip("/"):
        if is_page(path):
            return path
        path = path.rstrip("/").rpartition("/")[0] + "/"
    return "/"


def standing(path: str) -> str:
    """Return where a reader stands who is shown the answer at ``path``: a form that was refused is
    shown at its own address, and stands on another page."""
    name = name_of(path)
    return reverse(FORMS_STAND_ON[name]) if name in FORMS_STAND_ON else path


def page_of(request: HttpRequest) -> str:
    """Return the page that a form was on, which the form names in ``next``."""
    target = request.POST.get("next") or page_above(request.path)
    safe = target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return target if safe else "/"


def form_page(request: HttpRequest) -> str:
    """Return the page of the form that was sent; '' where none was, or none that can be read."""
    if request.method != "POST":
        return ""
    try:
        return page_of(request) if "next" in request.POST else ""
    except (BadRequest, MultiPartParserError, SuspiciousOperation, UnreadablePostError):
        return ""


def name_of(path: str) -> str:
    """Return the name of the route at ``path``; '' where there is none."""
    try:
        return resolve(path).url_name or ""
    except Http404:
        return ""


def is_page(path: str) -> bool:
    """Tell whether something to read is routed at ``path``."""
    try:
        return getattr(resolve(path).func, "is_page", False)
    except Http404:
        return False

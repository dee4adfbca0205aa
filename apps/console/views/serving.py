"""Endpoints."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.console.queries.after_start import AfterStart
from apps.console.queries.empty_lists import empty_list
from apps.console.queries.endpoint_page import EndpointPage, endpoint_page
from apps.console.queries.endpoint_view import endpoint_view
from apps.console.queries.endpoints import EndpointListPage, endpoint_list_page, isolations
from apps.console.queries.page_parts import counted
from apps.console.queries.sorting import ENDPOINTS
from apps.console.views.base import PageRequest, action, back, page, show
from apps.console.views.fields import whole, whole_or_none
from apps.console.views.filters import project_options, refused
from apps.console.views.lists import show_list
from apps.rollouts.actions import rollback
from apps.rollouts.states import RolloutKind
from apps.serving.actions import (
    delete_endpoint,
    issue_endpoint_key,
    require_api_key,
    restart_endpoint,
    revoke_endpoint_key,
    scale_endpoint,
    start_endpoint,
    stop_endpoint,
)
from apps.serving.models import Endpoint
from apps.serving.queries import endpoint_keys, get_endpoint
from placet.kernel.problems import FieldError, InvalidInput, NeedsPermission, NotFound
from placet.kernel.texts import clean_text


@page
def endpoints(request: PageRequest) -> HttpResponse:
    """List what runs where."""
    offered = {"project": project_options(request), "isolation": isolations}
    if answer := refused(request, "Deployments", **offered):
        return answer
    project, after = request.GET.get("project", ""), request.GET.get("after", "")
    isolation, sorting = request.GET.get("isolation", ""), ENDPOINTS.of(request.GET.get("sort", ""))
    narrowed = {"project": project, "isolation": isolation}
    rows, key = endpoint_list_page(
        request.actor, project=project, isolation=isolation, sorting=sorting, after=after
    )
    slug = "" if rows else project  # what an empty list says of it is read where it is empty
    empty = empty_list(request.actor, "endpoints", "endpoint.view", slug)
    return show_list(
        request,
        "endpoints",
        sorting=sorting,
        page=EndpointListPage(rows, project, isolation, empty),
        rows=rows,
        key=key,
        **narrowed,
    )


@page
def endpoint(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Show one endpoint and its traffic. Its status renews itself, what stands beside that once
    something moved, and the whole page once its buttons or alerts would be others."""
    found = endpoint_page(
        endpoint_id,
        request.actor,
        range_name=request.GET.get("range", ""),
        everything=request.GET.get("activity") == "all",
    )
    if not request.headers.get("HX-Request"):
        return _shown(request, "endpoint", found)
    seen = request.GET.get("seen", "")  # a page from before there were marks goes on as it did
    moved = seen not in ("", found.view.mark)
    answer = _shown(request, "endpoint/status", found, has_moved=moved)
    answer["X-Page-State"] = found.view.page_state
    return answer


@page
def endpoint_revisions(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Show what was released to an endpoint, and when each revision had which share. An open page
    asks now and then what it would be made for."""
    found = endpoint_page(endpoint_id, request.actor, "endpoint-revisions")
    if "state" not in request.GET:
        return _shown(request, "endpoint_revisions", found)
    return HttpResponse(status=204, headers={"X-Page-State": found.view.served_state})


@page
def endpoint_test(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Show the form that sends one row to what is live."""
    found = endpoint_page(endpoint_id, request.actor, "endpoint-test")
    if not found.may("endpoint.predict"):
        raise NeedsPermission(request.actor, "endpoint.predict", scope=found.scope)
    return _shown(request, "endpoint_test", found)


@page
def endpoint_use(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Show how clients call an endpoint, and its API keys."""
    return _shown(
        request, "endpoint_use", endpoint_page(endpoint_id, request.actor, "endpoint-use")
    )


@page
def endpoint_settings(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Show what an endpoint is held to, its rollback tests and its network."""
    found = endpoint_page(endpoint_id, request.actor, "endpoint-settings")
    return _shown(request, "endpoint_settings", found)


def _shown(
    request: PageRequest, template: str, found: EndpointPage, *, has_moved: bool = False
) -> HttpResponse:
    return show(
        request,
        template,
        frame=found.endpoint.project_id,
        page=found,
        view=found.view,
        endpoint=found.endpoint,
        panels=PANELS,
        has_moved=has_moved,  # so that what stands beside the part that renews itself does too
    )


# the name in series.js, and the title
PANELS = (
    ("rate", "Requests per second"),
    ("failed", "Server errors (5xx) and rejected requests (4xx)"),
    ("quantiles", "Latency"),
)

# what is done, and what is said then of what was there
VERBS: dict[str, tuple[Callable[..., Endpoint], Callable[[AfterStart], str]]] = {
    "stop": (stop_endpoint, lambda there: there.stopped),
    "start": (start_endpoint, lambda there: there.started),
    "restart": (restart_endpoint, lambda there: "The replicas are being replaced."),
}

REASONED = ("stop", "start")  # of them, what a reason may be given for


@action
def operate(request: PageRequest, endpoint_id: str, verb: str) -> HttpResponse:
    """Stop, start or restart an endpoint."""
    if verb not in VERBS:
        raise NotFound
    act, words = VERBS[verb]
    why = {"reason": request.POST.get("reason", "")} if verb in REASONED else {}
    row = get_endpoint(endpoint_id, request.actor)
    said = words(endpoint_view(row.pk, request.actor).after_start)
    act(row, actor=request.actor, **why)
    messages.success(request, said)
    return back(request)


@action
def delete(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Delete an endpoint that nothing needs any more."""
    row = get_endpoint(endpoint_id, request.actor)
    delete_endpoint(row, if_generation=whole(request, "generation"), actor=request.actor)
    messages.success(request, f"Deleted {row}: its name is free again.")
    return redirect("endpoints")


@action
def scale(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Change the number of replicas within what was approved."""
    row = get_endpoint(endpoint_id, request.actor)
    replicas = whole(request, "replicas")
    moved = scale_endpoint(row, replicas=replicas, actor=request.actor)
    said = "Scaled to" if moved else "Already"
    messages.success(request, f"{said} {counted(replicas, 'replica')}.")
    return back(request)


@action
def roll_back(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Go back to the revision before, or to the former one that was chosen."""
    row = get_endpoint(endpoint_id, request.actor)
    reason = clean_text("reason", request.POST.get("reason", ""), limit=2000)
    number = whole_or_none(request, "revision", detail="Choose one of the list")
    done = rollback(row, reason=reason, number=number, actor=request.actor)
    went = f"Going back to revision {done.to_revision.number}."
    then = "once the endpoint is started, " if row.is_stopped else ""
    aborted = f"Aborting the release: {then}all requests go to the revision that was live."
    messages.success(request, went if done.kind == RolloutKind.ROLLBACK else aborted)
    return redirect("endpoint", row.pk)


@action
def key_rule(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Say whether clients need an API key."""
    row = get_endpoint(endpoint_id, request.actor)
    said = request.POST.get("required", "")
    if said not in ("yes", "no"):
        raise InvalidInput(errors=[FieldError("/required", "yes or no")])
    required = said == "yes"
    require_api_key(row, required=required, actor=request.actor)
    messages.success(request, "An API key is " + ("required." if required else "not required."))
    return back(request)


@action
def new_key(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Make an API key of the endpoint and show it once."""
    row = get_endpoint(endpoint_id, request.actor)
    name = request.POST.get("name", "")
    key, secret = issue_endpoint_key(row, name=name, actor=request.actor)
    return show(
        request,
        "secret",
        frame=row.project_id,
        title=f"API key {key.name}",
        secret=secret,
        next=reverse("endpoint-use", args=[row.pk]),
        kind="endpoint",
        endpoint=row,
    )


@action
def revoke_key(request: PageRequest, endpoint_id: str, key_id: str) -> HttpResponse:
    """End an API key."""
    row = get_endpoint(endpoint_id, request.actor)
    key = endpoint_keys(row).filter(pk=key_id).first()
    if key is None:
        raise NotFound
    revoke_endpoint_key(key, actor=request.actor)
    return back(request)

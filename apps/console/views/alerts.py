"""Alerts, and what endpoints are held to."""

from functools import partial

from django.contrib import messages
from django.http import HttpResponse

from apps.console.queries.alerts import alert_list_page
from apps.console.queries.sorting import ALERTS
from apps.console.views.base import PageRequest, action, back, page
from apps.console.views.fields import whole, whole_or_none
from apps.console.views.lists import act_on_each, show_list
from apps.monitoring.actions import acknowledge, remove_objective, resolve, set_objective
from apps.monitoring.queries import get_alert
from apps.monitoring.rules import ObjectiveTerms
from apps.serving.queries import get_endpoint
from placet.kernel.problems import FieldError, InvalidInput


@page
def alert_list(request: PageRequest) -> HttpResponse:
    """List what is wrong, and what was."""
    project, sorting = request.GET.get("project", ""), ALERTS.of(request.GET.get("sort", ""))
    page_object = alert_list_page(request.actor, project, sorting)
    return show_list(request, "alerts", sorting=sorting, page=page_object, project=project)


@action
def take_on(request: PageRequest, alert_id: str) -> HttpResponse:
    """Say that one looks after an alert."""
    acknowledge(get_alert(alert_id, request.actor), actor=request.actor)
    return back(request)


@action
def take_on_each(request: PageRequest) -> HttpResponse:
    """Say that one looks after several alerts."""
    return act_on_each(
        request,
        partial(get_alert, actor=request.actor),
        partial(acknowledge, actor=request.actor),
        one="alert",
        done="acknowledged",
        called=lambda alert: f"{alert.get_kind_display()}, {alert.about}",
    )


@action
def end(request: PageRequest, alert_id: str) -> HttpResponse:
    """End an alert whose condition nobody measures."""
    resolve(get_alert(alert_id, request.actor), actor=request.actor)
    return back(request)


@action
def objective(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Set or remove what an endpoint is held to; the form names the one that it showed."""
    endpoint, actor = get_endpoint(endpoint_id, request.actor), request.actor
    if request.POST.get("do") == "remove":
        remove_objective(endpoint, if_generation=whole(request, "generation"), actor=actor)
        messages.success(request, "SLO removed: nobody will be alerted.")
        return back(request)
    read = whole_or_none(request, "generation")
    set_objective(endpoint, terms=typed(request), if_generation=read, actor=actor)
    messages.success(request, "SLO saved.")
    return back(request)


def typed(request: PageRequest) -> ObjectiveTerms:
    """Read the form: shares in percent, empty for what is not agreed."""
    share = number(request, "availability")
    if share is not None and not 50 <= share <= 100:
        raise InvalidInput(errors=[FieldError("/availability", "From 50 to 100%, such as 99.9")])
    latency = number(request, "latency_ms")
    return ObjectiveTerms(
        availability=None if share is None else round(share / 100, 6),
        latency_ms=None if latency is None else int(latency),
        latency_quantile=round((number(request, "latency_quantile") or 99) / 100, 6),
        window_minutes=int(number(request, "window_minutes") or 15),
        min_requests=int(number(request, "min_requests") or 100),
        expect_traffic="expect_traffic" in request.POST,
        roll_back="roll_back" in request.POST,
    )


def number(request: PageRequest, name: str) -> float | None:
    """Return a field as a number, ``None`` when it is empty."""
    text = request.POST.get(name, "").strip().replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -1e9 < value < 1e9:
        raise InvalidInput(errors=[FieldError(f"/{name}", "Give a number")])
    return value

"""Alerts, and what endpoints are held to."""

from functools import partial

from django.contrib import messages
from django.http import HttpResponse

from apps.console.queries.alerts import alert_list_page
from apps.console.queries.sorting import ALERTS
from apps.console.views.base import PageRequest, action, back, page
from apps.console.views.fields import NO_NUMBER, whole, whole_or_none
from apps.console.views.lists import act_on_each, show_list
from apps.monitoring.actions import acknowledge, remove_objective, resolve, set_objective
from apps.monitoring.queries import get_alert
from apps.monitoring.rules import ObjectiveTerms
from apps.serving.queries import get_endpoint
from placet.kernel.problems import FieldError, InvalidInput

IN_PERCENT = {
    "availability": "From 50 to 100%, such as 99.9",
    "latency_quantile": "From 50 to 99.9%, such as 99",
}
WHOLE = ("latency_ms", "window_minutes", "min_requests")
NUMBERS = (*IN_PERCENT, *WHOLE)  # as they stand in the form


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
    """Read the form: shares in percent, empty for what is not agreed. Raise :class:`InvalidInput`
    with everything that is wrong in it."""
    given = {name: request.POST.get(name, "").strip() for name in NUMBERS}
    read = {name: number(text) for name, text in given.items() if text}
    known = {name: value for name, value in read.items() if value is not None}
    share, latency = known.get("availability"), known.get("latency_ms")
    terms = ObjectiveTerms(
        availability=None if share is None else round(share / 100, 6),
        latency_ms=None if latency is None else int(latency),
        latency_quantile=round(known.get("latency_quantile", 99) / 100, 6),
        window_minutes=int(known.get("window_minutes", 15)),
        min_requests=int(known.get("min_requests", 100)),
        expect_traffic="expect_traffic" in request.POST,
        roll_back="roll_back" in request.POST,
    )
    faults = terms.faults()
    faults |= {name: text for name, text in IN_PERCENT.items() if name in known and name in faults}
    faults |= {name: NO_NUMBER for name in WHOLE if known.get(name, 0) % 1}
    faults |= dict.fromkeys(read.keys() - known.keys(), "Give a number")
    if faults:
        raise InvalidInput(errors=[FieldError(f"/{n}", faults[n]) for n in NUMBERS if n in faults])
    return terms


def number(text: str) -> float | None:
    """Return what was typed as a number, ``None`` where it is none."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if -1e9 < value < 1e9 else None

"""Captured predictions of an endpoint, erasing those of one unit, and where revisions disagree."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.queries.disagreements import DisagreementPage
from apps.console.queries.predictions import PredictionFilter, captured_page
from apps.console.views.base import PageRequest, action, page, show
from apps.monitoring.actions import erase_unit
from apps.monitoring.queries import TOLERANCE
from apps.rollouts.api.disagreements import tolerance_of
from apps.rollouts.queries import disagreements as differing
from apps.rollouts.queries import get_rollout
from apps.serving.queries import get_endpoint


@page
def captured(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """List what was captured, what is missing, and what was erased."""
    endpoint = get_endpoint(endpoint_id, request.actor)
    get = request.GET.get
    filters = PredictionFilter(get("revision", ""), get("since", ""), get("until", ""))
    page_object = captured_page(endpoint, request.actor, after=get("after", ""), filters=filters)
    frame = endpoint.project_id
    return show(request, "predictions", frame=frame, endpoint=endpoint, page=page_object)


@action
def erase(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Have everything captured of one unit erased."""
    endpoint = get_endpoint(endpoint_id, request.actor)
    erase_unit(endpoint, unit=request.POST.get("unit", ""), actor=request.actor)
    messages.success(request, "It is being erased. The log says that it was, and not of whom.")
    return redirect("endpoint-predictions", endpoint.pk)


@page
def disagreements(request: PageRequest, rollout_id: str) -> HttpResponse:
    """List where the candidate of a rollout and the stable one disagree."""
    rollout = get_rollout(rollout_id, request.actor)
    tolerance = tolerance_of(request.GET.get("tolerance") or str(TOLERANCE))
    compared = differing(rollout, request.actor, tolerance=tolerance)
    return show(
        request,
        "disagreements",
        frame=rollout.project_id,
        rollout=rollout,
        page=DisagreementPage(compared),
    )

"""Streams of the audit log."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.queries.streams import stream_list_page, stream_page
from apps.console.views import receivers
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.fields import LONG, whole
from apps.integrations.actions import (
    add_stream,
    ask_for_test,
    pause_stream,
    remove_stream,
    resume_stream,
    rewind_stream,
)
from apps.integrations.models import StreamKind, StreamState
from apps.integrations.queries import get_stream
from apps.integrations.rules import StreamTerms
from placet.kernel.problems import Problem


@page
def stream_list(request: PageRequest) -> HttpResponse:
    """List where the log is sent, and how far that is."""
    return streams(request)


def streams(request: PageRequest, fault: str = "") -> HttpResponse:
    """Show the streams; with ``fault`` the form that was refused is filled in as it was."""
    kinds = StreamKind.choices
    return receivers.show_list(request, "streams", stream_list_page, fault, kinds=kinds)


@page
def stream(request: PageRequest, stream_id: str) -> HttpResponse:
    """Show one stream; its status part renews itself."""
    page_object = stream_page(stream_id, request.actor)
    template = "parts/stream_status" if request.headers.get("HX-Request") else "stream"
    return show(request, template, page=page_object, stream=page_object.row.stream)


@action
def new_stream(request: PageRequest) -> HttpResponse:
    """Add a stream; a refusal shows the form again as it was."""
    try:
        row = add_stream(
            name=request.POST.get("name", ""),
            terms=typed(request),
            project=receivers.project_of(request),
            start=0 if request.POST.get("start") == "0" else None,
            actor=request.actor,
        )
    except Problem as problem:
        return streams(request, fault_of(problem))
    if row.state == StreamState.PAUSED:
        messages.success(request, "Added. An auditor has to start it.")
    return redirect("stream", row.pk)


def typed(request: PageRequest) -> StreamTerms:
    """Read the form."""
    sent = {
        n: request.POST.get(n, "") for n in ("kind", "url", "token_file", "ca_file", "cert_file")
    }
    minutes = whole(request, "alert_after_minutes")
    return StreamTerms(**sent, alert_after_seconds=60 * minutes)


VERBS: receivers.Verbs = {
    "pause": (pause_stream, "Paused. What happens meanwhile is sent when it goes on."),
    "resume": (resume_stream, "It goes on within seconds, where it stopped."),
    "test": (ask_for_test, "A test is being sent: what comes of it is listed in a moment."),
}


@action
def operate(request: PageRequest, stream_id: str, stream_verb: str) -> HttpResponse:
    """Pause, resume or test a stream."""
    return receivers.do(request, VERBS, stream_verb, get_stream(stream_id, request.actor))


@action
def rewind(request: PageRequest, stream_id: str) -> HttpResponse:
    """Have everything from an event on sent again."""
    row = get_stream(stream_id, request.actor)
    rewind_stream(row, index=whole(request, "index", digits=LONG), actor=request.actor)
    messages.success(request, "Resending from that event.")
    return back(request)


@action
def remove(request: PageRequest, stream_id: str) -> HttpResponse:
    """Remove the stream as the page showed it."""
    row = get_stream(stream_id, request.actor)
    return receivers.take_away(request, remove_stream, row, "streams")

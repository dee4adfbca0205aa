"""The log: a filterable timeline, one event, and its proof."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect

from apps.audit.errors import Archived
from apps.audit.models import Checkpoint
from apps.audit.queries import events_visible, latest_checkpoint, log_standing
from apps.audit.queries.witnesses import may_see
from apps.console.actions import ask_to_verify
from apps.console.queries.event_page import archived_event_page, event_page
from apps.console.queries.events import EventListPage, event_list_page
from apps.console.queries.log_search import LogForm, LogSearch, reads_a_part, search_of
from apps.console.queries.models import projects_of
from apps.console.queries.page_parts import Link
from apps.console.queries.verification import newest_check
from apps.console.queries.witnesses import log_faults, stamp_rows, witness_rows
from apps.console.views.base import PageRequest, action, page, show
from apps.console.views.fields import LONG, read_whole
from placet.kernel.actor import Actor
from placet.kernel.problems import InvalidInput


@page
def log(request: PageRequest) -> HttpResponse:
    """Show the log, newest first; what cannot be looked for is said in the form."""
    asked, before = search_of(request.GET), read_whole(request.GET.get("before", ""), digits=LONG)
    try:
        wanted = asked.filters(request.actor)
    except InvalidInput as problem:
        return refused_log(request, asked, problem)
    asked = replace(asked, project=wanted.project, environment=wanted.environment)
    page_object = event_list_page(request.actor, filters=wanted, before=before)
    others = {} if asked.is_narrowed else shown_others(request.actor, latest_checkpoint())
    more = {"exported": exported(asked), "faults": others.get("faults", ())}
    return show_log(request, asked, page_object, more)


def refused_log(request: PageRequest, asked: LogSearch, problem: InvalidInput) -> HttpResponse:
    """Answer with the log's page, its form as it was sent and why that finds nothing."""
    events_visible(request.actor)  # refuses who may read none of it
    nothing = EventListPage([], None, log_standing())
    said = {error.pointer.strip("/"): [error.detail] for error in problem.errors}
    answer = show_log(request, asked, nothing, {"refused": said})
    answer.status_code = problem.status
    return answer


def show_log(
    request: PageRequest, asked: LogSearch, page_object: EventListPage, more: dict[str, Any]
) -> HttpResponse:
    """Show events below the form that asked for them."""
    return show(
        request,
        "audit",
        page=page_object,
        partial=reads_a_part(request.actor),
        form=LogForm(asked, projects_of(request.actor), page_object.groups),
        chosen=asked,
        cause=asked.shown_cause(request.actor) if asked.cause else None,
        checked=newest_check(request.actor, page_object.standing),
        **more,
    )


def shown_others(actor: Actor, head: Checkpoint | None) -> dict[str, Any]:
    """Return who saw the log and who stamped it; nobody to who reads a part of it alone."""
    if not may_see(actor):
        return {"witnesses": [], "stamps": [], "faults": []}
    witnesses, stamps = witness_rows(head, actor), stamp_rows(head)
    faults = list(log_faults(witnesses, stamps))
    return {"witnesses": witnesses, "stamps": stamps, "faults": faults}


def exported(asked: LogSearch) -> list[Link]:
    """Return where what the page shows is downloaded, with its filters as the export has them."""
    forms = (("csv", "CSV, for spreadsheets"), ("jsonl", "JSON lines, as they were hashed"))
    return [
        Link(
            text,
            f"/api/v1/audit/export?{urlencode({'format': form} | asked.parameters)}",
            download=True,
        )
        for form, text in forms
    ]


@page
def event(request: PageRequest, index: int) -> HttpResponse:
    """Show one event with what it changed and its proof; of an archived one where it lies."""
    try:
        return show(request, "audit_event", page=event_page(index, request.actor))
    except Archived:
        return show(request, "audit_archived", page=archived_event_page(index, request.actor))


@action
def verify(request: PageRequest) -> HttpResponse:
    """Have the whole log checked now."""
    ask_to_verify(actor=request.actor)
    return redirect("audit-verification")


@page
def verification(request: PageRequest) -> HttpResponse:
    """Show up to where the log is verified, and with what others verify it; lead to the proof of
    the event whose number was typed."""
    standing, signed = log_standing(), latest_checkpoint()
    checked = newest_check(request.actor, standing)
    typed = request.GET.get("event", "").strip()
    index = read_whole(typed, digits=LONG)
    if index is not None and index < standing.size:
        return redirect("audit-event", index)
    return show(
        request,
        "audit_verification",
        signed=signed,
        last=standing.size - 1,
        typed=typed,
        checked=checked,
        **shown_others(request.actor, signed),
    )


@page
def verification_state(request: PageRequest) -> HttpResponse:
    """Show how the newest check stands: the part of the page that renews itself."""
    return show(request, "parts/verification", checked=newest_check(request.actor, log_standing()))

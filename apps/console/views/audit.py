"""The log: a filterable timeline, one event, and its proof."""

from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.dateparse import parse_date

from apps.audit.errors import Archived
from apps.audit.models import Checkpoint
from apps.audit.queries import EventFilter, log_standing
from apps.audit.queries.witnesses import may_see
from apps.console.actions import ask_to_verify
from apps.console.queries.events import archived_event_page, event_list_page, event_page
from apps.console.queries.models import projects_of
from apps.console.queries.page_parts import Link
from apps.console.queries.verification import newest_check
from apps.console.queries.witnesses import log_faults, stamp_rows, witness_rows
from apps.console.views.base import PageRequest, action, page, show
from apps.console.views.fields import LONG, read_whole
from placet.kernel.actor import Actor
from placet.kernel.clock import now


def day_of(text: str) -> date | None:
    """Return the day that ``text`` names as YYYY-MM-DD; ``None`` where there is no such day."""
    try:
        return parse_date(text) if len(text) == 10 else None
    except ValueError:  # 2026-02-30
        return None


def filters_of(request: PageRequest) -> EventFilter:
    """Read the filter form; what is not a date counts as not given."""
    day = day_of(request.GET.get("since", ""))
    return EventFilter(
        kind=request.GET.get("kind", ""),
        actor=request.GET.get("actor", ""),
        subject=request.GET.get("subject", "").strip(),
        project=request.GET.get("project", ""),
        since=datetime.combine(day, datetime.min.time(), tzinfo=now().tzinfo) if day else None,
        by_people=request.GET.get("people") == "1",
    )


@page
def log(request: PageRequest) -> HttpResponse:
    """Show the log, newest first."""
    before = request.GET.get("before", "")
    page_object = event_list_page(
        request.actor,
        filters=filters_of(request),
        before=read_whole(before, digits=LONG),
    )
    query = request.GET.copy()
    query.pop("before", None)
    return show(
        request,
        "audit",
        page=page_object,
        projects=[(p.pk, p.name) for p in projects_of(request.actor)],
        query=query.urlencode(),
        exported=exported(filters_of(request)),
        chosen=request.GET,
        checked=newest_check(request.actor, page_object.standing),
        **shown_others(request.actor, page_object.signed),
    )


def shown_others(actor: Actor, head: Checkpoint | None) -> dict[str, Any]:
    """Return who saw the log and who stamped it; nobody to who reads a part of it alone."""
    if not may_see(actor):
        return {"witnesses": [], "stamps": [], "faults": []}
    witnesses, stamps = witness_rows(head, actor), stamp_rows(head)
    faults = list(log_faults(witnesses, stamps))
    return {"witnesses": witnesses, "stamps": stamps, "faults": faults}


def exported(wanted: EventFilter) -> list[Link]:
    """Return where what the page shows is downloaded, with its filters as the export has them."""
    filters = {
        "kind": wanted.kind,
        "actor": wanted.actor,
        "subject": wanted.subject,
        "project": wanted.project,
        "since": wanted.since.isoformat() if wanted.since else "",
    }
    query = {name: value for name, value in filters.items() if value}
    forms = (("csv", "CSV, for spreadsheets"), ("jsonl", "JSON lines, for the verifier"))
    return [
        Link(text, f"/api/v1/audit/export?{urlencode({'format': form} | query)}", download=True)
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
    return redirect("audit")


@page
def verification(request: PageRequest) -> HttpResponse:
    """Show how the newest check stands: the part of the page that renews itself."""
    return show(request, "parts/verification", checked=newest_check(request.actor, log_standing()))

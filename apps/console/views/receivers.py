"""What the pages of log forwarding and of webhooks share: both have receivers of events."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.views.base import PageRequest, back, show
from apps.console.views.fields import whole
from apps.identity.api.lookups import named_project
from apps.identity.models import Project
from apps.integrations.models import Stream, Webhook
from placet.kernel.problems import NeedsPermission, NotFound

Verbs = Mapping[str, tuple[Callable[..., object], str]]  # what is done, and what is said then


def show_list(
    request: PageRequest, template: str, listed: Callable[..., object], fault: str, **more: Any
) -> HttpResponse:
    """Show the receivers; with ``fault`` the form that was refused is filled in as it was."""
    actor, after = request.actor, request.GET.get("after", "")
    if not actor.can_somewhere("stream.view"):
        raise NeedsPermission(actor, "stream.view", scope=None)
    found = listed(actor, after=after)
    typed = request.POST
    return show(request, template, page=found, after=after, fault=fault, typed=typed, **more)


def project_of(request: PageRequest) -> Project | None:
    """Read whose events a new receiver is to have; ``None``: the whole instance's."""
    return named_project(request.POST.get("project") or None, request.actor)


def do(
    request: PageRequest, verbs: Verbs, verb: str, row: Stream | Webhook, **seen: Any
) -> HttpResponse:
    """Do what the address says with a receiver, and say so."""
    if verb not in verbs:
        raise NotFound
    act, done = verbs[verb]
    act(row, **seen, actor=request.actor)
    messages.success(request, done)
    return back(request)


def take_away(
    request: PageRequest, remove: Callable[..., object], row: Stream | Webhook, others: str
) -> HttpResponse:
    """Remove a receiver as the page showed it, and go to the others."""
    remove(row, if_generation=whole(request, "generation"), actor=request.actor)
    messages.success(request, f"{type(row).__name__} {row.name} removed.")
    return redirect(others)

"""Webhooks and what they were sent."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.console.queries.webhooks import delivery_page, webhook_list_page, webhook_page
from apps.console.views import receivers
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.fields import whole
from apps.integrations.actions import (
    GivenWebhook,
    add_webhook,
    ask_for_webhook_test,
    change_webhook,
    disable_webhook,
    enable_webhook,
    redeliver,
    remove_webhook,
    rotate_webhook,
)
from apps.integrations.chats import STANDARD
from apps.integrations.queries import get_delivery, get_webhook
from apps.integrations.rules import WebhookTerms
from placet.kernel.problems import Problem


@page
def webhook_list(request: PageRequest) -> HttpResponse:
    """List who is told of events."""
    return webhooks(request)


def webhooks(request: PageRequest, fault: str = "") -> HttpResponse:
    """Show the webhooks; with ``fault`` the form that was refused is filled in as it was."""
    chosen = request.POST.getlist("groups")
    return receivers.show_list(request, "webhooks", webhook_list_page, fault, chosen=chosen)


@page
def webhook(request: PageRequest, webhook_id: str) -> HttpResponse:
    """Show one webhook and what it was sent."""
    after = request.GET.get("after", "")
    page_object = webhook_page(webhook_id, request.actor, after=after)
    hook = page_object.row.webhook
    return show(request, "webhook", page=page_object, hook=hook, after=after, chosen=hook.groups)


@page
def delivery(request: PageRequest, webhook_id: str, delivery_id: str) -> HttpResponse:
    """Show one delivery and its attempts."""
    page_object = delivery_page(webhook_id, delivery_id, request.actor)
    row = page_object.line.delivery
    return show(request, "webhook_delivery", page=page_object, delivery=row, hook=row.webhook)


@action
def new_webhook(request: PageRequest) -> HttpResponse:
    """Add a webhook and show its secret once; a refusal shows the form again as it was."""
    groups, service = tuple(request.POST.getlist("groups")), request.POST.get("service") or STANDARD
    terms = WebhookTerms(request.POST.get("url", ""), groups, service)
    try:
        given = add_webhook(
            name=request.POST.get("name", ""),
            terms=terms,
            project=receivers.project_of(request),
            actor=request.actor,
        )
    except Problem as problem:
        return webhooks(request, fault_of(problem))
    return shown_once(request, given)


def shown_once(request: PageRequest, given: GivenWebhook) -> HttpResponse:
    """Show the secret of a webhook, or the page of one that has none."""
    name, address = given.webhook.name, reverse("webhook", args=[given.webhook.pk])
    if not given.secret:
        messages.success(request, f"Webhook {name} added. Send a test to see it arrive.")
        return redirect(address)
    title = f"Secret of webhook {name}"
    return show(request, "secret", title=title, secret=given.secret, next=address, kind="webhook")


VERBS: receivers.Verbs = {
    "enable": (enable_webhook, "Enabled. It is told of events from now on."),
    "disable": (disable_webhook, "Disabled. It is told of nothing more."),
    "test": (ask_for_webhook_test, "A test is being sent: what comes of it is listed below."),
}


@action
def operate(request: PageRequest, webhook_id: str, webhook_verb: str) -> HttpResponse:
    """Enable a webhook as the page showed it, disable or test it."""
    seen = {"if_generation": whole(request, "generation")} if webhook_verb == "enable" else {}
    row = get_webhook(webhook_id, request.actor)
    return receivers.do(request, VERBS, webhook_verb, row, **seen)


@action
def rotate(request: PageRequest, webhook_id: str) -> HttpResponse:
    """Give a webhook another secret, and show it once."""
    hook = get_webhook(webhook_id, request.actor)
    return shown_once(request, rotate_webhook(hook, actor=request.actor))


@action
def change(request: PageRequest, webhook_id: str) -> HttpResponse:
    """Give the webhook, as the page showed it, other kinds of events, and an address if one was
    typed."""
    changed = change_webhook(
        get_webhook(webhook_id, request.actor),
        url=request.POST.get("url") or None,
        groups=tuple(request.POST.getlist("groups")),
        if_generation=whole(request, "generation"),
        actor=request.actor,
    )
    messages.success(request, f"Webhook {changed.name} changed.")
    return back(request)


@action
def remove(request: PageRequest, webhook_id: str) -> HttpResponse:
    """Remove the webhook as the page showed it."""
    row = get_webhook(webhook_id, request.actor)
    return receivers.take_away(request, remove_webhook, row, "webhooks")


@action
def send_again(request: PageRequest, webhook_id: str, delivery_id: str) -> HttpResponse:
    """Send a delivery once more."""
    redeliver(get_delivery(webhook_id, delivery_id, request.actor), actor=request.actor)
    messages.success(request, "It is sent within seconds.")
    return back(request)

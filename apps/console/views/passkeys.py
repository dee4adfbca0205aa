"""Passkeys that people sign decisions with: offering, vouching, withdrawing."""

from django.contrib import messages
from django.http import HttpResponse

from apps.console.queries.passkeys import passkey_list_page
from apps.console.views.base import PageRequest, action, assertion_of, back, page, show
from apps.console.views.fields import whole
from apps.identity import actions
from apps.identity.models import ApproverPasskey
from apps.identity.queries import visible_passkeys
from placet.kernel.problems import NotFound


@page
def passkeys(request: PageRequest) -> HttpResponse:
    """Show one's own passkeys, those that wait for somebody to vouch, and everybody's."""
    return show(request, "passkeys", page=passkey_list_page(request.actor))


@action
def offer(request: PageRequest) -> HttpResponse:
    """Offer a passkey that one signs in with."""
    actions.offer_passkey(
        whole(request, "authenticator", detail="Choose one of your passkeys"),
        name=request.POST.get("name", ""),
        assertion=assertion_of(request) or {},
        actor=request.actor,
    )
    messages.success(request, "Registered. Ask another approver to confirm it.")
    return back(request)


@action
def enrol(request: PageRequest, passkey_id: str) -> HttpResponse:
    """Vouch for somebody's passkey."""
    row = one(request, passkey_id)
    actions.enrol_passkey(row, assertion=assertion_of(request) or {}, actor=request.actor)
    messages.success(request, f"You confirmed the passkey of {row.person.public_name}.")
    return back(request)


@action
def withdraw(request: PageRequest, passkey_id: str) -> HttpResponse:
    """Have a passkey sign nothing any more."""
    actions.withdraw_passkey(one(request, passkey_id), actor=request.actor)
    messages.success(request, "Revoked. It can no longer sign.")
    return back(request)


def one(request: PageRequest, passkey_id: str) -> ApproverPasskey:
    """Return a passkey that the reader sees."""
    row = visible_passkeys(request.actor).filter(pk=passkey_id).first()
    if row is None:
        raise NotFound
    return row

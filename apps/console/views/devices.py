"""The page where a person lets a command line have a token (RFC 8628)."""

from datetime import timedelta

from django.http import HttpResponse

from apps.console.views.base import PageRequest, action, fault_of, page, show
from apps.console.views.tokens import form_of, terms_of
from apps.identity.actions import confirm_device_login, deny_device_login, find_device_login
from apps.identity.errors import CodeAnswered
from apps.identity.models import DeviceLogin, DeviceLoginState
from apps.identity.rules.devices import LIFETIME, MAX_GUESSES, read_user_code, shown_code
from placet.kernel.problems import Problem

MINUTES = LIFETIME // timedelta(minutes=1)


@page
def device(request: PageRequest) -> HttpResponse:
    """Ask for the code; with one show who asks for a token, and what it is to be let do."""
    typed = request.GET.get("code", "")
    return device_login(request, typed) if typed else code_form(request)


def code_form(request: PageRequest, **typed: str) -> HttpResponse:
    """Ask for the code, and say how often one may be wrong."""
    return show(request, "device", most=MAX_GUESSES, minutes=MINUTES, **typed)


def device_login(request: PageRequest, typed: str, fault: str = "") -> HttpResponse:
    """Show the login that waits with this code; ``fault`` says why it was not confirmed."""
    try:
        login = find_device_login(typed, actor=request.actor)
        if login.state != DeviceLoginState.PENDING:
            return answered(request, login, typed)
    except Problem as problem:
        return code_form(request, typed=typed, fault=fault_of(problem))
    code = shown_code(read_user_code(typed) or "")
    return show(
        request,
        "device",
        login=login,
        code=code,
        minutes=MINUTES,
        here=f"/device/?code={code}",
        form=form_of(request),
        name=request.POST.get("name", login.client),
        typed=request.POST,
        fault=fault,
    )


def answered(request: PageRequest, login: DeviceLogin, typed: str) -> HttpResponse:
    """Tell the person who answered what became of it; nobody else."""
    if login.person_id != request.actor.id:
        raise CodeAnswered
    code = shown_code(read_user_code(typed) or "")
    return show(request, "device_answered", login=login, code=code)


@action
def confirm(request: PageRequest) -> HttpResponse:
    """Let the command line have a token; a refusal shows the form again as it was."""
    code = request.POST.get("code", "")
    try:
        login = confirm_device_login(code, terms=terms_of(request), actor=request.actor)
    except Problem as problem:
        return device_login(request, code, fault_of(problem))
    return answered(request, login, code)


@action
def deny(request: PageRequest) -> HttpResponse:
    """Refuse the command line a token, or take back that it may have one."""
    code = request.POST.get("code", "")
    return answered(request, deny_device_login(code, actor=request.actor), code)

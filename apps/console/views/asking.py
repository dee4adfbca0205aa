"""Asks before a role is taken away, before something stands still without a person, and before a
change of access that leaves nobody who could approve, or request."""

from collections.abc import Callable

from django.http import HttpResponse

from apps.console.addresses import page_of
from apps.console.queries.members import holder_name
from apps.console.queries.removed_roles import (
    after_it,
    what_deactivating_does,
    what_removing_does,
)
from apps.console.views.base import PageRequest, show
from apps.governance.queries.lockouts import Lockouts
from apps.identity.models import RoleBinding, User
from apps.identity.queries import Scoped, scope_of

SURE = "sure"


def ask_before_removing(request: PageRequest, row: RoleBinding) -> HttpResponse | None:
    """Return the page that says what follows of taking a role away, and asks whether to; ``None``
    where :func:`is_to_ask` says that nothing is to be asked."""
    if not is_to_ask(request, row):
        return None
    title = f"Remove {row.role} from {holder_name(row)}?"
    return _asked(request, title, "Remove", what_removing_does(row, request.actor))


def ask_before_deactivating(request: PageRequest, person: User) -> HttpResponse | None:
    """Return the page that says what stands still without a person, and asks whether to deactivate
    them all the same; ``None`` where nothing does, or nothing is to be asked."""
    said = what_deactivating_does(person, request.actor) if is_to_ask(request, None) else ""
    title, submit = f"Deactivate {person}?", "Deactivate all the same"
    return _asked(request, title, submit, said) if said else None


def ask_first(
    request: PageRequest,
    lockouts: Callable[[], Lockouts],
    *,
    at: Scoped | None = None,
    title: str,
    submit: str,
    until: str = "",
) -> HttpResponse | None:
    """Return the page that says where nobody could approve or request after what was sent, and asks
    whether to do it all the same; ``None`` where somebody could, or nothing is to be asked."""
    found = lockouts() if is_to_ask(request, at) else None
    return _asked(request, title, submit, f"{after_it(found)}{until}.") if found else None


def is_to_ask(request: PageRequest, at: Scoped | None) -> bool:
    """Tell whether the answer was not sent along, by who may manage access ``at`` the row: others
    are asked nothing, they are refused."""
    return not request.POST.get(SURE) and request.actor.can("access.manage", scope_of(at))


def _asked(request: PageRequest, title: str, submit: str, said: str) -> HttpResponse:
    here = page_of(request)
    return show(
        request, "sure", title=title, submit=submit, said=said, action=request.path, here=here
    )

"""Asks once more before a change of access that leaves nobody who could approve, or request."""

from collections.abc import Callable, Iterator

from django.http import HttpResponse

from apps.console.addresses import page_of
from apps.console.queries.members import subject_of
from apps.console.queries.page_parts import in_a_row
from apps.console.views.base import PageRequest, show
from apps.governance.queries.lockouts import Lockouts, after_removing_role
from apps.identity.models import RoleBinding
from apps.identity.queries import Scoped, scope_of

SURE = "sure"


def ask_before_removing(request: PageRequest, row: RoleBinding) -> HttpResponse | None:
    """Return :func:`ask_first` for taking a role away."""
    return ask_first(
        request,
        lambda: after_removing_role(row),
        at=row,
        title=f"Remove {row.role} from {subject_of(row)}?",
        submit="Remove all the same",
    )


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
    whether to do it all the same; ``None`` where nothing is to be asked, or the answer was sent
    along. Who may not manage access ``at`` the row is asked nothing: they are refused."""
    if request.POST.get(SURE) or not request.actor.can("access.manage", scope_of(at)):
        return None
    found = lockouts()
    if not found:
        return None
    said = f"After this {', and '.join(_lost(found))}{until}."
    back_to = page_of(request)
    return show(
        request, "sure", title=title, submit=submit, said=said, action=request.path, here=back_to
    )


def _lost(found: Lockouts) -> Iterator[str]:
    lost = (
        ("no new request can be approved in", found.approving, " under the policy in force"),
        ("nobody can request a release in", found.requesting, ""),
    )
    for what, places, then in lost:
        if places:
            named = in_a_row([f"{one.project.name} / {one.name}" for one in places])
            yield f"{what} {named}{then}"

"""What lists share: how they are sorted, the views that people save of them, acting on many."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from apps.console.addresses import name_of, page_above
from apps.console.queries.page_parts import counted
from apps.console.queries.saved_views import asked_of, saved_views
from apps.console.queries.sorting import Sorting
from apps.console.views.base import PageRequest, action, back, show
from apps.identity.actions import delete_view, save_view
from apps.identity.errors import Reauthenticate
from placet.kernel.problems import InvalidInput, Problem

T = TypeVar("T")
MOST = 100  # that one form acts on
LISTED = 20  # so many refusals are told one by one


def show_list(
    request: PageRequest, template: str, /, *, sorting: Sorting, **context: Any
) -> HttpResponse:
    """Show a list with how it is sorted, and the views that its reader saved of it.

    Its forms come back to what is shown now, filtered and sorted; one that was refused shows the
    list in the page above its own address.
    """
    above = page_above(request.path)
    context |= {
        "here": request.get_full_path() if request.method == "GET" else above,
        "saved": saved_views(name_of(above), request.GET, request.actor),
        "after": request.GET.get("after", ""),
    }
    return show(request, template, sorting=sorting, **context)


def act_on_each(
    request: PageRequest,
    find: Callable[[str], T],
    act: Callable[[T], object],
    *,
    one: str,
    done: str,
    called: Callable[[T], str] = str,
) -> HttpResponse:
    """Do to each thing that a form chose what is done to one, each in a transaction of its own,
    and tell of how many it was ``done``, and of each other why not.

    ``one`` is what such a thing is, and ``called`` says its name. The refusal of a single one is
    the answer, as is that its reader must first show who they are: what was done before stays.
    """
    chosen, count, refused = _chosen(request, one), 0, list[tuple[str, str]]()
    try:
        for key in chosen:
            name = one
            try:
                row = find(key)
                name = called(row)
                act(row)
                count += 1
            except Problem as problem:
                if len(chosen) == 1 or isinstance(problem, Reauthenticate):
                    raise
                refused.append((name, problem.detail))
    finally:
        if count:
            messages.success(request, f"{counted(count, one)} {done}.")
        if refused:
            messages.error(request, _told(refused, one, done))
    return back(request)


def _chosen(request: PageRequest, one: str) -> list[str]:
    chosen = list(dict.fromkeys(request.POST.getlist("chosen")))
    if not chosen:
        raise InvalidInput(f"Select at least one {one} first")
    if len(chosen) > MOST:
        raise InvalidInput(f"Select at most {counted(MOST, one)} at a time")
    return chosen


def _told(refused: list[tuple[str, str]], one: str, done: str) -> SafeString:
    lines, more = refused[:LISTED], len(refused) - LISTED
    lines += [("others", f"{more} more")] if more > 0 else []
    return format_html(
        '<div>{} not {}:</div><ul class="m-0">{}</ul>',
        counted(len(refused), one),
        done,
        format_html_join("", "<li>{}: {}</li>", lines),
    )


@action
def save(request: PageRequest) -> HttpResponse:
    """Save how its reader looks at a list, and go there."""
    list_name = request.POST.get("list", "")
    asked = asked_of(list_name, request.POST)
    row = save_view(list_name, name=request.POST.get("name", ""), asked=asked, actor=request.actor)
    messages.success(request, f"The view {row.name} is saved.")
    return redirect(f"{reverse(list_name)}?{urlencode(asked)}")


@action
def delete(request: PageRequest, view_id: str) -> HttpResponse:
    """Delete a view of one's own; it is gone as well when it was before."""
    delete_view(view_id, actor=request.actor)
    return back(request)

"""Out of office: until when one is away, and who stands in."""

from datetime import UTC, datetime, timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.views.base import PageRequest, action, page, show
from apps.governance.actions import clear_absence, set_absence
from apps.governance.queries.absences import own_absence
from placet.kernel.problems import FieldError, InvalidInput


@page
def absence(request: PageRequest) -> HttpResponse:
    """Show when one is away, who stands in, and who else can."""
    return show(request, "absence", own=own_absence(request.actor))


@action
def go_away(request: PageRequest) -> HttpResponse:
    """Say until when one is away, and who stands in."""
    back = _day(request, "ends_at", plus=timedelta(days=1))
    if back is None:
        raise InvalidInput(errors=[FieldError("/ends_at", "Give the last day")])
    set_absence(
        deputy=request.POST.get("deputy", ""),
        starts_at=_day(request, "starts_at"),
        ends_at=back,
        actor=request.actor,
    )
    messages.success(
        request, "Saved. Meanwhile reviews you are asked for are shown to your deputy too."
    )
    return redirect("absence")


@action
def come_back(request: PageRequest) -> HttpResponse:
    """Say that one is back."""
    clear_absence(actor=request.actor)
    messages.success(request, "You are back: nobody stands in for you.")
    return redirect("absence")


def _day(request: PageRequest, name: str, plus: timedelta = timedelta()) -> datetime | None:
    """Return the beginning of a day, UTC, ``plus`` so much; ``None`` where none was typed."""
    text = request.POST.get(name, "").strip()
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + plus
    except (ValueError, OverflowError):
        raise InvalidInput(errors=[FieldError(f"/{name}", "A day, as 2027-12-31")]) from None

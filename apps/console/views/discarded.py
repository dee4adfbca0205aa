"""What is answered for a draft that somebody discarded meanwhile: that it was, and its model."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.queries.models import model_of, was_discarded
from apps.console.views.base import PageRequest
from placet.kernel.problems import NotFound

DraftView = Callable[..., HttpResponse]


def leads_on(number: str = "draft_number") -> Callable[[DraftView], DraftView]:
    """Have a view of a version, which has its ``number`` in its address by that name, lead to the
    model and say so where that was a draft which is discarded."""

    def led(view: DraftView) -> DraftView:
        @wraps(view)
        def found(request: PageRequest, **named: Any) -> HttpResponse:
            try:
                return view(request, **named)
            except NotFound:
                model = model_of(named["project"], named["name"], request.actor)
                if not was_discarded(model, named[number]):
                    raise
                gone = f"There is no {model.name}:{named[number]}: it was discarded."
                messages.warning(request, gone)
                return redirect("model", named["project"], named["name"])

        return found

    return led

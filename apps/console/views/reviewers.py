"""Asking people by name to review a release, and taking that back."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.views.base import PageRequest, action
from apps.console.views.fields import whole_or_none
from apps.governance.actions import Reviewers, remove_review_request, request_review
from apps.governance.queries.review_requests import review_request
from apps.governance.queries.visible_rows import release
from placet.kernel.problems import NotFound

DAYS = "Give a whole number of days, or leave it empty"


def reviewers_of(request: PageRequest) -> Reviewers | None:
    """Read whom a form asks by name, and until when; ``None`` for nobody."""
    people = request.POST.getlist("reviewers")
    days = whole_or_none(request, "review_days", detail=DAYS)
    return Reviewers(people, days) if people or days else None


@action
def ask_reviewers(request: PageRequest, release_id: str) -> HttpResponse:
    """Ask people by name to review a release, or ask somebody again."""
    row = release(release_id, request.actor)
    asked = reviewers_of(request) or Reviewers([])
    request_review(row, reviewers=asked.people, review_days=asked.days, actor=request.actor)
    messages.success(request, "Review requested.")
    return redirect("release", release_id)


@action
def remove_reviewer(request: PageRequest, release_id: str, review: str) -> HttpResponse:
    """Take back that somebody was asked by name."""
    row = review_request(review, request.actor)
    if row.release_id != release_id:
        raise NotFound
    remove_review_request(row, actor=request.actor)
    messages.success(request, "Removed from the reviewers.")
    return redirect("release", release_id)

"""One search over everything."""

from itertools import groupby

from django.http import HttpResponse

from apps.console.queries.page_parts import without_role
from apps.console.queries.search import REASONS, search
from apps.console.queries.search_terms import LONGEST
from apps.console.templatetags.placet import sees_a_part
from apps.console.views.base import PageRequest, page, show

TITLES = {
    "model": "Models",
    "version": "Versions",
    "release": "Releases",
    "endpoint": "Endpoints",
    "project": "Projects",
    "target": "Nodes",
    "environment": "Environments",
    "person": "People",
    "team": "Teams",
    "recall": "Recalls",
    "build": "Builds",
    "policy": "Policies",
    "guide": "Docs",
}


@page
def find(request: PageRequest) -> HttpResponse:
    """Show what the search found, each kind in a table of its own."""
    text = request.GET.get("q", "").strip()[:LONGEST]
    hits = search(text, request.actor)
    groups = [(TITLES[kind], list(rows)) for kind, rows in groupby(hits, lambda h: h.kind)]
    partial = sees_a_part(request.actor, "model.view")
    nothing = "Search models, releases, endpoints and people"
    if text:
        nothing = "No matches that you may see" if partial else "No matches"
    return show(
        request,
        "search",
        text=text,
        groups=groups,
        count=len(hits),
        nothing=nothing,
        partial=partial,
        why=without_role(request.actor),
        reasons=REASONS,
    )

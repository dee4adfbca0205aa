"""One search over everything."""

from itertools import groupby

from django.http import HttpResponse

from apps.console.queries.search import REASONS, search
from apps.console.queries.search_terms import LONGEST
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
    nothing = "No matches" if text else "Search models, releases, endpoints and people"
    return show(
        request,
        "search",
        text=text,
        groups=groups,
        count=len(hits),
        nothing=nothing,
        reasons=REASONS,
    )

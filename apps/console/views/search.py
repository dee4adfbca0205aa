"""One search over everything."""

from itertools import groupby

from django.http import HttpResponse

from apps.console.queries.search import LONGEST, search
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
    "guide": "Docs",
}


@page
def find(request: PageRequest) -> HttpResponse:
    """Show what the search found, each kind in a table of its own."""
    text = request.GET.get("q", "").strip()[:LONGEST]
    hits = search(text, request.actor)
    groups = [(TITLES[kind], list(rows)) for kind, rows in groupby(hits, lambda h: h.kind)]
    nothing = "Nothing that you may see matches" if text else "What are you looking for?"
    return show(request, "search", text=text, groups=groups, count=len(hits), nothing=nothing)

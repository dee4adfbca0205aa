"""The guides: for everybody, since who is not let in yet may need them to get in."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.console import built_files


@require_safe
def guide(request: HttpRequest, name: str = "") -> HttpResponseBase:
    """Answer with a page of the guides, or with what it shows or needs."""
    if not (built_files.GUIDES / "index.html").is_file():
        return render(request, "console/no_guides.html", status=404)
    if not name or name.endswith("/"):
        name += "index.html"
    return built_files.answer(request, name, built_files.content(built_files.GUIDES, name))

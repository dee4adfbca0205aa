"""What every page shows around its content."""

from typing import Any

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the actor for the page's frame."""
    return {"actor": getattr(request, "actor", None)}

"""What the query strings of the log's routes hold."""

from datetime import UTC, datetime

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from apps.audit.queries import EventFilter
from placet.kernel.problems import FieldError, InvalidInput

FILTERS = ("kind", "actor", "subject", "project", "environment", "since", "until")
FILTER_PARAMETERS = [
    OpenApiParameter("kind", description="A kind, or its beginning up to a dot: release.requested"),
    OpenApiParameter("actor", description="The id of who did it"),
    OpenApiParameter("subject", description="The id of an object that the event is about"),
    OpenApiParameter("project", description="A project id"),
    OpenApiParameter("environment", description="An environment's name"),
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="From this time on"),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="Before this time"),
]


def filters(request: Request) -> EventFilter:
    """Return the filters of the query string; raise 400 for a time that is none."""
    text = {name: request.query_params.get(name, "") for name in FILTERS}
    for name, value in text.items():
        if "\x00" in value:
            raise InvalidInput(errors=[FieldError(name, "It holds a NUL character")])
    return EventFilter(
        kind=text["kind"],
        actor=text["actor"],
        subject=text["subject"],
        project=text["project"],
        environment=text["environment"],
        since=_time(text, "since"),
        until=_time(text, "until"),
    )


def _time(text: dict[str, str], name: str) -> datetime | None:
    if not text[name]:
        return None
    try:
        found = datetime.fromisoformat(text[name])
        if found.tzinfo is not None:
            found.astimezone(UTC)  # a time at the ends of the calendar may have none in UTC
    except (ValueError, OverflowError):
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInput(
            errors=[FieldError(name, "A time like 2026-11-25T09:58:00Z, with its offset")]
        )
    return found


def number(request: Request, name: str, default: int | None = None) -> int:
    """Return a whole number of the query string."""
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput(errors=[FieldError(name, "A whole number")])
    return int(text)

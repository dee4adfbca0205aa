"""RFC 3339 instants in UTC, as every signed document writes them."""

import re
from datetime import UTC, datetime

from placet_verify.errors import Malformed

_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)


def rfc3339(value: datetime) -> str:
    """Return ``value`` in UTC with microseconds, e.g. ``2026-11-25T09:58:00.000000Z``."""
    if value.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse(text: object) -> datetime:
    """Return the instant written by :func:`rfc3339`; raise ``Malformed`` for anything else."""
    if not isinstance(text, str) or not _FORM.fullmatch(text):
        raise Malformed(f"{text!r} is not a time of the form 2026-11-25T09:58:00Z")
    try:
        return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
    except ValueError:
        raise Malformed(f"{text!r} is not a real date and time") from None

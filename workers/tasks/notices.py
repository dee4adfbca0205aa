"""Mail to people: of what happened, and of tokens that expire."""

from typing import Any

from apps.jobs.handlers import LAST, LeasedJob, every, handler
from apps.notices import queries, telling


@every(seconds=5, name="notices.spread", when=queries.anything_to_do)
def spread(job: LeasedJob) -> dict[str, Any] | None:
    """Write down who is to be told of what is new, and have sent what is due."""
    return {**telling.spread(job)}


@handler("notices.send", queue="control", max_attempts=3, rank=LAST)
def send(job: LeasedJob) -> dict[str, Any] | None:
    """Send the mails that are due."""
    return {**telling.send(job)}


@every(seconds=3600, name="notices.look_after", queue="control")
def look_after(job: LeasedJob) -> dict[str, Any] | None:
    """Tell whose tokens expire soon, and forget old notices."""
    return {**telling.look_after(job)}

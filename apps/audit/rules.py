"""What is said about a log that does not continue what others saw, or not in time. Pure."""

from datetime import datetime, timedelta

LEEWAY = timedelta(minutes=1)  # by which two clocks may differ that are both right
MOST_ACCURACY = timedelta(minutes=10)  # of a stamp: who knows no better says nothing


def gap(who: str, seen: int, size: int, at: datetime | None = None) -> str:
    """Say which events are missing, by index, of a log that has only ``size`` of those ``seen``.

    ``who`` is a subject and its verb: "Witness w saw".
    """
    when = f" at {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
    first, last = f"{size:,}", f"{seen - 1:,}"
    missing = (
        f"event {last} is missing"
        if first == last
        else f"events {first} to {last} ({seen - size:,} of them) are missing"
    )
    return (
        f"{who} {seen:,} events{when}; this database has {size:,}: {missing}."
        " It is an older copy, or its end was cut off"
    )


def fork(who: str, seen: int, at: datetime | None = None) -> str:
    """Say that the first ``seen`` events are not those that ``who`` saw (``at``)."""
    when = f" at {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
    return (
        f"{who} saw another history{when}: the first {seen:,} events of this database are not"
        " those that it was shown. It is an older copy that went on, a log that was rewritten, or"
        " two servers sign with one key"
    )


def contradiction(
    who: str, at: datetime, accuracy: timedelta, begin: datetime, end: datetime | None = None
) -> str:
    """Say that a stamp's time is not between ``begin`` and ``end`` by our clock; '' if it is.

    ``begin`` is when the newest of the stamped events was written, by what the log says.
    """
    slack = LEEWAY + min(accuracy, MOST_ACCURACY)
    if at < begin - slack:
        return (
            f"{who} stamped at {_exact(at)} a checkpoint that covers events of {_exact(begin)}:"
            " its clock is slow, or ours was fast when they were written"
        )
    if end is not None and at > end + slack:
        return (
            f"{who} says that it was {_exact(at)} when it was {_exact(end)} here: its clock is"
            " fast, or ours is slow"
        )
    return ""


def late(who: str, waiting: int, since: datetime, last: datetime | None, error: str) -> str:
    """Say that ``waiting`` events have been without a stamp ``since`` then."""
    stamped = f"stamped nothing since {_exact(last)}" if last else "has stamped nothing yet"
    why = f". The last answer: {error}" if error else ""
    return f"{who} {stamped}: {waiting:,} events have waited since {_exact(since)}{why}"


def _exact(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"

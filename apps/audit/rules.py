"""What is said about a log that does not continue what others saw. Pure."""

from datetime import datetime


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

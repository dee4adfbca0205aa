"""The kinds of targets, one folder each."""

from apps.serving.drivers.base import Driver
from apps.serving.models import Target

_drivers: dict[str, Driver] = {}


def register(kind: str, driver: Driver) -> None:
    """Make ``driver`` the one for targets of ``kind``."""
    _drivers[kind] = driver


def unregister(kind: str) -> None:
    """Forget the driver of ``kind``."""
    _drivers.pop(kind, None)


def kinds() -> list[str]:
    """Return the kinds of targets that can be made."""
    return sorted(_drivers)


def driver_for(target: Target) -> Driver:
    """Return the driver of ``target``; raise ``LookupError`` for a kind that is not installed."""
    try:
        return _drivers[target.driver]
    except KeyError:
        raise LookupError(f"no driver {target.driver!r} is installed") from None

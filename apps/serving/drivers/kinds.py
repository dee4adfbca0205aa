"""The kinds of targets that can be made, and the driver of each."""

from apps.serving.drivers.base import Driver
from apps.serving.drivers.node import NodeDriver
from apps.serving.models import Target

DRIVERS: dict[str, Driver] = {"node": NodeDriver()}


def driver_for(target: Target) -> Driver:
    """Return the driver of ``target``; raise ``LookupError`` for a kind that is not installed."""
    try:
        return DRIVERS[target.driver]
    except KeyError:
        raise LookupError(f"no driver {target.driver!r} is installed") from None

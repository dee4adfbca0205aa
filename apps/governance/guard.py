"""The guard of a plan: when a node takes the requests back from the new revision by itself.

::

    {"guard": {
        "consecutive_failures": 10,
        "error_rate": {"at_most": 0.25, "window_seconds": 60, "minimum_requests": 50},
        "latency": {"quantile": 0.95, "at_most_ms": 2000,
                    "window_seconds": 60, "minimum_requests": 50}}}

Each rule is optional. They are a brake for what is plainly broken, with fixed bounds, and work
without the platform; small differences to stable are for an analysis to find.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from apps.governance.analyses import Faults, share, whole
from placet_protocol.guard import (
    AT_MOST_MS,
    ERROR_SHARE,
    FAILURES,
    MINIMUM_REQUESTS,
    QUANTILE,
    WINDOW_SECONDS,
    GuardEntry,
)

# What a canary has unless its plan says otherwise. No latency: there is no bound for every model.
CAREFUL: GuardEntry = {
    "consecutive_failures": 10,
    "error_rate": {"at_most": 0.25, "window_seconds": 60, "minimum_requests": 50},
}
_DEFAULTS = {"window_seconds": 60, "minimum_requests": 50}
_WINDOW = {
    "window_seconds": partial(whole, low=WINDOW_SECONDS[0], high=WINDOW_SECONDS[1]),
    "minimum_requests": partial(whole, low=MINIMUM_REQUESTS[0], high=MINIMUM_REQUESTS[1]),
}
_RULES = {
    "error_rate": {"at_most": partial(share, low=ERROR_SHARE[0], high=ERROR_SHARE[1]), **_WINDOW},
    "latency": {
        "quantile": partial(share, low=QUANTILE[0], high=QUANTILE[1]),
        "at_most_ms": partial(whole, low=AT_MOST_MS[0], high=AT_MOST_MS[1]),
        **_WINDOW,
    },
}


def guard(at: str, value: Any, faults: Faults) -> GuardEntry:
    """Return a whole guard; what is not given takes its default, what is wrong goes to
    ``faults``."""
    if not isinstance(value, dict):
        faults.append((at, 'must be rules: {"consecutive_failures": 10}, or {} for none'))
        return {}
    document: dict[str, Any] = {}
    for name, given in value.items():
        if name == "consecutive_failures":
            whole(f"{at}/{name}", given, *FAILURES, faults)
            document[name] = given
        elif name in _RULES:
            document[name] = _rule(f"{at}/{name}", given, _RULES[name], faults)
        else:
            known = ", ".join(("consecutive_failures", *_RULES))
            faults.append((f"{at}/{str(name)[:64]}", f"must be one of: {known}"))
    return cast(GuardEntry, document)


def _rule(
    at: str, given: Any, members: Mapping[str, Callable[..., None]], faults: Faults
) -> dict[str, Any]:
    if not isinstance(given, dict):
        faults.append((at, f"must have {', '.join(members)}"))
        return {}
    document = {**_DEFAULTS, **given}
    faults += [(f"{at}/{str(name)[:64]}", "is not known") for name in given if name not in members]
    for name, check in members.items():
        check(f"{at}/{name}", document.get(name), faults=faults)
    return document

"""Lets apps that stand above take part: they know environments, this app does not.

They may refuse a new endpoint, and say what a node does when its signed state has run out.
"""

from collections.abc import Callable

from apps.serving.models import Endpoint, Target

Guard = Callable[[Endpoint], None]
StopsWhenExpired = Callable[[Target], bool]
_guards: list[Guard] = []
_expiry: list[StopsWhenExpired] = []


def register(guard: Guard) -> None:
    """Have ``guard`` called with every new endpoint before it is saved; it refuses by raising."""
    if guard not in _guards:
        _guards.append(guard)


def check(endpoint: Endpoint) -> None:
    """Ask every guard."""
    for guard in _guards:
        guard(endpoint)


def on_expired(rule: StopsWhenExpired) -> None:
    """Have ``rule`` asked whether the node of a target stops past the end of its state."""
    if rule not in _expiry:
        _expiry.append(rule)


def stops_when_expired(target: Target) -> bool:
    """Tell whether the target itself, or anything that serves on it, asks for a stop."""
    return target.on_expired == "stop" or any(rule(target) for rule in _expiry)

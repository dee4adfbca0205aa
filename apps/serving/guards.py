"""Lets apps that stand above refuse a new endpoint: they know environments, this app does not."""

from collections.abc import Callable

from apps.serving.models import Endpoint

Guard = Callable[[Endpoint], None]
_guards: list[Guard] = []


def register(guard: Guard) -> None:
    """Have ``guard`` called with every new endpoint before it is saved; it refuses by raising."""
    if guard not in _guards:
        _guards.append(guard)


def check(endpoint: Endpoint) -> None:
    """Ask every guard."""
    for guard in _guards:
        guard(endpoint)

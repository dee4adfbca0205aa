"""Lets apps that stand above take part: they know environments, this app does not.

They may refuse a new endpoint, say why one is still needed, and what follows when it is started
again or deleted, and what a node does when its signed state has run out.
"""

from collections.abc import Callable

from apps.serving.models import Endpoint, Target
from placet.kernel.actor import Actor

Guard = Callable[[Endpoint], None]
Need = Callable[[Endpoint], str]
Told = Callable[[Endpoint, Actor], None]
StopsWhenExpired = Callable[[Target], bool]
_guards: list[Guard] = []
_needs: list[Need] = []
_deleted: list[Told] = []
_started: list[Told] = []
_expiry: list[StopsWhenExpired] = []


def register(guard: Guard) -> None:
    """Have ``guard`` called with every new endpoint before it is saved; it refuses by raising."""
    if guard not in _guards:
        _guards.append(guard)


def check(endpoint: Endpoint) -> None:
    """Ask every guard."""
    for guard in _guards:
        guard(endpoint)


def on_delete(need: Need, deleted: Told) -> None:
    """Have ``need`` say why an endpoint must stay ('' when nothing does), and ``deleted`` called
    when it goes. Both are called in the transaction that deletes it, which holds its row."""
    if need not in _needs:
        _needs.append(need)
        _deleted.append(deleted)


def needs(endpoint: Endpoint) -> list[str]:
    """Return why ``endpoint`` cannot be deleted, a sentence for each reason."""
    return [why for need in _needs if (why := need(endpoint))]


def tell_deleted(endpoint: Endpoint, actor: Actor) -> None:
    """Tell every app above that ``endpoint`` goes."""
    for deleted in _deleted:
        deleted(endpoint, actor)


def on_start(started: Told) -> None:
    """Have ``started`` called when an endpoint that was stopped is started, in the transaction that
    does it, which holds its row."""
    if started not in _started:
        _started.append(started)


def tell_started(endpoint: Endpoint, actor: Actor) -> None:
    """Tell every app above that ``endpoint`` serves again."""
    for started in _started:
        started(endpoint, actor)


def on_expired(rule: StopsWhenExpired) -> None:
    """Have ``rule`` asked whether the node of a target stops past the end of its state."""
    if rule not in _expiry:
        _expiry.append(rule)


def stops_when_expired(target: Target) -> bool:
    """Tell whether the target itself, or anything that serves on it, asks for a stop."""
    return target.on_expired == "stop" or any(rule(target) for rule in _expiry)

"""Who still has to be given events: none is archived before. Apps above say who follows the log.

Registered in ``AppConfig.ready()``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from apps.audit.models import WitnessState


@dataclass(frozen=True, slots=True)
class Follower:
    """Somebody who has the events before ``index`` and not that one."""

    who: str
    index: int


_followers: list[Callable[[], list[Follower]]] = []


def register(find: Callable[[], list[Follower]]) -> None:
    """Have ``find`` asked who follows before anything is archived."""
    if find not in _followers:
        _followers.append(find)


def followers() -> list[Follower]:
    """Return everybody who follows, the one that is furthest behind first."""
    states = WitnessState.objects.select_related("witness")
    found = [Follower(f"witness {state.witness.name}", state.size) for state in states]
    for find in _followers:
        found += find()
    return sorted(found, key=lambda follower: follower.index)

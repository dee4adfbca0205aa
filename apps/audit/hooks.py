"""Where apps above take part in what the log does."""

from dataclasses import dataclass
from typing import Protocol

from apps.audit.models import WitnessState
from placet.kernel.actor import Actor
from placet.kernel.hooks import Hook, Slot


class Finder(Protocol):
    """Who knows what the ids in events are called."""

    def people(self, name: str) -> list[str]:
        """Return the ids of people and service accounts whose name has ``name`` in it."""

    def objects(self, name: str, actor: Actor) -> list[str]:
        """Return the ids of what is called ``name``, and of what belongs to it or reached it, in
        the projects whose events ``actor`` may read."""

    def came_of(self, cause: str) -> list[str]:
        """Return the ids whose events, from a recall on, tell what came of it, itself first."""

    def project(self, project_id: str, actor: Actor) -> str:
        """Return the short name of a project that ``actor`` may see, '' for no other."""


finder = Slot[Finder]("what the ids in events are called")


@dataclass(frozen=True, slots=True)
class Follower:
    """Somebody who has the events before ``index`` and not that one."""

    who: str
    index: int


@Hook
def followers() -> list[Follower]:
    """Return who still has to be given events: none is archived before. Asked when an archive is
    planned, and again in the transaction that moves the events.

    For apps that carry the log on. This app knows its witnesses.
    """
    states = WitnessState.objects.select_related("witness")
    return [Follower(f"witness {state.witness.name}", state.size) for state in states]

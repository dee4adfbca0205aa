"""Where apps above take part in what the log does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from apps.audit.models import WitnessState
from placet.kernel.actor import Actor
from placet.kernel.hooks import Hook, Slot

if TYPE_CHECKING:
    from apps.audit.queries.events import TimelineEntry


@dataclass(slots=True)
class Found:
    """The ids behind what somebody looks for by name."""

    people: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    outcome: list[str] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)  # by name


class Finder(Protocol):
    """Who knows what the ids in events are called."""

    def ids(
        self, actor: Actor, *, person: str, thing: str, cause: str, place: tuple[str, str]
    ) -> Found:
        """Return the ids of the people and service accounts whose name has ``person`` in it; of
        what is called ``thing``, and of what belongs to it or reached it, in the projects whose
        events ``actor`` may read, and of the people, teams and service accounts that are called so
        and that they may know; and those whose events, from the recall ``cause`` on, tell what
        came of it, itself too; and the project and the environment of ``place``, by slug or id and
        by name, where they may see the project. What is '' is not looked for."""

    def project(self, project_id: str, actor: Actor) -> str:
        """Return the short name of a project that ``actor`` may see, '' for no other."""


finder = Slot[Finder]("what the ids in events are called")


@dataclass(frozen=True, slots=True)
class Told:
    """An event as pages tell it, in plain text: names that its reader may not know are left out.
    ``page`` is the path of what it is about, '' where that has no page."""

    sentence: str
    actor_name: str = ""
    about_name: str = ""
    project_name: str = ""
    page: str = ""


class Teller(Protocol):
    """Who tells events as pages do."""

    def __call__(self, entries: "Sequence[TimelineEntry]", actor: Actor) -> Iterator[Told]:
        """Yield each of ``entries`` as ``actor`` may read it, in few queries however many."""


teller = Slot[Teller]("how pages tell events")


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

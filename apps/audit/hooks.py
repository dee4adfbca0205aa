"""Where apps above take part in what the log does."""

from dataclasses import dataclass

from apps.audit.models import WitnessState
from placet.kernel.hooks import Hook


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

"""How break-glasses stand and how they ended: by whom, or by what, as the log says for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.audit.queries import events_about
from apps.audit.queries.bodies import body_of, states_of
from apps.governance.events import GLASS_ENDED, GLASS_LAPSED
from apps.governance.models import BreakGlass
from apps.governance.queries.open_break_glasses import is_needless, is_spent
from apps.governance.rules import (
    GLASS_ENDS,
    STARTER_LEFT,
    BreakGlassStanding,
    BreakGlassState,
    ReleaseState,
)
from placet.kernel.actor import SYSTEM

ROW = f"{BreakGlass._meta.label_lower}:"


@dataclass(frozen=True, slots=True)
class Ending:
    """What the log says of how one ended. Who wrote it did it by hand, where nothing else did."""

    by: str
    because: str = ""  # what became of its release
    policy: int = 0  # which ended it when it was published
    why: str = ""  # what else did

    @property
    def by_time(self) -> bool:
        """Whether nothing but its time ended it."""
        return self.by == SYSTEM.id and not (self.because or self.policy or self.why)


def endings(glasses: Sequence[BreakGlass]) -> dict[str, Ending]:
    """Return how those ended that have, by their ids (one query, none where all go on)."""
    releases = {row.release_id for row in glasses if row.ended_at}
    if not releases:
        return {}
    found = {}
    for text in events_about(releases, GLASS_ENDED, GLASS_LAPSED).values():
        body = body_of(text)
        for key in states_of(body):
            if key.startswith(ROW):
                found[key.removeprefix(ROW)] = _ending(body)
    return found


def _ending(body: Mapping[str, Any]) -> Ending:
    data = body["data"]
    because, why = (str(data.get(name) or "") for name in ("because", "why"))
    return Ending(body["actor_id"], because, data.get("policy") or 0, why)


def standing_of(
    glass: BreakGlass, ending: Ending | None, recall: Mapping[str, Any] | None
) -> BreakGlassStanding:
    """Return how one stands, by how it ended and the ``recall`` that ended it, if one did: its
    review is another matter."""
    if recall:
        return BreakGlassStanding.ENDED_BY_RECALL
    if is_needless(glass.state, glass.release.state):
        return BreakGlassStanding.NOT_NEEDED
    if is_spent(glass.state, glass.release.state, glass.used_at):
        return BreakGlassStanding.USED
    by_time = ending is None or ending.by_time
    return {
        BreakGlassState.OPENED: BreakGlassStanding.AWAITING,
        BreakGlassState.CONFIRMED: BreakGlassStanding.ACTIVE,
        BreakGlassState.LAPSED: BreakGlassStanding.LAPSED if by_time else BreakGlassStanding.ENDED,
    }.get(BreakGlassState(glass.state), BreakGlassStanding.ENDED)


def how_ended(
    glass: BreakGlass, ending: Ending | None, names: Mapping[str, str], recalled: Sequence[str]
) -> str:
    """Say who or what ended one, by the ``names`` of people; ``recalled`` are those whose
    signatures a recall took back that ended it. '' while it is open."""
    if glass.ended_at is None or ending is None:
        return ""
    if recalled:
        revoked = ending.because == GLASS_ENDS[ReleaseState.REVOKED]
        did = "its release was revoked" if revoked else "ended"
        return f"{did} by the recall of what {' and '.join(recalled)} signed"
    if ending.because:
        return f"its release {ending.because.replace('_', ' ')}"
    if ending.policy:
        return f"ended by policy r{ending.policy}"
    if ending.why == STARTER_LEFT:
        starter = names.get(glass.opened_by, glass.opened_by)
        return f"{starter}, who started it, was deactivated"
    if ending.why:
        return ending.why.replace("_", " ")
    if ending.by_time:
        return _out_of_time(glass)
    return f"ended by {names.get(ending.by, ending.by)}"


def _out_of_time(glass: BreakGlass) -> str:
    if glass.used_at:
        return "its time ran out"
    return "it lapsed unused" if glass.confirmed_at else "nobody else signed it in time"

"""Why emergency releases ended before their time: what became of the release, as the log says."""

from collections.abc import Sequence

from apps.audit.queries import events_about
from apps.audit.queries.bodies import body_of, states_of
from apps.governance.events import GLASS_ENDED, GLASS_LAPSED
from apps.governance.models import BreakGlass
from apps.governance.queries.break_glass import BreakGlassView

ROW = f"{BreakGlass._meta.label_lower}:"


def why_ended(views: Sequence[BreakGlassView]) -> dict[str, str]:
    """Return what follows "its release", by the ids of those that ended by that (one query, none
    where all go on)."""
    releases = {view.glass.release_id for view in views if view.glass.ended_at}
    if not releases:
        return {}
    found = {}
    for text in events_about(releases, GLASS_ENDED, GLASS_LAPSED).values():
        body = body_of(text)
        if because := body["data"].get("because"):
            for key in states_of(body):
                if key.startswith(ROW):
                    found[key.removeprefix(ROW)] = str(because).replace("_", " ")
    return found

"""``If-Match``, asked of who may make the change at all."""

from apps.identity.queries import Scoped, authorize
from placet.kernel.api.views import PlacetView, require_match
from placet.kernel.problems import Stale


def match_for(
    permission: str,
    row: Scoped | None,
    tag: str | None,
    *,
    asked: PlacetView,
    see: str = "project.view",
) -> None:
    """Let a change of ``row`` go on that names its state ``tag``, or raise as ``authorize`` and
    ``require_match`` do: who lacks ``permission`` is told that first, for reading it again would
    not help. ``tag`` is ``None`` where there is nothing yet that could have been read."""
    authorize(asked.actor, permission, row, view=see)
    if tag is not None:
        require_match(asked.request, tag)
    elif "If-Match" in asked.request.headers:
        raise Stale

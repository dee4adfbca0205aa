"""Break-glasses. Opening, confirming, ending and reviewing are a person's acts: no token may."""

from placet_client.nouns.base import Listing, Noun, at, given
from placet_client.records import BreakGlass


class BreakGlasses(Noun):
    """Exceptions for one release each, and their reviews."""

    def list(
        self, *, project: str = "", state: str = "", review: str = "", limit: int | None = None
    ) -> Listing[BreakGlass]:
        """List break-glasses, newest first. ``review`` is open, overdue or closed."""
        query = given(project=project, state=state, review=review)
        return self._list(BreakGlass, "/break-glass", limit, **query)

    def get(self, glass: str) -> BreakGlass:
        """Read a break-glass: who signed it, until when it lasts, how its review stands."""
        return self._read(BreakGlass, at("break-glass", glass))

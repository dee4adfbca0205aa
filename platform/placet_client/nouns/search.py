"""Finding things by what people call them."""

from placet_client.nouns.base import Noun
from placet_client.records import Hit, Search


class Everything(Noun):
    """All that you see, whatever its noun."""

    def search(self, text: str) -> tuple[Hit, ...]:
        """Find by name, ``model:3``, alias, release number, id or digest: a few of each noun."""
        return self._read(Search, "/search", q=text).items

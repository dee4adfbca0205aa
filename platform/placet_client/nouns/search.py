"""Finding things by what people call them."""

from placet_client.nouns.base import Noun
from placet_client.records import Hit, Search, Task, TaskList


class Everything(Noun):
    """All that you see, whatever its noun."""

    def search(self, text: str) -> tuple[Hit, ...]:
        """Find by name, ``model:3``, alias, release number, id or digest: a few of each noun."""
        return self._read(Search, "/search", q=text).items

    def tasks(self) -> tuple[Task, ...]:
        """List all that waits for the token's owner, of what the token may see: emergency releases
        to co-sign or review, releases to decide on or to start, rollouts that a person has to let
        go on, policy drafts to publish, discussions that mention them."""
        return self._read(TaskList, "/inbox/tasks").items

"""The state that a node follows, and its copy on disk, also while the disk does not take it."""

import logging
from typing import Any

from placet_agent.state import files
from placet_agent.state.data_dir import Home
from placet_protocol.state import DesiredEndpoint, DesiredState, read_endpoints

log = logging.getLogger(__name__)


class Latest:
    """What was followed last. It counts at once; ``store`` until nothing is left to be written."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._followed = (0, 0)
        self._unstored: tuple[DesiredState, str] | None = None

    @property
    def generation(self) -> tuple[int, int]:
        """The newest generation that was ever taken."""
        memory = self.home.remembered()
        return max(self._followed, (memory.epoch, memory.number))

    @property
    def stored(self) -> bool:
        """Whether the disk has the state that is followed."""
        return self._unstored is None

    def first(self, state: DesiredState) -> bool:
        """Whether this is the first state that the node ever takes."""
        return self.generation == (0, 0) or (self.home.fresh and self._followed == state.generation)

    def follow(self, state: DesiredState, text: str) -> None:
        """Have a state count."""
        self._followed, self._unstored = state.generation, (state, text)

    def store(self) -> None:
        """Write down the state that is followed, and what goes on though it leaves that out.

        Whenever this is cut short, what goes on by either state is on disk, and the number that
        must not go down is no higher than that of the state there. Raises ``OSError``.
        """
        if self._unstored is None:
            return
        state, text = self._unstored
        kept = [dict(endpoint.entry) for endpoint in state.kept]
        path = self.home.folder / "kept.json"
        before = self._entries()
        names = {endpoint.id for endpoint in state.kept}
        if kept or before:
            others = [entry for entry in before if entry["id"] not in names]
            files.write_json(path, [*kept, *others])
        self.home.write_text("state.json", text)
        self.home.remember(epoch=state.epoch, number=state.number)
        if kept or before:
            files.write_json(path, kept)
        self._unstored = None

    def kept(self) -> tuple[DesiredEndpoint, ...]:
        """Return the endpoints that went on when the state on disk was taken."""
        return read_endpoints(self._entries())[0]

    def _entries(self) -> list[Any]:
        try:
            return files.read_json(self.home.folder / "kept.json") or []
        except files.Unreadable as error:  # it keeps nobody from following what comes
            log.warning("what was left out of states does not go on: %s", error)
            return []

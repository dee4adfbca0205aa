"""Which network replicas get: their own, wherever this host gives it or ever gave it.

A host that once gave a replica its own network is never taken for one that cannot, whatever goes
wrong now and whoever made it so: what may reach nothing would start on the host's network. There
bwrap is asked for a network of the replica's own, and where it gets none, nothing starts. Only an
operator can say otherwise (``--allow-shared``).
"""

import logging
from pathlib import Path

from placet_agent.process import sandbox
from placet_agent.process.sandbox import Unsure
from placet_agent.process.seccomp import Network
from placet_agent.state import files

log = logging.getLogger(__name__)


class Networks:
    """What a node's folder says of this host's networks, and what is found out."""

    def __init__(self, home: Path, *, shared: bool = False) -> None:
        """Read what was found before, also by an agent that left no record but replicas."""
        self.record = home / "network.json"  # it stands where the host once gave a network
        self.shared = shared
        self._own = self.record.exists() or any(map(_has_own, home.glob("replicas/*.json")))
        self._found: Network | None = None  # None: it could not be found out

    def given(self) -> Network:
        """Return the network that a replica is to start with; in doubt its own."""
        if self._own and not self.shared:
            return "own"
        return self._found or self.look()

    def look(self) -> Network:
        """Find out anew whether this host gives replicas a network of their own."""
        if not self._own or self.shared:
            self._found = self._try()
            self._own = self._own or self._found == "own"
        if self._own and not self.record.exists():
            self._keep()
        return self.given() if self._found or self._own else "own"

    def _try(self) -> Network | None:
        try:
            able = sandbox.isolation() == "bwrap" and sandbox.gives("own", anew=self.shared)
        except Unsure as error:
            log.warning("whether replicas get a network of their own: %s", error)
            return "host" if self.shared else None
        return "own" if able else "host"

    def _keep(self) -> None:
        try:
            files.write_json(self.record, {"network": "own"})
        except OSError as error:  # there will be room another time; until then it is known here
            log.warning("it is not noted that this host gives networks: %s", error)


def _has_own(path: Path) -> bool:
    try:
        record = files.read_hint(path)
    except OSError:
        return False
    return isinstance(record, dict) and record.get("network") == "own"

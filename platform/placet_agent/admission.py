"""What one look at a state lets in: gathered while it is judged, written down once."""

from dataclasses import dataclass, field
from typing import Any

from placet_agent.home import Remembered
from placet_protocol.state import DesiredEndpoint, DesiredRevision
from placet_verify import permit

_ANEW = (
    "release it to another endpoint, or, if the platform was set up anew,"
    " have the node join again, with an empty folder if it has joined there since"
)


@dataclass
class Admission:
    """What is remembered, with what was let in since: each revision is judged by those before."""

    paths: dict[str, str]
    policy_floors: dict[str, int]
    admitted: dict[str, str]
    changed: bool = False
    fresh: set[str] = field(default_factory=set)  # revisions that may run once it is on disk

    @classmethod
    def beginning(cls, memory: Remembered) -> "Admission":
        """Return what a node goes by that remembers this."""
        return cls(dict(memory.paths), dict(memory.policy_floors), dict(memory.admitted))

    @property
    def changes(self) -> dict[str, Any]:
        """What is to be remembered of it."""
        floors = self.policy_floors
        return {"paths": self.paths, "policy_floors": floors, "admitted": self.admitted}

    def knows(self, revision: DesiredRevision) -> bool:
        """Tell whether a release was let in before, with this Bento."""
        return self.admitted.get(revision.release) == revision.bento_digest

    def floor(self, endpoint: DesiredEndpoint) -> int:
        """Return the highest policy number that let something start in its environment."""
        return self.policy_floors.get(_scope(endpoint), 0)

    def moved(self, endpoint: DesiredEndpoint) -> str:
        """Say that an address changed hands: what was approved for one must not answer another."""
        if self.paths.get(endpoint.path, endpoint.id) != endpoint.id:
            return f"the address is another endpoint's: {_ANEW}"
        kept = self.paths.items()
        if any(name == endpoint.id and path != endpoint.path for path, name in kept):
            return f"the endpoint has another address: {_ANEW}"
        return ""

    def admit(
        self, endpoint: DesiredEndpoint, revision: DesiredRevision, found: permit.Permit
    ) -> None:
        """Let a revision in."""
        scope = _scope(endpoint)
        floor = max(self.floor(endpoint), found.policy.number)
        placed = self.paths.get(endpoint.path) == endpoint.id
        known = self.knows(revision)
        if known and placed and floor == self.policy_floors.get(scope):
            return
        self.paths[endpoint.path] = endpoint.id
        self.policy_floors[scope] = floor
        self.admitted[revision.release] = revision.bento_digest
        self.changed = True
        if not known:
            self.fresh.add(revision.id)


def _scope(endpoint: DesiredEndpoint) -> str:
    return f"{endpoint.project} {endpoint.environment}"

"""What one look at a state lets in: gathered while it is judged, written down once."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from placet_agent.state.data_dir import Remembered
from placet_protocol.state import DesiredEndpoint, DesiredRevision
from placet_verify.permit import permit
from placet_verify.recalls import Book
from placet_verify.signing.keys import KeyRing

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
    ended: set[str]
    changed: bool = False
    fresh: set[str] = field(default_factory=set)  # revisions that may run once it is on disk

    @classmethod
    def beginning(cls, memory: Remembered) -> "Admission":
        """Return what a node goes by that remembers this."""
        floors, admitted = dict(memory.policy_floors), dict(memory.admitted)
        return cls(dict(memory.paths), floors, admitted, set(memory.ended))

    @property
    def changes(self) -> dict[str, Any]:
        """What is to be remembered of it."""
        return {
            "paths": self.paths,
            "policy_floors": self.policy_floors,
            "admitted": self.admitted,
            "ended": sorted(self.ended),
        }

    def knows(self, revision: DesiredRevision) -> bool:
        """Tell whether a release was let in before, with this Bento."""
        return self.admitted.get(revision.release) == revision.bento_digest

    def floor(self, endpoint: DesiredEndpoint) -> int:
        """Return the highest policy number that let something start in its environment."""
        return self.policy_floors.get(_scope(endpoint), 0)

    def moved(self, endpoint: DesiredEndpoint) -> str:
        """Say that an address changed hands: what was approved for one must not answer another.

        That of a deleted endpoint is free for one that never had another here. Whoever writes
        states can say that one was deleted: so it stays that for good, and nothing can be led
        to and fro, nor can two endpoints change places.
        """
        if endpoint.id in self.ended:
            return f"the endpoint was deleted, and its address given to another: {_ANEW}"
        holder = self.paths.get(endpoint.path, endpoint.id)
        if holder != endpoint.id and holder not in endpoint.former:
            return f"the address is another endpoint's: {_ANEW}"
        kept = self.paths.items()
        if any(name == endpoint.id and path != endpoint.path for path, name in kept):
            return f"the endpoint has another address: {_ANEW}"
        return ""

    def admit(
        self, endpoint: DesiredEndpoint, revision: DesiredRevision, checked_permit: permit.Permit
    ) -> None:
        """Let a revision in."""
        scope = _scope(endpoint)
        floor = max(self.floor(endpoint), checked_permit.policy.number)
        placed = self.paths.get(endpoint.path) == endpoint.id
        known = self.knows(revision)
        # Those that it never saw serve too: none of them comes back here, at whatever name.
        gone = {self.paths.get(endpoint.path, endpoint.id), *endpoint.former} - {endpoint.id}
        if known and placed and floor == self.policy_floors.get(scope) and gone <= self.ended:
            return
        self.ended |= gone
        self.paths[endpoint.path] = endpoint.id
        self.policy_floors[scope] = floor
        self.admitted[revision.release] = revision.bento_digest
        self.changed = True
        if not known:
            self.fresh.add(revision.id)


class CheckedPermits:
    """Permits that hold for what was let in before, by what they were checked against.

    Time has no part in that, so that a state that goes on with them need not have them checked
    again; another list of keys or another recall has all of them checked.
    """

    def __init__(self) -> None:
        self._by: tuple[KeyRing, Book] | None = None
        self._before: dict[Hashable, permit.Permit] = {}
        self._now: dict[Hashable, permit.Permit] = {}

    def begin(self) -> None:
        """Forget what the look before the last one needed."""
        self._before, self._now = self._now, {}

    def get(
        self, ring: KeyRing, book: Book, key: Hashable, check: Callable[[], permit.Permit]
    ) -> permit.Permit:
        """Return the permit of ``key``, checked now unless these keys and recalls have held it."""
        by = self._by
        if by is None or by[0] is not ring or by[1] is not book:
            self._by, self._before, self._now = (ring, book), {}, {}
        checked_permit = self._now.get(key) or self._before.get(key) or check()
        self._now[key] = checked_permit
        return checked_permit


def _scope(endpoint: DesiredEndpoint) -> str:
    return f"{endpoint.project} {endpoint.environment}"

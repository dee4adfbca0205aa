"""A driver whose target is a dictionary, and that fails, is slow or lies when a test says so."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from apps.builds.models import Bento
from apps.serving import desired
from apps.serving.drivers.base import Observation, RevisionObservation, StateGeneration
from apps.serving.drivers.kinds import DRIVERS
from apps.serving.models import Revision, Target
from apps.serving.rules import ServingConfig
from placet.kernel.clock import now
from placet_verify import canonical
from placet_verify.permit.scaling import scaling_of

PYTHONS = ("3.11", "3.13")
NOTHING = StateGeneration(0, 0)


class TargetDown(Exception):
    """The target did not take the command."""


@dataclass
class FakeDriver:
    """``wished`` is what it was told last, ``running`` what it does; ``follow()`` lets it act."""

    number: int = 0
    digest: str = ""
    wished: dict[str, dict[str, Any]] = field(default_factory=dict)
    stable: set[str] = field(default_factory=set)  # what is live, by what it was told last
    applied: StateGeneration = NOTHING
    running: dict[str, RevisionObservation] = field(default_factory=dict)
    stubborn: dict[str, str] = field(default_factory=dict)  # revision id → the phase it stays in
    other_bytes: set[str] = field(default_factory=set)
    load: int = 6  # replicas that all requests of what is live and scaled need
    room: int = 64  # replicas of what is scaled and not live that find memory
    alive: bool = True
    bare: bool = False  # nothing can be kept apart there
    down: bool = False
    meanwhile: Callable[[], None] | None = None  # runs once while a command is on its way
    commands: int = 0
    at_once: int = 0
    most_at_once: int = 0

    def validate(
        self,
        target: Target,
        bento: Bento,
        serving: ServingConfig,
        needs: Collection[str] = (),
    ) -> list[str]:
        """Ask for a known Python."""
        problems = []
        if not self.alive:
            problems.append("The target has not been heard of lately")
        if self.bare:
            problems.append("The target cannot keep apart what runs on it")
        if bento.runtime.python_version not in PYTHONS:
            problems.append(f"The target has no Python {bento.runtime.python_version}")
        return problems

    def observe(self, target: Target) -> Observation:
        """Return what the target does."""
        return Observation(
            alive=self.alive,
            seen_at=now() if self.alive else None,
            applied=self.applied,
            revisions=dict(self.running),
        )

    def apply(self, target: Target) -> StateGeneration:
        """Take the wish, or raise :class:`TargetDown`."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.meanwhile is not None:
                other, self.meanwhile = self.meanwhile, None
                other()
            if self.down:
                raise TargetDown("connection refused")
            content = desired.compose(target)
            self.commands += 1
            if (digest := canonical.digest(content)) != self.digest:
                self.digest, self.number = digest, self.number + 1
                self.wished = {r["id"]: r for e in content["endpoints"] for r in e["revisions"]}
                self.stable = {e["stable"] for e in content["endpoints"] if e["stable"]}
            return StateGeneration(1, self.number)
        finally:
            self.at_once -= 1

    def remove(self, revision: Revision) -> StateGeneration:
        """Take away a revision that ended."""
        return self.apply(revision.endpoint.target)

    def follow(self) -> None:
        """Do what was wished, as far as ``stubborn`` lets it, and say so."""
        self.running = {
            pk: self._row(pk, wish)
            for pk, wish in self.wished.items()
            if wish["wanted"] != "stop" or pk in self.stubborn
        }
        self.applied = StateGeneration(1, self.number)

    def _row(self, pk: str, wish: dict[str, Any]) -> RevisionObservation:
        usual = "drained" if wish["wanted"] == "drain" else "serving" if wish["weight"] else "ready"
        phase = self.stubborn.get(pk, usual)
        well = phase in ("ready", "serving")
        row = RevisionObservation(
            id=pk,
            phase=phase,
            ready_replicas=self._replicas(wish) if well else 0,
            weight=wish["weight"] if well else 0,
            detail="" if well else f"told to be {phase}",
            bento_digest=wish["bento_digest"],
        )
        return replace(row, bento_digest="sha256:other") if pk in self.other_bytes else row

    def _replicas(self, wish: dict[str, Any]) -> int:
        """Return how many there are: of what is live and scaled as many as its load needs."""
        scaling = scaling_of(wish["serving"])
        if scaling is None:
            return int(wish["replicas"])
        if wish["id"] not in self.stable:
            return min(self.room, int(wish["replicas"]))
        return min(scaling.most, max(scaling.least, self.load))


@contextmanager
def installed() -> Iterator[FakeDriver]:
    """Have targets of the kind ``fake`` for a while."""
    driver = FakeDriver()
    with patch.dict(DRIVERS, fake=driver):
        yield driver

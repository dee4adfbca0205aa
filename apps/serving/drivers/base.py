"""What a driver is: four idempotent verbs, one of them the read-back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from apps.builds.models import Bento
from apps.serving.models import Revision, Target
from apps.serving.rules import ServingConfig


@dataclass(frozen=True, slots=True)
class StateGeneration:
    """Names a wish that was handed over: an observation of this generation or a later one has
    seen it."""

    epoch: int
    number: int

    @property
    def generation(self) -> tuple[int, int]:
        """``(epoch, number)``, ordered."""
        return self.epoch, self.number


@dataclass(frozen=True, slots=True)
class RevisionObservation:
    """What the target says of one revision."""

    id: str
    phase: str  # preparing, starting, ready, serving, drained, stopped, failed, refused
    ready_replicas: int = 0
    weight: int = 0  # what is applied to traffic now, out of 10,000
    detail: str = ""
    bento_digest: str = ""
    since: str = ""
    aborted: str = ""  # by which broken rule the target took its requests back by itself


@dataclass(frozen=True, slots=True)
class Observation:
    """What a target was last seen to do. ``alive`` says whether that is recent."""

    alive: bool
    seen_at: datetime | None
    applied: StateGeneration
    revisions: Mapping[str, RevisionObservation] = field(default_factory=dict)

    def has_seen(self, receipt: StateGeneration) -> bool:
        """Tell whether this was observed after the wish named by ``receipt`` had arrived."""
        return self.applied.generation >= receipt.generation


class Driver(Protocol):
    """How Bentos run on one kind of target.

    Every verb may be repeated at any time and changes nothing the second time. No verb decides:
    what should run stands in the rows of this app.
    """

    def validate(
        self,
        target: Target,
        bento: Bento,
        serving: ServingConfig,
        needs: Collection[str] = (),
    ) -> list[str]:
        """Return, in sentences, what keeps ``bento`` from running on ``target``.

        ``needs`` names what a plan asks for: ``header_route``, ``mirror``, ``guard``.
        """
        ...

    def observe(self, target: Target) -> Observation:
        """Return what was last seen. Never blocks on the target itself."""
        ...

    def apply(self, target: Target) -> StateGeneration:
        """Hand over everything that is desired on ``target``. Called from control workers only."""
        ...

    def remove(self, revision: Revision) -> StateGeneration:
        """Take a revision, whose row says that it ended, away from its target."""
        ...

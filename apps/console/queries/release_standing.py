"""How a release stands now: whether its endpoint is stopped, and what holds its rollout."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from django.urls import reverse

from apps.console.queries.page_parts import Link
from apps.console.queries.promotions import PromotionLine, promotion_lines
from apps.console.queries.release_end import has_ended
from apps.console.queries.rollout_steps import BADLY, ended_by
from apps.console.queries.rollout_words import VERBS, LastWords, last_words, paused
from apps.console.queries.stops import Stop, stop_told
from apps.console.queries.under_way import is_aborting, rollout_before, rollout_named
from apps.governance.models import OPEN_STATES, UNFINISHED_STATES
from apps.governance.rules import RETRIABLE, ReleaseState
from apps.rollouts.events import ROLLBACK_STARTED
from apps.rollouts.states import RolloutState
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class ReleaseStanding:
    """A release, as ``with_end`` reads it, with its newest rollout, as ``with_last_words`` does."""

    release: Any
    rollout: Any
    actor: Actor
    said: Sequence[str] = ()  # what its head says of how it stands, beside its state

    @property
    def state(self) -> str:
        """Its state, as people are told; of what goes out that its rollout is being aborted."""
        return str(RolloutState.ABORTING if self.is_aborting else self.release.shown_state)

    @property
    def is_aborting(self) -> bool:
        """Whether its rollout is being aborted, which needs no start of its endpoint."""
        return is_aborting(self.release)

    @property
    def mark(self) -> str:
        """What its page was made for: with another one that is out of date. It goes into a header
        of HTTP too, so what is said besides, with names, is in it as a number."""
        starts = "can start" if self.can_start else ""
        stopped = "stopped" if self.release.endpoint.is_stopped else ""
        opens = [
            f"{line.sign.text} {line.release and line.release.text}" for line in self.promotion
        ]
        said = " ".join(filter(None, [*self.said, self.paused, starts, stopped, *opens]))
        return f"{self.state} {crc32(said.encode()):08x}" if said else self.state

    @property
    def promotion(self) -> list[PromotionLine]:
        """What it came of, and what comes of it in the next environment, by itself."""
        return promotion_lines(self.release)

    @property
    def behind(self) -> Link | None:
        """The rollout that has to end before it starts; ``None`` also where its endpoint has to be
        started before that."""
        before = rollout_before(self.release)
        if before is None or self.release.endpoint.is_stopped:
            return None
        return Link(rollout_named(before), reverse("rollout", args=[before["id"]]))

    @property
    def is_of_another(self) -> bool:
        """Whether it could be withdrawn, but by another person than the reader."""
        mine = self.release.requester == self.actor.accountable
        return self.release.state in UNFINISHED_STATES and not mine

    @property
    def can_start(self) -> bool:
        """Whether somebody could start it now, where its gates let them."""
        waits = self.release.state == ReleaseState.APPROVED and not self.release.moving
        return waits and not self.release.endpoint.is_stopped

    @property
    def renewal(self) -> str:
        """How often its page looks at it again; '' where nothing becomes of it any more."""
        if self.release.state in (ReleaseState.APPROVED, ReleaseState.ROLLING_OUT):
            return "every 1s"
        changes = self.release.state in RETRIABLE or not has_ended(self.release)
        return "every 10s" if changes else ""

    @property
    def stop(self) -> Stop | None:
        """Who stopped its endpoint, where it is live there or would be."""
        concerned = self.release.state in (*OPEN_STATES, ReleaseState.LIVE)
        if not concerned:
            return None
        return stop_told(self.release.endpoint, self.release.stopper, self.actor)

    @property
    def paused(self) -> str:
        """Who or what has paused its rollout; '' where nothing has."""
        return paused(self.rollout) if self.rollout else ""

    @property
    def words(self) -> LastWords | None:
        """Why its rollout is as it is, and who said so. A rollback is another release's: it put
        this one back."""
        words = last_words(self.rollout) if self.rollout else None
        if words is None or words.what != VERBS[ROLLBACK_STARTED.name]:
            return words
        old = f"revision {self.rollout.from_revision.number}"
        done = self.rollout.state == RolloutState.DONE
        what = f"Put back in place of {old}" if done else f"Rollback from {old} to this one started"
        return replace(words, what=what)

    @property
    def ended_badly(self) -> bool:
        """Whether its rollout has a reason that people must see."""
        return bool(self.rollout and self.rollout.reason and self.rollout.state in BADLY)

    @property
    def ended_by(self) -> str:
        """Who ended its rollout, where that ended badly."""
        return ended_by(self.rollout, {self.rollout.aborted_by: self.rollout.aborter})

"""The page of the attempts before a release: its version's earlier releases, and what became of
them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from apps.console.queries.page_parts import Link, counted
from apps.console.queries.release_rows import with_requester
from apps.console.queries.release_words import with_words
from apps.console.templatetags.placet import span
from apps.governance.models import Release
from apps.governance.queries.compared import ComparedRelease, compared_release
from apps.governance.rules import ReleaseState
from apps.rollouts.attempts import (
    Attempt,
    AttemptDecision,
    Attempts,
    attempts_before,
    with_attempts,
)
from placet.kernel.actor import Actor
from placet_verify.statements import REJECT


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt in words."""

    attempt: Attempt

    @property
    def by_what(self) -> str:
        """What ended it, where no person is named."""
        return "by a recall" if self.attempt.outcome == ReleaseState.REVOKED else ""

    @property
    def served(self) -> str:
        """How long it was live before it ended, from the first time on; '' where it never was, or
        is."""
        first, last = self.attempt.first_live_at, self.attempt.live_at
        ended = self.attempt.ended_at
        if first is None or last is None or ended is None or ended < first:
            return ""
        whole, rest = (span(max(0, int((ended - at).total_seconds()))) for at in (first, last))
        if whole == rest:
            return f"Live for {whole} before that."
        return f"First live {whole} before that, the last time for {rest}."

    @property
    def decisions(self) -> list[AttemptDecision]:
        """What was decided; the rejection that ended it stands above."""
        ended = self.attempt.outcome == ReleaseState.REJECTED
        rows = self.attempt.decisions
        return [d for d in rows if not ended or d.verdict != REJECT or d.voided_reason]

    @property
    def name(self) -> str:
        """What was attempted."""
        if self.attempt.is_own:
            return "An earlier rollout of this release"
        build = "" if self.attempt.is_same_build else ", another build of this version"
        return f"Release {self.attempt.number}{build}"

    @property
    def links(self) -> list[Link]:
        """Where it is read."""
        rollout = self.attempt.rollout
        links = [Link("Open rollout", reverse("rollout", args=[rollout]))] if rollout else []
        if self.attempt.recall:
            links.append(Link("Open recall", reverse("recall", args=[self.attempt.recall])))
        return links


@dataclass(frozen=True, slots=True)
class ReleaseAttemptsPage:
    """Everything the page of the attempts before a release shows."""

    compared: ComparedRelease
    found: Attempts

    @property
    def release(self) -> Any:
        """The release itself."""
        return self.compared.release

    @property
    def rows(self) -> Sequence[AttemptRow]:
        """The attempts, the last one first."""
        return [AttemptRow(row) for row in self.found.rows]

    @property
    def count(self) -> str:
        """How many there were."""
        many = counted(len(self.found.rows), "attempt")
        return f"The last {many}" if self.found.is_cut else many


def release_attempts_page(release_id: str, actor: Actor) -> ReleaseAttemptsPage:
    """Return everything that page shows, or raise ``NotFound``: at most four queries."""

    def along(rows: QuerySet[Release]) -> QuerySet[Release, Any]:
        return with_attempts(with_requester(with_words(rows)), actor)

    compared, _ = compared_release(release_id, actor, along)
    return ReleaseAttemptsPage(compared, attempts_before(compared.release, actor))

"""Who was asked by name to review a release, as its page shows it, and who can be."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.console.queries.page_parts import counted
from apps.governance.models import Environment
from apps.governance.queries.people import NamedPerson
from apps.governance.queries.release_detail import ReleaseView
from apps.governance.queries.review_requests import Reviewer
from apps.governance.rules import ReleaseState, ReviewRequestState
from apps.identity.queries import scope_of
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet_verify.statements import REQUEST_CHANGES

MARKS = {
    ReviewRequestState.ASKED: "waiting",
    ReviewRequestState.OVERDUE: "overdue",
    ReviewRequestState.CLOSED: "asked_no_more",
    ReviewRequestState.CANNOT_DECIDE: "cannot_decide",
}
SAID = {
    ReviewRequestState.CLOSED: "did not answer before it was over",
    ReviewRequestState.CANNOT_DECIDE: "cannot decide any more",
}


def due_if_empty(environment: Environment) -> str:
    """Say until when people are asked to review a release to ``environment`` where no days are
    typed."""
    if environment.review_days is None:
        return "Leave empty for no due date."
    days = counted(environment.review_days, "day")
    return f"Leave empty for {days}, the default in {environment.name}. 0 is no due date."


@dataclass(frozen=True, slots=True)
class ReviewerRow:
    """One reviewer, and what the reader can do about them."""

    reviewer: Reviewer
    may_again: bool  # whether they can be asked again: it was due, or they asked for changes
    may_remove: bool

    @property
    def mark(self) -> str:
        """How it stands, as one sign."""
        return MARKS.get(self.reviewer.state, self.reviewer.verdict)

    @property
    def said(self) -> str:
        """Why nobody waits for their answer, though they gave none; '' else."""
        return SAID.get(self.reviewer.state, "")

    @property
    def due(self) -> str:
        """What stands before when their answer is due, while it is waited for; '' else."""
        if not self.reviewer.is_open or self.reviewer.due_at is None:
            return ""
        return "was due" if self.reviewer.is_overdue else "due"

    @property
    def stands_in(self) -> str:
        """Who stands in while they are away and waited for, or why nobody does; '' else."""
        away = self.reviewer.away
        if away is None or not self.reviewer.is_open:
            return ""
        if away.passed_over:
            return f"nobody stands in: {away.passed_over}"
        return f"{away.name} stands in"


@dataclass(frozen=True, slots=True)
class ReviewersCard:
    """The reviewers of a release, and for who may choose them whom they can ask."""

    view: ReleaseView
    actor: Actor

    @property
    def may_choose(self) -> bool:
        """Whether the reader may ask people to review it: it waits, and they requested it or
        administer its project."""
        release = self.view.release
        is_own = self.actor.accountable == release.requester
        permission = "release.request" if is_own else "project.edit"
        waits = release.state == ReleaseState.REQUESTED and release.not_after > now()
        return waits and self.actor.can(permission, scope_of(release))

    @property
    def offered(self) -> Sequence[NamedPerson]:
        """Whom the reader can ask who is not asked yet."""
        asked = {row.person for row in self.view.reviewers}
        left = [person for person in self.view.may_be_asked if person.id not in asked]
        return left if self.may_choose else []

    @property
    def due_if_empty(self) -> str:
        """Until when they are asked where the reader types no days."""
        return due_if_empty(self.view.release.environment)

    @property
    def rows(self) -> list[ReviewerRow]:
        """Who was asked."""
        may, able = self.may_choose, {person.id for person in self.view.may_be_asked}
        return [
            ReviewerRow(
                one,
                may and one.person in able and (one.is_overdue or one.verdict == REQUEST_CHANGES),
                may and (one.is_open or one.state == ReviewRequestState.CANNOT_DECIDE),
            )
            for one in self.view.reviewers
        ]

    @property
    def nobody(self) -> str:
        """What stands where nobody was asked by name."""
        if self.view.requests:
            return "Nobody was asked by name. Who requested changes holds it."
        return "Nobody was asked by name: it waits for everybody who can decide."

    @property
    def is_shown(self) -> bool:
        """Whether anybody was asked, or can be by the reader."""
        return bool(self.view.reviewers or self.offered)

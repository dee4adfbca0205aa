"""How a reader finishes their review of a release, what each way does, and what others asked to
change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.urls import reverse

from apps.console.queries.page_parts import Link, Sign, in_a_row
from apps.console.queries.passkeys import Signing, signing
from apps.console.queries.release_outlook import AfterApproval, after_approval, what_follows
from apps.console.queries.release_rows import may_withdraw
from apps.governance import gates
from apps.governance.models import Release
from apps.governance.queries.release_detail import DecisionRow, ReleaseView
from apps.governance.queries.requested_changes import Answered
from apps.governance.rules import ReleaseState
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet_verify.statements import APPROVE, REJECT, REQUEST_CHANGES

FIELDS = "verdict statement_digest comment replaces passkey"
HOLDS = "The release is held: nothing starts it until you decide again or withdraw your request."
HOLDS_ON = "This takes the place of what you asked for. The release stays held."


@dataclass(frozen=True, slots=True)
class Option:
    """One way to finish a review: a decision, as its button sends it."""

    verdict: str
    submit: str  # what the button says
    tone: str
    says: str = ""  # what it does; of an approval that is more than a sentence

    @property
    def approves(self) -> bool:
        """Whether it is an approval, which alone needs no comment."""
        return self.verdict == APPROVE


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """A request for changes on a former release that this one answers, in words."""

    request: Answered
    may_withdraw: bool  # whether the reader asked for that release, which is open, too

    @property
    def url(self) -> str:
        """Where the former release is read."""
        return reverse("release", args=[self.request.release])

    @property
    def is_open(self) -> bool:
        """Whether the former release waits still."""
        return self.request.state == ReleaseState.REQUESTED


@dataclass(frozen=True, slots=True)
class Review:
    """The dialog in which a reader finishes their review, and what holds the release."""

    view: ReleaseView
    actor: Actor
    may_comment: bool

    @property
    def is_offered(self) -> bool:
        """Whether the reader has anything to finish: a comment alone has a dialog of its own, and
        nobody lifts what holds a release that has expired."""
        return self.view.can_decide or self.may_lift

    @property
    def may_lift(self) -> bool:
        """Whether the reader can withdraw a request for changes of their own."""
        return bool(self.view.your_request) and self.view.release.not_after > now()

    @property
    def button(self) -> str:
        """What opens it: who does not decide can withdraw their request for changes alone."""
        return "Finish review…" if self.view.can_decide else "Withdraw request for changes…"

    @property
    def title(self) -> str:
        """What stands above it."""
        release = self.view.release
        if not self.view.can_decide:
            return f"Withdraw your request for changes to {release.version}?"
        return f"Finish review of {release.version} to {release.environment.name}"

    @property
    def options(self) -> list[Option]:
        """The decisions that the reader may make, each with what it does."""
        return list(_options(self.view))

    @property
    def after_approval(self) -> AfterApproval | None:
        """What happens once the reader approves."""
        return after_approval(self.view)

    @property
    def after_lifting(self) -> str:
        """What happens once the reader withdraws their request for changes."""
        if gates.holding_back(self.view.once_you_lift):
            return "The release then waits for what else is missing."
        follows = what_follows(self.view, at_once=not self.view.waits_for)
        return f"Nothing else is missing: {follows}."

    @property
    def requests(self) -> Sequence[DecisionRow]:
        """The requests for changes that hold it."""
        return self.view.requests

    @property
    def held(self) -> str:
        """Until when it is held."""
        lifting = self.view.lifting
        return f"{lifting.for_good or f'The release is held until {lifting.until_it_ends}'}."

    @property
    def is_own(self) -> bool:
        """Whether the reader requested the release or made its version: changes are theirs."""
        return self.view.you_are_excluded

    @property
    def answer(self) -> Link | None:
        """The newest release that answers what holds it."""
        found = self.view.answered_by
        if found is None or not self.requests:
            return None
        model = self.view.release.version.model.name
        text = f"release {found.number} ({model}:{found.version})"
        return Link(text, reverse("release", args=[found.release]))

    @property
    def may_withdraw(self) -> bool:
        """Whether the reader asked for it and can take that back."""
        return may_withdraw(self.view.release, self.actor)

    @property
    def answers(self) -> list[AnsweredRow]:
        """The requests for changes on former releases that it answers."""
        return [AnsweredRow(one, self._may_withdraw(one)) for one in self.view.answers]

    def _may_withdraw(self, one: Answered) -> bool:
        """Tell whether the reader may withdraw a former release, which stands where this does."""
        former = Release(
            project_id=self.view.release.project_id,
            environment=self.view.release.environment,
            state=one.state,
            requester=one.requester,
        )
        return may_withdraw(former, self.actor)


def _options(view: ReleaseView) -> Iterator[Option]:
    if not view.can_decide:
        return
    holds = HOLDS_ON if view.your_request else HOLDS
    if view.can_approve:
        yield Option(APPROVE, "Approve", "primary")
    yield Option(REQUEST_CHANGES, "Request changes", "outline-primary", holds)
    ends = "This ends the release. A new one can be requested."
    yield Option(REJECT, "Reject", "danger", ends)


def asking_sign(view: ReleaseView) -> Iterator[Sign]:
    """Yield who asked for changes that hold a release, where anybody did."""
    if view.requests:
        who = in_a_row([request.name for request in view.requests])
        yield Sign("wait", "✎", f"Changes requested by {who}", wrap=True)


def signing_of(view: ReleaseView, actor: Actor) -> Signing | None:
    """Return how the reader signs, where they may decide and passkeys are demanded of them."""
    if not view.can_decide:
        return None
    release = view.release
    return signing(
        release.environment.name,
        f"releases/{release.pk}/decisions/challenge",
        FIELDS,
        actor,
        demanded=release.policy.approvals.passkey(view.you_decide_as),
    )

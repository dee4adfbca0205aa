"""The page of one break-glass, and the banner of open ones, as the templates print them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.console.queries.links import recall_url
from apps.console.queries.page_parts import Button, counted
from apps.console.queries.passkeys import Signing, signing
from apps.governance.break_glass import APPROVALS
from apps.governance.independence import RECALLED, sentence
from apps.governance.models import BreakGlass, Release
from apps.governance.queries.break_glass import (
    BreakGlassSigner,
    BreakGlassView,
    break_glass_views,
    get_break_glass,
    may_confirm,
    may_end,
    may_review,
)
from apps.governance.queries.open_break_glasses import (
    VisibleBreakGlass,
    is_needless,
    is_spent,
)
from apps.governance.rules import (
    BreakGlassStanding,
    BreakGlassState,
    ReleaseState,
    ReviewState,
    is_held,
)
from apps.identity.rules.permissions import roles_with
from apps.serving.rules import EndpointState
from placet.kernel.actor import Actor
from placet_verify.permit.break_glass import BreakGlassRule

REVIEWERS = " or ".join(roles_with("break_glass.review"))
HELD = "Changes were requested: no emergency release starts this until that is lifted"
STOPPED = "is stopped with its endpoint"
ONCE = "Once it is co-signed, the rollout can start until"
WAITS = (BreakGlassStanding.AWAITING, BreakGlassStanding.ACTIVE)
SIGNS: dict[str, str] = {
    BreakGlassStanding.ACTIVE: "broken",
    BreakGlassStanding.NOT_NEEDED: "needless",
}
RUNS: dict[str, str] = {ReleaseState.LIVE: "Serving", ReleaseState.ROLLING_OUT: "Rolling out"}
HOW_BACK: dict[str, str] = {
    ReleaseState.LIVE: "It keeps serving: to end that, roll back or stop it on",
    ReleaseState.ROLLING_OUT: "It is not live yet: to keep it so, abort its rollout, found on",
}
GOING: dict[str, str] = {ReleaseState.LIVE: "is live", ReleaseState.ROLLING_OUT: "is rolling out"}


def going(release: str, endpoint: str) -> str:
    """Continues the sentence on what was started by one, by the states of that and its endpoint; ''
    where it serves no more."""
    if endpoint == EndpointState.STOPPED and release in GOING:
        return STOPPED
    return GOING.get(release, "")


@dataclass(frozen=True, slots=True)
class SignerRow:
    """One person who opened or confirmed it, in words."""

    signer: BreakGlassSigner

    @property
    def mark(self) -> str:
        """Whether it counts, as a state."""
        return "standing" if self.signer.void else "approve"

    @property
    def opened(self) -> bool:
        """Whether they opened it: their reason stands above then."""
        return self.signer.role == "responder"

    @property
    def did(self) -> str:
        """What they did, and as whom."""
        return f"{'started' if self.opened else 'co-signed'} it as {self.signer.role}"

    @property
    def comment(self) -> str:
        """What they remarked."""
        return "" if self.opened else self.signer.comment

    @property
    def how(self) -> str:
        """What their signature is worth."""
        if self.signer.passkey:
            return "Signed with a passkey"
        return "Signed by Placet after re-authentication"


@dataclass(frozen=True, slots=True)
class ShownBreakGlass:
    """What a page and a list show of a break-glass alike."""

    view: BreakGlassView

    @property
    def glass(self) -> BreakGlass:
        """The break-glass itself."""
        return self.view.glass

    @property
    def state(self) -> BreakGlassStanding:
        """How it stands; its review is shown beside it."""
        return self.view.standing

    @property
    def shown_state(self) -> str:
        """The same as it is shown with its sign: an emergency that is active is nothing good."""
        return SIGNS.get(self.state, self.state)

    @property
    def signers(self) -> list[SignerRow]:
        """Those who have signed."""
        return [SignerRow(signer) for signer in self.view.signers]

    @property
    def runs(self) -> str:
        """How what was started by it stands, in a word or two; '' where it serves no more."""
        return RUNS[self.glass.release.state] if self.view.running else ""

    @property
    def has_review(self) -> bool:
        """Whether it must be reviewed."""
        return self.view.review != ReviewState.NONE

    @property
    def review_state(self) -> str:
        """How the review stands: what was found, or that it is overdue; '' while it is in time."""
        if self.view.review == ReviewState.CLOSED:
            return self.glass.finding
        return ReviewState.OVERDUE if self.view.review == ReviewState.OVERDUE else ""


@dataclass(frozen=True, slots=True)
class BreakGlassPage(ShownBreakGlass):
    """Everything the page of one break-glass shows."""

    rule: BreakGlassRule | None
    may_confirm: bool
    may_end: bool
    may_review: bool
    signing: Signing | None  # how the reader confirms it; None: as they are signed in
    cannot_count: str = ""  # why they do not, whose role and standing would let them
    recall_url: str = ""  # where the recall that ended it is read

    @property
    def buttons(self) -> list[Button]:
        """What the reader can do with it now."""
        return list(buttons(self))

    @property
    def is_overdue(self) -> bool:
        """Whether nobody closed its review in time."""
        return self.view.review == ReviewState.OVERDUE

    @property
    def going(self) -> str:
        """Continues the sentence on what was started by it; '' where that serves no more."""
        return going(self.glass.release.state, self.glass.release.endpoint.state)

    @property
    def and_now(self) -> str:
        """Continues the sentence on what was started by it while that serves."""
        return f", and {self.going}" if self.going else ""

    @property
    def how_back(self) -> str:
        """Begins what can be done about what was started by it, on the page of its endpoint."""
        return HOW_BACK[self.glass.release.state]

    @property
    def or_else(self) -> str:
        """Ends that sentence: what else helps once it is live."""
        live = self.glass.release.state == ReleaseState.LIVE
        return ", or have the same build approved the regular way." if live else "."

    @property
    def was_used(self) -> bool:
        """Whether it has started what it is for, and not in vain."""
        used = self.state == BreakGlassStanding.USED
        return bool(self.glass.used_at) and (used or self.is_over)

    @property
    def not_used(self) -> str:
        """Whether that may still come, where it has started nothing."""
        waits = self.state in WAITS and not self.is_over
        return "not yet" if waits else "not by this emergency release"

    @property
    def signed(self) -> str:
        """How many have signed of those that must, and count."""
        return f"{sum(not signer.void for signer in self.view.signers)} of {self.glass.people}"

    @property
    def missing(self) -> str:
        """Who must still sign it, where its release waits for that."""
        count = self.view.missing if self.state == BreakGlassStanding.AWAITING else 0
        return f"Waiting for {counted(count, 'approver')}" if count else ""

    @property
    def is_reviewed(self) -> bool:
        """Whether that is done."""
        return self.view.review == ReviewState.CLOSED

    @property
    def review_by(self) -> str:
        """Who closes its review, once it has ended."""
        who = f"by someone with the role {REVIEWERS} who was not involved in this release"
        begins = "To be closed" if self.glass.ended_at else "Can be reviewed once it has ended,"
        return f"{begins} {who}; {'is' if self.view.review == ReviewState.OPEN else 'was'} due"

    @property
    def is_over(self) -> bool:
        """Whether nothing is started by it any more."""
        return bool(self.glass.ended_at) or self.glass.until <= self.view.now

    @property
    def allows(self) -> str:
        """Begins the sentence on what it allows, or allowed; '' where it never took effect."""
        if self.state == BreakGlassStanding.NOT_NEEDED:
            return ""
        begins = "The rollout can start until" if self.glass.confirmed_at else ONCE
        if not self.is_over:
            return begins
        return "The rollout could start until" if self.glass.confirmed_at else ""

    @property
    def allows_nothing(self) -> str:
        """What is said where it never took effect."""
        if self.is_over:
            return "Nothing: it ended before enough people had signed it."
        return f"Nothing now: release {self.glass.release.number} was approved without it."

    @property
    def allowed_until(self) -> datetime:
        """When that ends, or ended."""
        return self.glass.ended_at or self.glass.until

    @property
    def went_without(self) -> str:
        """Continues the sentence on what was started by it: of which gates had not passed then."""
        over = (gate["gate"] for gate in self.glass.release.gates if gate["state"] == "skipped")
        skipped = list(dict.fromkeys(over))
        quorum = ["its full quorum"] if APPROVALS in skipped else []
        others = ", ".join(name for name in skipped if name != APPROVALS)
        told = " and ".join([*quorum, *([f"these gates: {others}"] if others else [])])
        return f" without {told}" if told else ""

    @property
    def skips(self) -> str:
        """Continues the sentence on what the release does not wait for."""
        skipped = self.rule.skip if self.rule else ()
        return f" and these gates: {', '.join(skipped)}" if skipped else ""

    @property
    def ending(self) -> str:
        """What ending it now does."""
        if self.was_used:
            return "It starts nothing more. What it started goes on, and its review stays due."
        return "It starts nothing then, and nobody can co-sign it any more."

    @property
    def follows(self) -> str:
        """What a confirmation by the reader does."""
        if self.view.missing == 1:
            return "The release is then approved."
        left = self.view.missing - 1
        return f"{counted(left, 'more co-signature')} {'is' if left == 1 else 'are'} needed."


@dataclass(frozen=True, slots=True)
class BreakGlassBanner:
    """An open break-glass, of which every page says so."""

    shown: VisibleBreakGlass

    @property
    def waits(self) -> bool:
        """Whether it was not confirmed: others must still do that, or cannot any more."""
        return self.shown.state == BreakGlassState.OPENED

    @property
    def is_spent(self) -> bool:
        """Whether it has started what it is for."""
        return is_spent(self.shown.state, self.shown.release, self.shown.used)

    @property
    def icon(self) -> str:
        """The sign before it."""
        return "◷" if self.waits else "▲"

    @property
    def begins(self) -> str:
        """Begins its sentence."""
        if self.waits:
            return "Emergency release of"
        return f"Emergency release {'used' if self.is_spent else 'active'}:"

    @property
    def goes_on(self) -> str:
        """Continues its sentence."""
        if self.is_spent:
            now = going(self.shown.release, self.shown.endpoint)
            return f" {now or 'was live'}{'' if now == STOPPED else ' by it'}, review due"
        if not self.waits:
            return ", ends"
        if is_needless(self.shown.state, self.shown.release):
            return " is not needed: the release was approved without it, ends"
        return " awaits co-signature, ends"

    @property
    def at(self) -> datetime | None:
        """Ends its sentence: when it ends, or is to be reviewed."""
        return self.shown.review_due_at if self.is_spent else self.shown.until


def break_glass_page(glass_id: str, actor: Actor) -> BreakGlassPage:
    """Return everything the page of one break-glass shows, or raise ``NotFound``."""
    view = break_glass_views([get_break_glass(glass_id, actor)])[0]
    release = view.glass.release
    rule, ended = release.policy.break_glass, view.ended_by
    why = _barred(view.glass) if may_confirm(view, actor) else ""
    confirms = may_confirm(view, actor) and not why
    return BreakGlassPage(
        view=view,
        rule=rule,
        may_confirm=confirms,
        may_end=may_end(view, actor),
        may_review=may_review(view, actor),
        signing=_confirming(view.glass.pk, release, rule, actor) if rule and confirms else None,
        cannot_count=why,
        recall_url=recall_url(ended["id"], ended["project"], actor) if ended else "",
    )


def _barred(glass: Any) -> str:
    """Say why nobody, or not this reader, confirms it; '' where they can."""
    if glass.reader_recalled:
        return sentence("You", [RECALLED])
    return HELD if is_held(glass.release.gates) else ""


def buttons(page: BreakGlassPage) -> Iterator[Button]:
    """Yield what the reader can do with it now."""
    yield Button("Open release", href=reverse("release", args=[page.glass.release_id]))
    if page.may_end:
        yield Button("End now…", dialog="end", tone="outline-danger")
    if page.may_confirm:
        yield Button("Co-sign…", dialog="confirm", tone="danger")
    if page.may_review:
        yield Button("Close review…", dialog="review", tone="primary")


def banners(shown: Sequence[VisibleBreakGlass]) -> list[BreakGlassBanner]:
    """Return what every page says of break-glasses that are open."""
    return [BreakGlassBanner(row) for row in shown]


def _confirming(
    glass_id: str, release: Release, rule: BreakGlassRule, actor: Actor
) -> Signing | None:
    challenge = f"break-glass/{glass_id}/confirm/challenge"
    fields = "opening_digest comment passkey"
    return signing(release.environment.name, challenge, fields, actor, demanded=rule.passkey)

"""Lists of break-glasses, and the form that opens one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.console.queries.break_glass_page import HELD, ShownBreakGlass
from apps.console.queries.paging import newest
from apps.console.queries.passkeys import Signing, signing
from apps.governance.independence import RECALLED, sentence
from apps.governance.models import Release
from apps.governance.queries.break_glass import (
    break_glass_views,
    break_glasses,
    may_open,
)
from apps.governance.queries.people import lacks_co_signers
from apps.governance.rules import GLASS_OPEN, ReviewState, is_held
from placet.kernel.actor import Actor
from placet_verify.permit.break_glass import BreakGlassRule


@dataclass(frozen=True, slots=True)
class BreakGlassRow(ShownBreakGlass):
    """One break-glass in the list."""

    @property
    def ends_at(self) -> datetime | None:
        """When it ends, while it is open."""
        return self.glass.until if self.glass.state in GLASS_OPEN else None

    @property
    def signed_by(self) -> list[str]:
        """Who signed it, for a file."""
        void = {True: ", void: recalled", False: ""}
        return [f"{s.signer.name} ({s.signer.role}{void[s.signer.void]})" for s in self.signers]

    @property
    def is_unused(self) -> bool:
        """Whether it was broken for nothing."""
        over = self.ends_at is None
        return over and bool(self.glass.confirmed_at) and not self.glass.used_at

    @property
    def review_note(self) -> str:
        """By whom it is closed, or what stands before the time when it is due."""
        if self.view.review == ReviewState.CLOSED:
            return self.view.reviewer
        return "since" if self.view.review == ReviewState.OVERDUE else "due"

    @property
    def due_at(self) -> datetime | None:
        """When its review is due, until it is closed."""
        return None if self.view.review == ReviewState.CLOSED else self.glass.review_due_at


@dataclass(frozen=True, slots=True)
class BreakGlassListPage:
    """The list of break-glasses, and which of them it has."""

    rows: list[BreakGlassRow]
    of_release: bool
    filtered: bool
    partial: bool = False  # whether there may be others that the reader does not see

    @property
    def title(self) -> str:
        """What stands above it."""
        if self.of_release:
            return "For this release"
        return "Matching" if self.filtered else "All"

    @property
    def none(self) -> str:
        """What is said where there is none."""
        if self.filtered:
            return "No matches"
        return "None in the projects you may see" if self.partial else "No emergency releases"


@dataclass(frozen=True, slots=True)
class BreakGlassForm:
    """What the form that opens a break-glass for a release shows."""

    release: Release
    rule: BreakGlassRule
    hours: list[int]
    signing: Signing | None

    @property
    def title(self) -> str:
        """What stands above the form."""
        version, environment = self.release.version, self.release.environment
        return f"Start emergency release of {version} to {environment.name}?"

    @property
    def skips(self) -> str:
        """Continues the sentence on what it does not wait for."""
        return f" or for these gates: {', '.join(self.rule.skip)}" if self.rule.skip else ""

    @property
    def confirmers(self) -> str:
        """Who must confirm it."""
        others = self.rule.people - 1
        return "An approver" if others == 1 else f"{others} approvers"


def break_glass_list_page(
    actor: Actor, *, project: str = "", review: str = "", release: str = "", before: str = ""
) -> tuple[list[BreakGlassRow], str]:
    """Return one page of break-glasses, newest first, and the id to go on before."""
    glasses, key = newest(
        break_glasses(actor, project=project, review=review, release=release), before
    )
    return [BreakGlassRow(view) for view in break_glass_views(glasses)], key


def break_glass_form(release: Any, actor: Actor) -> BreakGlassForm | None:
    """Return what the form shows where ``actor`` may open one for ``release``, and nothing keeps
    them from it; else ``None`` (one query where they may)."""
    rule = release.policy.break_glass
    if rule is None or not may_open(release, actor) or break_glass_barred(release, actor):
        return None
    hours = [h for h in (1, 2, 4, 8, 12, 24, 48, 72) if h < rule.hours]
    challenge = f"releases/{release.pk}/break-glass/challenge"
    fields = "statement_digest reason hours passkey"
    environment = release.environment.name
    signed = signing(environment, challenge, fields, actor, demanded=rule.passkey)
    return BreakGlassForm(release, rule, [*hours, rule.hours], signed)


def break_glass_barred(release: Any, actor: Actor) -> str:
    """Say why ``actor``, whose role lets them, opens none for ``release``: they or it are kept from
    that, or too few others could co-sign it. '' where they can, or it lets them not."""
    if not may_open(release, actor):
        return ""
    if release.reader_recalled:
        return sentence("You", [RECALLED])
    return HELD if is_held(release.gates) else lacks_co_signers(release, actor.accountable)

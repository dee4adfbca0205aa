"""Lists of break-glasses, and the form that opens one."""

from dataclasses import dataclass

from apps.console.queries.paging import newest
from apps.console.queries.passkeys import Signing, signing
from apps.governance.models import Release
from apps.governance.queries.break_glass import (
    BreakGlassView,
    break_glass_views,
    break_glasses,
    may_open,
)
from placet.kernel.actor import Actor
from placet_verify.permit.break_glass import BreakGlassRule


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
        return f"Break the glass for {version} to {environment.name}?"

    @property
    def skips(self) -> str:
        """Continues the sentence on what it does not wait for."""
        return f", nor for these gates: {', '.join(self.rule.skip)}" if self.rule.skip else ""

    @property
    def confirmers(self) -> str:
        """Who must confirm it."""
        others = self.rule.people - 1
        return "An approver" if others == 1 else f"{others} approvers"


def break_glass_list_page(
    actor: Actor, *, project: str = "", review: str = "", release: str = "", before: str = ""
) -> tuple[list[BreakGlassView], str]:
    """Return one page of break-glasses, newest first, and the id to go on before."""
    glasses, key = newest(
        break_glasses(actor, project=project, review=review, release=release), before
    )
    return break_glass_views(glasses), key


def break_glass_form(release: Release, actor: Actor) -> BreakGlassForm | None:
    """Return what the form shows where ``actor`` may open one for ``release``; else ``None``."""
    rule = release.policy.break_glass
    if rule is None or not may_open(release, actor):
        return None
    hours = [h for h in (1, 2, 4, 8, 12, 24, 48, 72) if h < rule.hours]
    challenge = f"releases/{release.pk}/break-glass/challenge"
    fields = "statement_digest reason hours passkey"
    environment = release.environment.name
    signed = signing(environment, challenge, fields, actor, demanded=rule.passkey)
    return BreakGlassForm(release, rule, [*hours, rule.hours], signed)

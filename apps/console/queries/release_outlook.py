"""What a release still waits for, and what follows then: in its heading, and before an approval."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.console.queries.page_parts import Sign
from apps.console.queries.under_way import rollout_before, rollout_named
from apps.governance import gates
from apps.governance.gates.facts import GateResult
from apps.governance.models import Release
from apps.governance.queries.release_detail import ReleaseView
from apps.governance.queries.waiting import overtaken
from apps.governance.rules import CHANGES, is_held


@dataclass(frozen=True, slots=True)
class AfterApproval:
    """What happens once the reader has approved."""

    held: list[GateResult]  # the gates that it waits for even then
    then: str
    waits_for: str  # its turn, or room, in a sentence
    expires_first: bool  # whether it expires before these gates pass
    never: str  # why nothing follows by itself once they pass, or they cannot; '' where it does

    @property
    def is_last(self) -> bool:
        """Whether nothing but the reader's approval is missing."""
        return not self.held


def after_approval(view: ReleaseView) -> AfterApproval | None:
    """Return what happens once the reader approves; ``None`` where they are not asked to."""
    if not view.can_approve:
        return None
    held = gates.holding_back(view.once_you_approve)
    times = [at for at in map(passes_at, held) if at]
    return AfterApproval(
        held=held,
        then=what_follows(view, at_once=not held and not view.waits_for),
        waits_for=view.waits_for,
        expires_first=any(at > view.release.not_after for at in times),
        never=_never(view, held),
    )


def _never(view: ReleaseView, held: Iterable[GateResult]) -> str:
    """Say what has to become of gates that are ``held`` even then: what cannot pass, what others
    request of it, or whose people there are not."""
    if gates.cannot_pass(held):
        return gates.BOUND
    if is_held(held):
        return f"{view.lifting.says}."
    return f"{view.too_few_people}." if view.too_few_people else ""


def what_follows(view: ReleaseView, *, at_once: bool) -> str:
    """Say what becomes of a release that nothing holds back any more."""
    if not starts_alone(view.release):
        first = "the endpoint, which is stopped, and then " if view.is_stopped else ""
        return f"an operator has to start {first}the rollout"
    if view.is_stopped:
        return "it starts when somebody starts the endpoint, which is stopped"
    if before := rollout_before(view.release):
        return f"the rollout starts once the {rollout_named(before)} has ended"
    how = "at once" if at_once else "by itself"
    return f"the rollout starts {how}" if view.live else f"it goes live {how}"


def starts_alone(release: Release) -> bool:
    """Tell whether its rollout starts without anybody once it is approved, or did not yet."""
    return release.plan.get("start") == "on_approval" and not overtaken(release)


def waiting_signs(view: ReleaseView) -> list[Sign]:
    """Return a sign for each gate that waits for something else than people, then what follows."""
    by_time = [g for g in held_by_other_than_people(view.gates) if g["state"] == "waiting"]
    signs = [Sign("wait", "◷", waits_until(gate), True, passes_at(gate)) for gate in by_time]
    if view.failing or is_held(view.gates):
        return signs  # of changes that are requested nothing follows by itself
    if view.too_few_people:
        return [*signs, Sign("wait", "▲", view.too_few_people, wrap=True)]
    return [*signs, Sign("plain", "→", f"then {what_follows(view, at_once=False)}", wrap=True)]


def waits_until(gate: GateResult) -> str:
    """Return what is said of a gate that waits; when it passes stands behind that."""
    return f"{gate['title']}: passes" if passes_at(gate) else f"Waiting for: {gate['title']}"


def held_by_other_than_people(results: Iterable[GateResult]) -> list[GateResult]:
    """Return the gates that have not passed, without those that people open."""
    return [g for g in gates.holding_back(results) if g["gate"] not in ("approvals", CHANGES)]


def passes_at(gate: GateResult) -> datetime | None:
    """Return when a gate passes by the clock alone, where that is known."""
    at = gate["facts"].get("passes_at")
    return datetime.fromisoformat(at) if at else None

"""What happens if a release goes wrong: the one answer that its page shows twice."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.assurance.models import OF_DECISIONS
from apps.console.queries.stops import is_stopped_beside
from apps.console.queries.under_way import is_aborting, rollout_before, rollout_named
from apps.console.templatetags.placet import guarded
from apps.governance.models import OPEN_STATES
from apps.governance.queries.records import ReleaseRecord
from apps.governance.queries.release_detail import ReleaseView
from apps.governance.rules import ReleaseState
from apps.serving.rules import RevisionState
from placet.kernel.durations import spell

GONE: dict[str, str] = {  # what was live, and never is again
    ReleaseState.REVOKED: "was recalled",
    ReleaseState.ROLLED_BACK: "was rolled back",
}
DECISIONS_RECALLED = "the decisions of the release of {} were recalled"
NOTHING_LIVE = "a failed start leaves nothing live"
_ONE_CLICK = "is one click on the endpoint's page and needs no new approval."


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where a rollback would go, in a note and in a sentence."""

    to: str  # the version; '' where there is nothing to go back to
    note: str
    sentence: str  # '' where nothing can go wrong any more
    then: str = ""  # what it said when it was decided, where that is past


def way_back(view: ReleaseView) -> WayBack | None:
    """Return what happens if it goes wrong, and what people read of that when they decided.

    The release was read with :func:`apps.rollouts.queries.with_way_back`.
    """
    if view.release.state in OPEN_STATES:
        if is_aborting(view.release):
            return None  # what was live has all requests, or gets them
        live = view.release.live_version  # type: ignore[attr-defined]
        return _foreseen(view, live, stopped=view.is_stopped)
    then = "Not recorded."
    if not view.is_unknown:
        live = view.changes.compared_with
        then = _foreseen(view, live, stopped=is_stopped_beside(view)).sentence
    if view.release.state == ReleaseState.LIVE:
        return replace(_from_live(view), then=then)
    return WayBack("", "", "", then) if view.release.approved_at else None


def _foreseen(view: ReleaseView, live: str, *, stopped: bool) -> WayBack:
    """Return where it would go back to from where ``live`` is live, now or at the decision."""
    if before := rollout_before(view.release):
        return _from_open(view, "what is live then", _behind(before, live, stopped=stopped))
    if not live:
        return _first(view)
    goes_out = view.release.state == ReleaseState.ROLLING_OUT
    has_all = goes_out and view.release.live_weight == 0  # type: ignore[attr-defined]
    if has_all and not stopped:
        keeps = f"The new replicas have all requests now. {live} serves no more"
        return _from_open(view, live, keeps)
    return _from_open(view, live, _keeps(live, stopped=stopped, goes_out=goes_out))


def _behind(before: Mapping[str, Any], live: str, *, stopped: bool) -> str:
    """Say what serves until it starts where the rollout ``before`` has to end first."""
    serves = f"{live} serves what it leaves it until then" if live else "nothing is live until then"
    if stopped:
        serves = "the endpoint is stopped, so nothing is served and the rollout does not go on"
    return (
        f"The {rollout_named(before)} has to end first: {serves}. What is live then keeps serving "
        "until the new replicas are ready"
    )


def _keeps(live: str, *, stopped: bool, goes_out: bool) -> str:
    serves = f"{live} serves until the new replicas, or those of another rollout, are ready"
    if goes_out:
        serves = (
            f"{live} serves what the rollout leaves it until the new replicas have all requests"
        )
    if stopped:
        return f"The endpoint is stopped, so nothing is served. Once it is started {serves}"
    return serves if goes_out else f"{live} keeps serving until the new replicas are ready"


def once_replaced(keep_warm_seconds: int) -> str:
    """Say what becomes of a revision when another has taken its requests."""
    return f"stays on standby for {spell(keep_warm_seconds)}" if keep_warm_seconds else "is stopped"


def once_was_replaced(keep_warm_seconds: int) -> str:
    """Say the same of one that is on standby no more; something else may have ended that early."""
    if not keep_warm_seconds:
        return "was stopped"
    return f"was on standby for up to {spell(keep_warm_seconds)}"


def not_back(before: Mapping[str, Any] | None) -> str:
    """Return why no rollback goes to what was live ``before``, as ``passing_over`` has it; '' where
    nothing was."""
    if before is None:
        return ""
    version = before["version"]
    if before["release"] == ReleaseState.REVOKED and before["recall"] in OF_DECISIONS:
        return DECISIONS_RECALLED.format(version)
    if gone := GONE.get(before["release"]):
        return f"{version} {gone}"
    if before["unjustified"]:
        return f"the review of its emergency release found {version} not justified"
    if before["state"] == RevisionState.DRAINING:
        return f"{version} is on its way out"
    return f"{version} can't serve again"


def nowhere(why: str) -> str:
    """Say that no rollback goes anywhere, and why."""
    return f"There is no earlier revision to go back to{f': {why}' if why else ''}."


def _from_live(view: ReleaseView) -> WayBack:
    former = view.release.rollback_to  # type: ignore[attr-defined]
    if not former:
        why = not_back(view.release.passed_over)  # type: ignore[attr-defined]
        note = why or "there is no earlier revision to go back to"
        return WayBack("", f"now: {note}", nowhere(why))
    if view.is_stopped:
        once = f"Rolling back to {former} is possible once the endpoint is started."
        return WayBack(former, f"to {former}, once the endpoint is started", once)
    return WayBack(former, f"now to {former}", f"Rolling back to {former} {_ONE_CLICK}")


def _from_open(view: ReleaseView, live: str, keeps: str) -> WayBack:
    former = view.release.rollback_to  # type: ignore[attr-defined]
    unjustified = view.release.live_unjustified  # type: ignore[attr-defined]
    present = view.release.state in OPEN_STATES and live == view.release.live_version  # type: ignore[attr-defined]
    if unjustified and present:  # else something later is live by now, or will be
        why = _unjustified(live)
        earlier = nowhere(not_back(view.release.passed_over))  # type: ignore[attr-defined]
        if former:
            earlier = f"Rolling back to {former} {_ONE_CLICK}"
        return WayBack(former, f"to {former}" if former else why, f"{keeps}; {why}. {earlier}")
    return _back_to(live, view.release.plan, keeps)


def _unjustified(live: str) -> str:
    return f"the review of its emergency release found {live} not justified"


def _back_to(live: str, plan: Mapping[str, Any], keeps: str) -> WayBack:
    keep = plan["keep_warm_seconds"]
    then = once_replaced(keep)
    guard = plan.get("guard")
    alone = f" The node rolls back automatically at {guarded(guard)}." if guard else ""
    again = "" if keep else "starts it again, "
    click = f"rolling back {again}is one click and needs no new approval."
    return WayBack(live, f"{live} {then}", f"{keeps}, and {then}: {click}{alone}")


def _first(view: ReleaseView) -> WayBack:
    if view.release.state == ReleaseState.ROLLING_OUT:
        alone = "Nothing was live when it began: nothing is served if its rollout ends badly."
        return WayBack("", NOTHING_LIVE, alone)
    return _nothing_before(view.release.plan)


def _nothing_before(plan: Mapping[str, Any]) -> WayBack:
    within = spell(plan["ready_timeout_seconds"])
    sentence = (
        f"Nothing is live here: if it is not ready within {within}, the release fails and nothing "
        "is served."
    )
    return WayBack("", NOTHING_LIVE, sentence)


def way_back_then(plan: Mapping[str, Any], record: ReleaseRecord) -> WayBack:
    """Return what people read who decided, by what was kept of that."""
    if record.live is None:
        return _nothing_before(plan)
    live = record.changes.compared_with
    keeps = _keeps(live, stopped=record.is_stopped, goes_out=False)
    if record.live.is_unjustified:
        why = _unjustified(live)
        return WayBack("", why, f"{keeps}; {why}.")
    return _back_to(live, plan, keeps)

"""What follows from the gates: storing their answers, and approving when all have passed."""

from typing import Any

from apps.audit.actions import Recorder
from apps.governance import gates, rules
from apps.governance.events import RELEASE_APPROVED
from apps.governance.gates.facts import GateResult
from apps.governance.models import Release
from apps.governance.queries.facts import evaluate
from apps.governance.queries.waiting import START
from apps.governance.rules import ReleaseState
from apps.jobs.actions import enqueue
from placet.kernel import clock
from placet.kernel.states import move


def move_release(
    release: Release, *, expected: str | tuple[str, ...], to: str, **changes: Any
) -> bool:
    """Move a release by compare-and-set, along the table of its life cycle alone."""
    for state in (expected,) if isinstance(expected, str) else expected:
        if to not in rules.RELEASE_MOVES[state]:
            raise ValueError(f"no release goes from {state} to {to}")
    return move(release, expected=expected, to=to, **changes)


def store_gates(release: Release, results: list[GateResult] | None = None) -> list[GateResult]:
    """Evaluate every gate, unless the caller has, and keep the answers on the release."""
    now = clock.now()
    results = evaluate(release, now) if results is None else results
    release.gates, release.evaluated_at = list(results), now
    release.quorum_met = rules.quorum_met(results)
    if release.state == ReleaseState.REQUESTED:
        release.seen_live = live_at(release)
    release.save(update_fields=["gates", "evaluated_at", "quorum_met", "seen_live"])
    return results


def live_at(release: Release) -> str:
    """Return the id of the release that is live now at the endpoint of ``release``, '' for none:
    what people see it compared with."""
    live = Release.objects.filter(endpoint=release.endpoint_id, state=ReleaseState.LIVE)
    return live.values_list("pk", flat=True).first() or ""


def approve_if_passed(release: Release, results: list[GateResult], log: Recorder) -> bool:
    """Approve a requested release when every gate has passed, and have it started if it says so.

    At an endpoint that is stopped it could not start: whoever starts that has it started.
    """
    if not gates.passed(results):
        return False
    if not move_release(
        release, expected=ReleaseState.REQUESTED, to=ReleaseState.APPROVED, approved_at=clock.now()
    ):
        return False
    log.add(RELEASE_APPROVED, release, data={"number": release.number})
    if release.plan["start"] == "on_approval" and not release.endpoint.is_stopped:
        enqueue(START, key=release.pk, project=release.project_id, release=release.pk)
    return True

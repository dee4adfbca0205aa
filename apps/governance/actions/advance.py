"""What follows from the gates: storing their answers, and approving when all have passed."""

from apps.audit.actions import Recorder
from apps.governance import gates, rules
from apps.governance.events import RELEASE_APPROVED
from apps.governance.gates.facts import GateResult
from apps.governance.models import Release, ReleaseState
from apps.governance.queries.facts import evaluate
from apps.jobs.actions import enqueue
from placet.kernel import clock
from placet.kernel.states import move


def store_gates(release: Release) -> list[GateResult]:
    """Evaluate every gate and keep the answers on the release."""
    now = clock.now()
    results = evaluate(release, now)
    release.gates, release.evaluated_at = list(results), now
    release.quorum_met = rules.quorum_met(results)
    release.save(update_fields=["gates", "evaluated_at", "quorum_met"])
    return results


def approve_if_passed(release: Release, results: list[GateResult], log: Recorder) -> bool:
    """Approve a requested release when every gate has passed, and have it started if it says so."""
    if not gates.passed(results):
        return False
    if not move(
        release,
        expected=ReleaseState.REQUESTED,
        to=ReleaseState.APPROVED,
        approved_at=clock.now(),
    ):
        return False
    log.add(RELEASE_APPROVED, release, data={"number": release.number})
    if release.plan["start"] == "on_approval":
        enqueue("rollouts.start", key=release.pk, project=release.project_id, release=release.pk)
    return True

"""Who or what has paused a rollout, in the words of pages, the API and the command line."""

from apps.governance.plan import Analysis
from apps.rollouts.models import Rollout
from apps.rollouts.states import ENDED_STATES


def paused(row: Rollout, pauser: str) -> str:
    """Say who (``pauser``, the name of who did) or what has paused a rollout; '' where it goes on
    by itself, or has ended."""
    if row.paused_by:
        return f"Paused by {pauser}"
    if row.state in ENDED_STATES or not row.waits_for_person:
        return ""
    if row.waits_to_ship:
        return "Paused by its plan: an approver has to ship it"
    if isinstance(row.steps[row.step], Analysis):
        return f"Paused by its plan: the analysis in step {row.step + 1} was not settled in time"
    return f"Paused by its plan: step {row.step + 1} waits for an operator to resume it"

"""Which replicas a revision that its node scales by load has before it gets more requests. Pure.

Its node would start them by itself, but only once there are too few. A release therefore waits for
them, each step with the weight that it is about to give; what goes back waits for none.
"""

from apps.governance.plan import SetWeight
from apps.rollouts.rules.facts import RevisionChange, RolloutSnapshot
from apps.rollouts.states import RolloutKind, RolloutState
from apps.serving.rules import ENDED, RevisionState
from placet_protocol.report import READY_PHASES
from placet_verify.units import WHOLE


def needed(s: RolloutSnapshot, weight: int) -> int:
    """Return the replicas that the candidate is to have for ``weight``: its share of those that
    answer now, no fewer than it has, and no more than its node may give it."""
    candidate, ready = s.candidate, s.stable.ready_replicas if s.stable else 0
    if candidate.scaling is None:
        return candidate.replicas
    share = -(-ready * weight // WHOLE)  # rounded up
    return min(candidate.scaling.most, max(candidate.replicas, share))


def is_known(s: RolloutSnapshot) -> bool:
    """Tell whether what was observed is of now: what people ask for is decided without it."""
    return s.fresh and s.alive


def waits(s: RolloutSnapshot, weight: int) -> bool:
    """Tell whether the candidate has to have replicas for ``weight`` before it gets that."""
    grows = s.candidate.scaling is not None and s.stable is not None
    return grows and s.kind == RolloutKind.RELEASE and weight > s.candidate.weight


def is_held(s: RolloutSnapshot) -> bool:
    """Tell whether the present step has begun and has not given its weight yet."""
    if s.step < 0 or not isinstance(s.present, SetWeight):
        return False
    return waits(s, s.present.weight)


def seen(s: RolloutSnapshot) -> str:
    """Say how the candidate is, as far as that is known; '' or a sentence after a space."""
    known = s.fresh and s.candidate.phase
    return f" It is {s.candidate.phase}: {s.candidate.detail}" if known else ""


def still_lacking(s: RolloutSnapshot) -> str:
    """Say what the present step waits for, in a sentence that goes on."""
    why = s.candidate.detail.rstrip(".") or f"{_ready(s)} are"
    return f"every replica of {s.coming} to be ready: {why}"


def lacking(s: RolloutSnapshot) -> str:
    """Say why the present step did not get its replicas in time."""
    late = f"{s.coming.capitalize()} did not get its replicas in time"
    if not is_known(s):
        return f"{late}: nothing is heard of its node"
    return f"{late}: {_ready(s)} were ready.{seen(s)}"


def _ready(s: RolloutSnapshot) -> str:
    wanted = needed(s, s.present.weight) if isinstance(s.present, SetWeight) else 0
    return f"{s.candidate.ready_replicas} of {wanted}"


def sends(s: RolloutSnapshot, weight: int) -> tuple[RevisionChange, ...]:
    """Return what becomes of the revisions as ``weight`` is due: it is taken and given, or more
    replicas are asked for first; nothing while those that were asked for are not ready."""
    if waits(s, weight):
        enough = s.candidate.phase in READY_PHASES
        enough = enough and s.candidate.ready_replicas >= needed(s, weight)
        if not is_known(s) or not enough:
            return _grows(s, weight)
    gives = s.stable is not None and s.stable.state not in ENDED  # a recall has ended it
    take = (RevisionChange("stable", weight=WHOLE - weight),) if gives else ()
    more = _more(s, weight) if s.kind == RolloutKind.ROLLBACK else None
    return (*take, RevisionChange("candidate", RevisionState.READY, weight, replicas=more))


def _grows(s: RolloutSnapshot, weight: int) -> tuple[RevisionChange, ...]:
    """Ask for the replicas. A candidate that was starting has begun its first step with that."""
    state = RevisionState.READY if s.state == RolloutState.STARTING else None
    more = _more(s, weight)
    return (RevisionChange("candidate", state, replicas=more),) if state or more else ()


def _more(s: RolloutSnapshot, weight: int) -> int | None:
    """Return how many replicas the candidate is to have; ``None`` where it is told so already, or
    nobody knows."""
    wanted = needed(s, weight) if is_known(s) else 0
    return wanted if wanted > s.candidate.replicas else None

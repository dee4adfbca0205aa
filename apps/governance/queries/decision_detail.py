"""One decision on a release: what its page showed to who made it, and what it shows today."""

from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import JSONField
from django.db.models.fields.json import KT, KeyTransform
from django.db.models.functions import Cast

from apps.audit.models import Event
from apps.audit.rows import row_key
from apps.governance.events import RELEASE_DECIDED
from apps.governance.gates.facts import GateResult
from apps.governance.models import UNFINISHED_STATES, Decision, DecisionRecord, Release
from apps.governance.queries import visible_rows
from apps.governance.queries.compared import ComparedRelease, compared_release
from apps.governance.queries.facts import answers, gather
from apps.governance.queries.records import ReleaseRecord, read, record_of
from apps.governance.queries.release_detail import DecisionRow, decision_rows
from apps.governance.queries.visible_rows import ReadAlong
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound
from placet_verify import canonical


@dataclass(frozen=True, slots=True)
class LoggedRecord:
    """What the log says of a record: the digest that it had when it was made, and where. ``leaf``
    is ``None`` where the log has no such event, or no longer."""

    leaf: int | None
    is_same: bool  # as what is stored


@dataclass(frozen=True, slots=True)
class DecisionView(ComparedRelease):
    """A decision with what its page showed then, and shows today."""

    decision: DecisionRow
    gates: tuple[GateResult, ...]  # as they stood
    record: ReleaseRecord | None  # as it stood; None where there is none that can be read
    is_kept: bool  # not of a decision from before that was done
    gates_now: tuple[GateResult, ...]
    record_now: ReleaseRecord
    logged: LoggedRecord


def kept_with(decision: Decision) -> ReleaseRecord | None:
    """Return what was kept with a decision, which was read with its ``record``; ``None`` of one
    from before that was done, and of a record of a version that has no reader here."""
    row: DecisionRecord | None = getattr(decision, "record", None)
    return read(row.document) if row else None


def is_kept(decision: Decision) -> bool:
    """Tell whether anything was kept with a decision that was read with its ``record``."""
    return getattr(decision, "record", None) is not None


def decision_as_made(decision_id: str, actor: Actor) -> dict[str, Any]:
    """Return a decision with what was shown to who made it, or raise ``NotFound``. Four queries."""
    row = visible_rows.decision(decision_id, actor)
    (said,) = decision_rows([row])
    kept: DecisionRecord | None = getattr(row, "record", None)
    return {
        **asdict(said),
        "release": row.release_id,
        "gates": row.gates,
        "record": kept_with(row),
        "record_digest": kept.digest if kept else "",
    }


def decision_view(
    release_id: str, decision_id: str, actor: Actor, read_along: ReadAlong | None = None
) -> DecisionView:
    """Return a decision on a release with what its page showed then, and shows today, or raise
    ``NotFound``. At most eight queries."""
    found, served = compared_release(release_id, actor, read_along)
    row = found.release
    rows = Decision.objects.filter(release=row, pk=decision_id).select_related("record")
    decision = rows.first()
    if decision is None:
        raise NotFound
    facts = gather([row], clock.now(), served=served)[row.pk]
    (said,) = decision_rows([decision])
    return DecisionView(
        release=row,
        live=found.live,
        decision=said,
        gates=tuple(decision.gates),
        record=kept_with(decision),
        is_kept=is_kept(decision),
        gates_now=tuple(answers(row, facts) if row.state in UNFINISHED_STATES else row.gates),
        record_now=record_of(row, found.live, facts),
        logged=_logged(row, decision),
    )


def _logged(release: Release, decision: Decision) -> LoggedRecord:
    """Return what the log says of a decision's record (one query, where there is one)."""
    row: DecisionRecord | None = getattr(decision, "record", None)
    if row is None:
        return LoggedRecord(None, is_same=False)
    state = KeyTransform(row_key(row), KeyTransform("after", Cast("body", JSONField())))
    events = Event.objects.filter(subject=release.pk, kind=RELEASE_DECIDED.name)
    found = events.annotate(state=state).filter(state__isnull=False)
    last = found.annotate(digest=KT("state__digest")).values_list("index", "digest").last()
    leaf, digest = last or (None, "")
    return LoggedRecord(leaf, is_same=digest == canonical.digest(row.document.encode()))

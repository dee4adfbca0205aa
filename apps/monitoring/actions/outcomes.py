"""What became of predictions, as clients report it: counted for the revision that answered.

An outcome is matched with the captured prediction of its id. One whose prediction has not come
yet waits; ``place`` is the order in which outcomes were matched, and never changes: which outcome
of a unit is its first is settled once, and what was counted stays counted. Like windows and
captured predictions they are measurements: the log has the verdicts that rest on them.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from apps.identity.queries import authorize
from apps.monitoring.actions.daily import count_waiting
from apps.monitoring.actions.salts import lock_captured, salt_of
from apps.monitoring.errors import NothingCaptured
from apps.monitoring.models import CapturedPrediction, Outcome
from apps.monitoring.rules import draw_of
from apps.serving.models import Endpoint
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput

WAIT = timedelta(days=7)  # for a prediction that was not captured, or that its node still has
KEEP = timedelta(days=45)  # an analysis looks back a week at most, a pause before it 30 days


@dataclass(frozen=True, slots=True)
class Said:
    """What a client says became of one prediction."""

    prediction: UUID
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class ReceivedOutcomes:
    """What became of a report: matched, waiting for their prediction, and said before."""

    counted: int
    waiting: int
    known: int


def report_outcomes(endpoint: Endpoint, said: Sequence[Said], *, actor: Actor) -> ReceivedOutcomes:
    """Take in what became of some predictions, all or none. Needs ``outcome.report``.

    The same may be said again. Raises :class:`InvalidInput` where another value was said before:
    what was counted cannot be taken back. Raises :class:`NothingCaptured`, and
    :class:`QuotaReached` where more of one day would wait for their prediction than may.
    """
    authorize(actor, "outcome.report", endpoint, view="endpoint.view")
    if not endpoint.revisions.filter(serving__has_key="capture").exists():
        raise NothingCaptured
    salt_of(endpoint.pk)
    with transaction.atomic():
        lock_captured(endpoint.pk)
        known = {
            (row.prediction, row.name): row.value
            for row in Outcome.objects.filter(
                endpoint=endpoint, prediction__in={item.prediction for item in said}
            )
        }
        fresh = _fresh(said, known)
        rows = [
            Outcome(
                endpoint=endpoint,
                prediction=item.prediction,
                name=item.name,
                value=item.value,
                draw=draw_of(item.name, item.prediction),
                reported_by=actor.id,
                reported_at=now(),
            )
            for item in fresh
        ]
        counted = _match(endpoint.pk, rows)
        count_waiting(endpoint.pk, len(rows) - counted)
        Outcome.objects.bulk_create(rows)
    return ReceivedOutcomes(counted, len(rows) - counted, len(said) - len(rows))


def match_waiting(endpoint: str, predictions: Collection[UUID]) -> None:
    """Match what was said of these predictions before they came; the caller holds the lock."""
    rows = list(
        Outcome.objects.filter(endpoint=endpoint, place=None, prediction__in=predictions).order_by(
            "pk"
        )
    )
    _match(endpoint, rows)
    Outcome.objects.bulk_update(
        [row for row in rows if row.place is not None],
        ["place", "revision", "unit", "cohort", "predicted_at"],
    )


def forget_outcomes() -> int:
    """Delete those whose prediction never came, and those that no analysis looks at any more."""
    waited = Outcome.objects.filter(place=None, reported_at__lt=now() - WAIT)
    old = Outcome.objects.filter(predicted_at__lt=now() - KEEP)
    return waited.delete()[0] + old.delete()[0]


def _fresh(reports: Sequence[Said], known: Mapping[tuple[UUID, str], float]) -> list[Said]:
    """Return what was not said before; refuse what was said otherwise."""
    fresh: dict[tuple[UUID, str], Said] = {}
    faults = list[FieldError]()
    for index, item in enumerate(reports):
        key = (item.prediction, item.name)
        before = known[key] if key in known else fresh.setdefault(key, item).value
        if before != item.value:
            detail = f"{before:g} was reported before, and stays: leave it out"
            faults.append(FieldError(f"/outcomes/{index}/value", detail))
    if faults:
        raise InvalidInput(errors=faults)
    return [*fresh.values()]


def _match(endpoint: str, rows: Sequence[Outcome]) -> int:
    """Set whose they are, for those whose prediction is there: that of the answer, no copy's.

    One that two revisions say they answered is nobody's.
    """
    answered: dict[UUID, list[CapturedPrediction]] = defaultdict(list)
    for captured in CapturedPrediction.objects.filter(
        endpoint=endpoint, prediction__in={row.prediction for row in rows}
    ).exclude(cohort="mirrored"):
        answered[captured.prediction].append(captured)
    last = Outcome.objects.filter(endpoint=endpoint).aggregate(last=Max("place"))["last"] or 0
    matched = 0
    for row in rows:
        if len(answered[row.prediction]) == 1:
            (captured,) = answered[row.prediction]
            matched += 1
            row.place, row.revision, row.unit = last + matched, captured.revision, captured.unit
            row.cohort, row.predicted_at = captured.cohort, captured.at
    return matched

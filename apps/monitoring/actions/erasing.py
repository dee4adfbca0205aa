"""Erasing what was captured of one unit: asked for by a person, carried out by a job."""

import time

from django.db import transaction
from django.db.models import F

from apps.audit.actions import record
from apps.identity.queries import authorize
from apps.jobs.actions import enqueue
from apps.jobs.each import each
from apps.monitoring import parquet
from apps.monitoring.actions.captures import discard, erased_until
from apps.monitoring.actions.salts import lock_captured, salt_of
from apps.monitoring.errors import CaptureMoved
from apps.monitoring.events import ERASURE_DONE, ERASURE_REQUESTED
from apps.monitoring.models import CapturedPrediction, CapturePart, Erasure, Outcome
from apps.monitoring.prediction_lines import unit_hash
from apps.registry.errors import BlobMissing
from apps.serving.models import Endpoint
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import FieldError, InvalidInput, QuotaReached
from placet_verify.units import MAX_UNIT, is_readable

TURN_SECONDS = 3.0


def erase_unit(endpoint: Endpoint, *, unit: str, actor: Actor) -> Erasure:
    """Have everything captured of ``unit`` at ``endpoint`` erased. Needs ``prediction.erase``.

    Nothing of the unit reaches the log. What its node still has of the time before is not stored,
    nor what comes in the ten minutes after it, by which a node's clock may be ahead.
    """
    if not is_readable(unit):
        detail = f"1 to {MAX_UNIT} printable characters, as the requests carried it"
        raise InvalidInput(errors=[FieldError("/unit", detail)])
    with record(actor) as log:
        authorize(actor, "prediction.erase", endpoint, view="endpoint.view")
        salt = salt_of(endpoint.pk)
        lock_captured(endpoint.pk)
        _refuse_many(endpoint)
        row = Erasure.objects.create(
            project_id=endpoint.project_id,
            endpoint=endpoint,
            unit=unit_hash(salt, unit),
            requested_by=actor.id,
            requested_at=now(),
        )
        log.add(ERASURE_REQUESTED, row)
        _ask(endpoint.pk, row.project_id)
    return row


def _refuse_many(endpoint: Endpoint) -> None:
    """Count. What was captured there is held: of two at once the second sees the first."""
    most = config().max_open_erasures
    if Erasure.objects.filter(endpoint=endpoint, done_at=None).count() >= most:
        raise QuotaReached(
            f"{endpoint.name} has {most:,} erasures that are not carried out",
            most,
            remedy="wait until some are",
            setting="PLACET_MAX_OPEN_ERASURES",
        )


def carry_out_open(endpoint: str) -> int:
    """Carry out what is asked for at an endpoint, for some seconds: others have their turn, and
    the rest goes on in a job of its own. Return how many predictions went.

    One that cannot be carried out stops none of the others; what it raised is raised at the end,
    and it is tried again when all others that wait have been: it may use up a turn.
    """
    longest = F("tried_at").asc(nulls_first=True), "requested_at", "pk"
    rows = Erasure.objects.filter(endpoint=endpoint, done_at=None).order_by(*longest)
    end, faults, erased, left = time.monotonic() + TURN_SECONDS, list[Exception](), 0, list(rows)
    while left and time.monotonic() < end:
        erased += sum(each(_try, [left.pop(0)], faults))
    if faults:
        raise faults[0]  # the job tries again, after a growing pause
    if left:
        _ask(endpoint, left[0].project_id)
    return erased


def _try(row: Erasure) -> int:
    """Carry one out. That it was tried is kept first: what a worker dies of is not next again."""
    Erasure.objects.filter(pk=row.pk).update(tried_at=now())
    return carry_out(row.pk)


def ask_for_open() -> int:
    """Have what is open at each endpoint carried out, whose job was cancelled, failed for good or
    did not outlast a restore; return at how many endpoints."""
    rows = Erasure.objects.filter(done_at=None).order_by("endpoint")
    open_at = list(rows.values_list("endpoint", "project").distinct())
    for endpoint, project in open_at:
        _ask(endpoint, project)
    return len(open_at)


def _ask(endpoint: str, project: str) -> None:
    enqueue("monitoring.erase", key=endpoint, project=project, endpoint=endpoint)


def carry_out(erasure_id: str) -> int:
    """Write the files of the unit anew without it; return how many predictions went.

    May be repeated: a file is taken out of use by compare-and-set, and what is gone stays gone.
    """
    row = Erasure.objects.select_related("endpoint").get(pk=erasure_id)
    if row.done_at is not None:
        return row.erased
    for part in parts_of(row):
        _rewrite(part, row)
    with record(SYSTEM) as log:
        if Erasure.objects.filter(pk=row.pk, done_at=None).update(done_at=now()):
            outcomes = Outcome.objects.filter(endpoint=row.endpoint_id, unit=row.unit)
            outcomes.filter(predicted_at__lte=erased_until(row)).delete()
            row.refresh_from_db()
            log.add(ERASURE_DONE, row, data={"erased": row.erased})
    return row.erased


def parts_of(row: Erasure) -> list[CapturePart]:
    """Return the files that hold something of the unit."""
    own = CapturedPrediction.objects.filter(endpoint=row.endpoint_id, unit=row.unit)
    return list(CapturePart.objects.filter(pk__in=own.values("part")).order_by("pk"))


def _rewrite(part: CapturePart, row: Erasure) -> None:
    """Write one file anew; one that a restore did not bring back is forgotten whole."""
    try:
        digest = parquet.without(part.sha256, row.unit)
    except BlobMissing:
        digest = ""
    try:
        with transaction.atomic():
            _replace(part, digest, row)
    except CaptureMoved:
        discard([digest] if digest else [])
        raise
    discard([part.sha256])


def _replace(part: CapturePart, digest: str, row: Erasure) -> None:
    mine = CapturePart.objects.select_for_update().filter(pk=part.pk, sha256=part.sha256)
    if not mine.exists():
        raise CaptureMoved  # written anew by whoever stored more: the job tries again
    gone, _ = CapturedPrediction.objects.filter(part=part, unit=row.unit).delete()
    if digest:
        mine.update(sha256=digest, rows=part.rows - gone)
    else:
        part.delete()
    Erasure.objects.filter(pk=row.pk).update(erased=F("erased") + gone)

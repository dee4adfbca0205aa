"""When the drills of an endpoint come round: setting that, and ending it."""

from apps.audit.actions import Recorder, record
from apps.identity.queries import authorize
from apps.rollouts import drills
from apps.rollouts.events import DRILLS_SCHEDULED, DRILLS_UNSCHEDULED
from apps.rollouts.models import DrillSchedule
from apps.serving.actions import refuse_deleted
from apps.serving.actions.locking import lock_endpoint
from apps.serving.models import Endpoint
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput, NotFound, Stale


def schedule_drills(
    endpoint: Endpoint,
    *,
    every_days: int,
    hour: int,
    if_generation: int | None = None,
    actor: Actor,
) -> DrillSchedule:
    """Have a drill run every so many days at this hour, UTC; the first when it comes next.

    Needs ``drill.schedule``. ``if_generation`` is the schedule that was read, ``None`` when there
    was none: another one meanwhile is :class:`Stale`.
    """
    with record(actor) as log:
        endpoint = lock_endpoint(endpoint.pk)
        authorize(actor, "drill.schedule", endpoint, view="endpoint.view")
        refuse_deleted(endpoint)
        _check(every_days, hour)
        row = DrillSchedule.objects.filter(endpoint=endpoint).first()
        if (row.generation if row else None) != if_generation:
            raise Stale
        if row is None:
            row = DrillSchedule(endpoint=endpoint, project_id=endpoint.project_id, generation=-1)
        row.every_days, row.hour, row.set_by = every_days, hour, actor.id
        row.next_at = drills.first_time(hour, now())
        row.generation += 1
        row.save()
        log.add(DRILLS_SCHEDULED, row, data={"days": every_days, "hour": hour})
    return row


def _check(every_days: int, hour: int) -> None:
    faults = []
    if not 1 <= every_days <= drills.MAX_DAYS:
        faults.append(FieldError("/every_days", f"From 1 to {drills.MAX_DAYS} days"))
    if not 0 <= hour <= 23:
        faults.append(FieldError("/hour", "From 0 to 23, UTC"))
    if faults:
        raise InvalidInput(errors=faults)


def unschedule_drills(endpoint: Endpoint, *, if_generation: int, actor: Actor) -> None:
    """Have no more drills run by themselves. Needs ``drill.schedule``."""
    with record(actor) as log:
        endpoint = lock_endpoint(endpoint.pk)
        authorize(actor, "drill.schedule", endpoint, view="endpoint.view")
        row = DrillSchedule.objects.filter(endpoint=endpoint).first()
        if row is None:
            raise NotFound
        if row.generation != if_generation:
            raise Stale
        end_schedule(row, endpoint, log)


def end_schedule(row: DrillSchedule, endpoint: Endpoint, log: Recorder) -> None:
    """Delete the schedule of ``endpoint``, which the caller holds."""
    log.add(
        DRILLS_UNSCHEDULED,
        subject=endpoint.pk,
        deleted=(row,),
        project=endpoint.project_id,
        environment=endpoint.environment,
    )
    row.delete()

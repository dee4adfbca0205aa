"""What becomes of jobs and schedules when a database is an older copy of itself."""

from collections.abc import Collection
from datetime import timedelta

from django.db.models import Exists, F, OuterRef, Q

from apps.jobs.models import Job, JobState, Schedule
from placet.kernel.clock import database_now

MAY_HAVE_RUN = "Was open when the backup was made, and may have run since"
TAKEN_OVER = "A job of this key waits already and takes over"


def settle_restored(repeatable: Collection[str]) -> tuple[int, int]:
    """Let open jobs of the ``repeatable`` kinds be taken up again and end every other.

    No lease of the lost time counts: each job moves to the next generation. Schedules go on from
    now; what they planned before is not made up for. Returns how many go on and how many ended.
    """
    now = database_now()
    for schedule in Schedule.objects.all():
        schedule.next_at = now + timedelta(seconds=schedule.every_seconds)
        schedule.save(update_fields=["next_at"])
    is_open = Job.objects.filter(state__in=[JobState.QUEUED, JobState.RUNNING])
    fenced = {"generation": F("generation") + 1, "lease_until": None, "lease_owner": ""}
    ending = {**fenced, "state": JobState.CANCELLED, "finished_at": now}
    ended = is_open.exclude(kind__in=repeatable).update(**ending, error=MAY_HAVE_RUN)
    waiting = Job.objects.filter(state=JobState.QUEUED, kind=OuterRef("kind"), key=OuterRef("key"))
    running = is_open.filter(state=JobState.RUNNING)
    twice = running.filter(~Q(key=""), Exists(waiting)).values_list("pk", flat=True)
    ended += Job.objects.filter(pk__in=list(twice)).update(**ending, error=TAKEN_OVER)
    running.update(**fenced, state=JobState.QUEUED, due_at=now)
    return is_open.count(), ended

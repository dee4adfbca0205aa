"""Jobs through the eyes of an actor."""

from django.db.models import Q, QuerySet

from apps.jobs.hooks import held_back
from apps.jobs.models import Job, JobState
from placet.kernel.actor import INSTANCE, Actor, Scope
from placet.kernel.problems import NotFound

OPEN = (JobState.QUEUED, JobState.RUNNING)


def jobs_visible(actor: Actor) -> QuerySet[Job]:
    """Return the jobs that ``actor`` may see.

    Those of projects that they see, and all of them, the instance's own too, where the actor holds
    ``job.view`` for the instance; but of kinds that are held back only where they see what the job
    is about.
    """
    rows = Job.objects.all()
    for kinds in held_back():
        for kind, permission in kinds.items():
            rows = rows.exclude(_unseen(kind, permission, actor))
    if actor.can("job.view", INSTANCE):
        return rows
    where = Q(pk__in=[])
    for permission in ("job.view", "project.view"):
        projects = actor.projects_with(permission)
        where |= Q(project__isnull=False) if projects is None else Q(project__in=projects)
    return rows.filter(where)


def _unseen(kind: str, permission: str, actor: Actor) -> Q:
    """Return the condition for jobs of a kind where ``actor`` does not hold ``permission``."""
    held = actor.projects_with(permission)
    if held is None:
        return Q(pk__in=[])
    whole = [project for project in held if actor.can(permission, Scope(project))]
    return Q(kind=kind) & (Q(project=None) | ~Q(project__in=whole))


def job_visible(job_id: str, actor: Actor) -> Job:
    """Return one job, or raise :class:`NotFound`."""
    job = jobs_visible(actor).filter(pk=job_id).first()
    if job is None:
        raise NotFound
    return job


def open_jobs() -> QuerySet[Job]:
    """Return the jobs that wait or run, the one that is due longest first."""
    return Job.objects.filter(state__in=OPEN).order_by("due_at", "pk")

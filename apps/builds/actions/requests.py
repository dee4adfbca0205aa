"""Asking for a build, and asking for it to stop."""

from apps.audit.actions import record
from apps.builds.errors import BuildEnded, NotFinalised, OtherBuildOpen
from apps.builds.events import BUILD_CANCEL_ASKED, BUILD_CANCELLED, BUILD_REQUESTED
from apps.builds.models import Build
from apps.builds.rules import OPEN, BuildState
from apps.identity.models import Project
from apps.identity.queries import authorize
from apps.jobs.actions import enqueue
from apps.jobs.models import Job, JobState
from apps.registry.actions.locking import lock_version
from apps.registry.formats import ACCELERABLE
from apps.registry.models import ModelVersion, VersionState
from placet.kernel.actor import Actor
from placet.kernel.clock import database_now
from placet.kernel.config import config
from placet.kernel.problems import FieldError, InvalidInput, NotFound, QuotaReached
from placet.kernel.states import move


def request_build(version: ModelVersion, *, accelerate: bool = False, actor: Actor) -> Build:
    """Have ``version`` built; while a build of it is open, that one is the answer.

    ``accelerate`` has its ONNX form tried, which becomes part of the Bento and so of what people
    approve. Needs ``build.start``. Raises :class:`NotFinalised` for a draft and
    :class:`OtherBuildOpen` while a build with the other choice is open.
    """
    with record(actor) as log:
        # of two at once the second counts the first
        project = Project.objects.select_for_update(no_key=True).get(pk=version.project_id)
        row = lock_version(version, actor, "build.start")
        if row.state != VersionState.FINALISED:
            raise NotFinalised
        if accelerate and row.format not in ACCELERABLE:
            raise InvalidInput(errors=[FieldError("/accelerate", _not_faster(row.format))])
        if open_build := Build.objects.filter(version=row, state__in=OPEN).first():
            if open_build.accelerate != accelerate:
                raise OtherBuildOpen
            return open_build
        _refuse_many(project)
        build = Build(
            version=row, project_id=row.project_id, requested_by=actor.id, accelerate=accelerate
        )
        build.job = enqueue(
            "builds.run", queue="build", key=build.pk, project=row.project_id, build=build.pk
        ).pk
        build.save(force_insert=True)
        log.add(BUILD_REQUESTED, build, data={"version": row.pk, "accelerate": accelerate})
    return build


def _refuse_many(project: Project) -> None:
    quota = config().max_waiting_builds
    waiting = Build.objects.filter(project=project, state=BuildState.QUEUED).count()
    if waiting >= quota:
        raise QuotaReached(
            f"{waiting:,} builds of {project.slug} wait",
            quota,
            remedy="wait for one, or cancel one",
            setting="PLACET_MAX_WAITING_BUILDS",
        )


def _not_faster(model_format: str) -> str:
    return (
        f"A model in the format {model_format} cannot be converted: only {', '.join(ACCELERABLE)}"
    )


def cancel_build(build: Build, *, actor: Actor) -> Build:
    """Stop a build: at once when it waits, else as soon as its worker looks.

    Needs ``build.cancel``. Raises :class:`BuildEnded` when nothing is left to stop.
    """
    with record(actor) as log:
        # the job first: workers lock in this order
        job = Job.objects.select_for_update(no_key=True).filter(pk=build.job).first()
        row = Build.objects.select_for_update(no_key=True).filter(pk=build.pk).first()
        if row is None:
            raise NotFound
        authorize(actor, "build.cancel", row, view="build.view")
        if row.state not in OPEN:
            raise BuildEnded(f"The build has {row.state} already")
        waiting = job is None or job.state != JobState.RUNNING
        if job is not None:
            job.cancel_requested = True
            if waiting and job.state == JobState.QUEUED:
                job.state, job.finished_at = JobState.CANCELLED, database_now()
            job.save(update_fields=["cancel_requested", "state", "finished_at"])
        if waiting:
            move(row, expected=OPEN, to=BuildState.CANCELLED, finished_at=database_now())
            log.add(BUILD_CANCELLED, row)
        else:
            log.add(BUILD_CANCEL_ASKED, row)
    return row

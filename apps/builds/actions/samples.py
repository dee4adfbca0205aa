"""Loading the sample models: a project of their own, asked for by a person, filled by a job.

```
request_samples ──► project "Samples" and the job, in one transaction
load_samples ─────► version by version, whole and frozen in one transaction each;
                    of the newest one of each model a build
```

What is there is left as it is, so a job that died goes on where it stood.
"""

import hashlib
import io
from collections.abc import Sequence

from django.db.models import QuerySet

from apps.audit.actions import record
from apps.builds.actions.requests import request_build
from apps.builds.events import SAMPLES_REQUESTED
from apps.builds.models import Build
from apps.builds.samples import DESCRIPTION, NAME, SLUG, SampleModel, SampleVersion, sample_models
from apps.identity.actions import create_project
from apps.identity.errors import NameTaken
from apps.identity.models import Project
from apps.jobs.actions import enqueue
from apps.jobs.handlers import LeasedJob
from apps.jobs.models import Job, JobState
from apps.registry.actions import (
    add_evidence,
    create_model,
    create_version,
    finalise,
    receive_chunk,
    start_upload,
)
from apps.registry.models import ModelVersion, RegisteredModel, Upload
from placet.kernel.actor import SYSTEM, Actor

JOB = "builds.load_samples"
GAVE_UP = (JobState.FAILED, JobState.CANCELLED)


def request_samples(*, actor: Actor) -> Project:
    """Make the project of the sample models and have a job register them.

    Needs ``project.create``. Asked again, it is that project; where the job gave up, another goes
    on. Raises :class:`NameTaken` where somebody else made a project of that name.
    """
    with record(actor) as log:
        try:
            project = create_project(slug=SLUG, name=NAME, description=DESCRIPTION, actor=actor)
        except NameTaken:
            project = Project.objects.get(slug=SLUG)
            if not _gave_up(project):
                return project
        enqueue(JOB, key=project.pk, project=project.pk)
        log.add(SAMPLES_REQUESTED, subject=project.pk, project=project.pk)
    return project


def _gave_up(project: Project) -> bool:
    """Tell whether the last job that fills ``project`` failed; it must have had one."""
    last = Job.objects.filter(kind=JOB, project=project.pk).order_by("-pk").first()
    if last is None:
        raise NameTaken(f"There is a project {SLUG} already, with models of your own")
    return last.state in GAVE_UP


def load_samples(*, job: LeasedJob) -> int:
    """Register what is missing of the sample models, as Placet itself; return how many versions
    were made."""
    project = Project.objects.get(pk=job.project)
    done = 0
    for sample in sample_models():
        rows = list(_own(project, sample))
        for version in sample.versions[len(rows) :]:
            with record(SYSTEM):
                job.fence()
                rows.append(_made(project, sample, version, rows))
            done += 1
        if not Build.objects.filter(version=rows[-1]).exists():
            request_build(rows[-1], actor=SYSTEM)
    return done


def _own(project: Project, sample: SampleModel) -> QuerySet[ModelVersion]:
    """Return the sample's versions that Placet made, in order."""
    rows = ModelVersion.objects.filter(model__project=project, model__name=sample.name)
    return rows.filter(created_by=SYSTEM.id).select_related("project").order_by("number")


def _made(
    project: Project, sample: SampleModel, version: SampleVersion, before: Sequence[ModelVersion]
) -> ModelVersion:
    """Make a version whole, in the transaction of the caller: what others see is frozen, and none
    of them had a hand in it. Meanwhile its file goes to the store, which else no transaction waits
    for: it has some 20 kB, and nobody but this project's people waits along.
    """
    model = RegisteredModel.objects.filter(project=project, name=sample.name).first()
    if model is None:
        model = create_model(
            project, name=sample.name, description=sample.description, actor=SYSTEM
        )
    facts = dict(version.facts)
    if before:
        facts["lineage"] = facts["lineage"] | {"parent": before[-1].pk}
    row = create_version(model, actor=SYSTEM, **facts)
    for kind, said in version.evidence.items():
        add_evidence(row, kind=kind, data=said, actor=SYSTEM)
    data = version.file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    upload = start_upload(row, path=version.file.name, size=len(data), sha256=digest, actor=SYSTEM)
    if isinstance(upload, Upload):
        receive_chunk(upload, offset=0, stream=io.BytesIO(data), actor=SYSTEM)
    return finalise(row, actor=SYSTEM)

"""Loading the sample models: a project of their own, asked for by a person, filled by a job.

```
request_samples ──► project "Samples" and the job, in one transaction
load_samples ─────► model by model: its drafts with their evidence, in one transaction each;
                    then version by version: the file, finalised; of the newest one a build
```

What is there is left as it is, so a job that died goes on where it stood.
"""

import hashlib
import io

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
from apps.registry.models import ModelVersion, RegisteredModel, Upload, VersionState
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
    were finalised."""
    project = Project.objects.get(pk=job.project)
    done = 0
    for sample in sample_models():
        with record(SYSTEM):
            job.fence()
            rows = _drafts(project, sample)
        for row, version in zip(rows, sample.versions, strict=False):
            done += _complete(row, version)
        newest = rows[-1:]
        if newest and not Build.objects.filter(version=newest[0]).exists():
            request_build(newest[0], actor=SYSTEM)
    return done


def _drafts(project: Project, sample: SampleModel) -> list[ModelVersion]:
    """Return the sample's own versions, made with their evidence where there is no such model."""
    known = RegisteredModel.objects.filter(project=project, name=sample.name).first()
    if known is not None:
        own = ModelVersion.objects.filter(model=known, created_by=SYSTEM.id)
        return list(own.select_related("project").order_by("number"))
    model = create_model(project, name=sample.name, description=sample.description, actor=SYSTEM)
    rows: list[ModelVersion] = []
    for version in sample.versions:
        facts = dict(version.facts)
        if rows:
            facts["lineage"] = facts["lineage"] | {"parent": rows[-1].pk}
        row = create_version(model, actor=SYSTEM, **facts)
        for kind, data in version.evidence.items():
            add_evidence(row, kind=kind, data=data, actor=SYSTEM)
        rows.append(row)
    return rows


def _complete(row: ModelVersion, version: SampleVersion) -> bool:
    """Upload a draft's file and freeze it; tell whether it was one."""
    if row.state != VersionState.DRAFT:
        return False
    data = version.file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    upload = start_upload(row, path=version.file.name, size=len(data), sha256=digest, actor=SYSTEM)
    if isinstance(upload, Upload):
        rest = io.BytesIO(data[upload.received :])
        receive_chunk(upload, offset=upload.received, stream=rest, actor=SYSTEM)
    finalise(row, actor=SYSTEM)
    return True

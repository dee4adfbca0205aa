"""A project with a finalised version, and its people."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from apps.builds.actions import request_build, start
from apps.builds.models import Build
from apps.jobs.actions.lease import claim
from apps.jobs.handlers import LeasedJob
from apps.registry.models import ModelVersion, RegisteredModel
from placet.kernel.config import config
from tests.support.factories import actor_of, person, project


@dataclass
class Yard:
    """A project where things are built."""

    version: ModelVersion

    def __post_init__(self) -> None:
        self.project = self.version.project
        self.ada = person("Ada", roles={"contributor": self.project})
        self.victor = person("Victor", roles={"viewer": self.project})
        self.sam = person("Sam", roles={"contributor": project("elsewhere")})
        self.address = f"/projects/{self.project.slug}/models/churn/versions/1"

    def requested(self) -> Build:
        """Have Ada ask for a build."""
        return request_build(self.version, actor=actor_of(self.ada))

    def taken(self) -> tuple[Build, LeasedJob]:
        """Ask for a build and have a worker take it up."""
        build = self.requested()
        job = take(build)
        started = start(build.pk, job=job, isolation="bwrap")
        assert started is not None
        return started, job


def take(build: Build) -> LeasedJob:
    """Claim the build's job as a worker does."""
    job = claim(job_id=build.job)
    assert job is not None
    return LeasedJob(
        id=job.pk,
        kind=job.kind,
        args=job.args,
        project=job.project,
        generation=job.generation,
        attempt=1,
        max_attempts=2,
    )


@pytest.fixture
def yard(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """A project with one finalised version."""
    import workers.tasks  # noqa: F401  (registers the handlers)

    monkeypatch.setattr(config(), "data_dir", tmp_path / "data")
    risk = project("risk")
    model = RegisteredModel.objects.create(project=risk, name="churn", created_by="per_1")
    version = ModelVersion.objects.create(
        model=model,
        project=risk,
        number=1,
        state="finalised",
        author="per_1",
        created_by="per_1",
        format="sklearn",
        artifact_digest="sha256:" + "a" * 64,
    )
    return Yard(version)

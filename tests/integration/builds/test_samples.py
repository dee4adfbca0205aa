"""The sample models: who may load them, what comes of it, and what a click too many does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from apps.audit.models import Event
from apps.builds.actions import request_samples, samples
from apps.builds.models import Build
from apps.identity.actions import create_project
from apps.identity.errors import NameTaken
from apps.identity.models import Project
from apps.jobs.models import Job
from apps.registry.models import Evidence, ModelVersion
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.config import config
from placet.kernel.problems import Forbidden
from tests.support.factories import actor_of, person

pytestmark = pytest.mark.django_db
RunJobs = Callable[..., int]


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this test's blobs in its own folder."""
    monkeypatch.setattr(config(), "data_dir", tmp_path / "data")


@pytest.fixture
def admin() -> Actor:
    """Who looks after access, and may make projects."""
    return actor_of(person("Otto", roles={"admin": None}))


def kinds() -> list[str]:
    return list(Event.objects.order_by("index").values_list("kind", flat=True))


def test_an_administrator_loads_four_models_of_three_versions_each(
    admin: Actor, run_jobs: RunJobs
) -> None:
    project = request_samples(actor=admin)
    assert (project.slug, project.created_by) == ("samples", admin.id)
    assert "Sample data" in project.description
    assert run_jobs("control") == 1
    rows = ModelVersion.objects.filter(project=project).order_by("model__name", "number")
    assert [str(row) for row in rows] == [
        f"{name}:{number}"
        for name in ("credit-scoring", "demand", "diagnosis", "weld-defects")
        for number in (1, 2, 3)
    ]
    for row in rows:
        assert (row.state, row.format, row.author) == ("finalised", "onnx", "system")
        assert "Sample data" in row.card
        assert bool(row.lineage.get("parent")) is (row.number > 1)
    for name in ("credit-scoring", "demand", "diagnosis", "weld-defects"):
        found = Evidence.objects.filter(version__model__name=name, kind="metrics")
        assert len({str(one.data) for one in found}) == 3
    newest = Build.objects.filter(project=project).values_list("version__number", flat=True)
    assert list(newest) == [3] * 4
    asked = Event.objects.get(kind="project.samples_requested.v1")
    assert (asked.subject, asked.actor_id) == (project.pk, admin.id)
    assert not any(kind.startswith(("release.", "decision.")) for kind in kinds())


def test_a_double_click_loads_them_once(admin: Actor, run_jobs: RunJobs) -> None:
    assert request_samples(actor=admin) == request_samples(actor=admin)
    assert Job.objects.filter(kind=samples.JOB).count() == 1
    run_jobs("control")
    request_samples(actor=admin)
    assert run_jobs("control") == 0
    assert kinds().count("project.samples_requested.v1") == 1
    assert ModelVersion.objects.count() == 12


def test_what_died_half_way_goes_on_where_it_stood(
    admin: Actor, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = samples.finalise, [4]

    def dies(version: ModelVersion, *, actor: Actor) -> ModelVersion:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("No space left on device")
        return real(version, actor=actor)

    monkeypatch.setattr(samples, "finalise", dies)
    project = request_samples(actor=admin)
    run_jobs("control")
    assert ModelVersion.objects.filter(state="finalised").count() == 4
    Job.objects.filter(kind=samples.JOB).update(state="failed")
    monkeypatch.setattr(samples, "finalise", real)
    assert request_samples(actor=admin) == project
    run_jobs("control")
    assert ModelVersion.objects.filter(state="finalised").count() == 12
    assert ModelVersion.objects.count() == 12
    assert Evidence.objects.filter(kind="metrics").count() == 12
    assert Build.objects.count() == 4


def test_a_project_of_that_name_is_left_alone(admin: Actor, run_jobs: RunJobs) -> None:
    create_project(slug="samples", name="Blood samples", actor=SYSTEM)
    with pytest.raises(NameTaken, match="a project samples already"):
        request_samples(actor=admin)
    assert run_jobs("control") == 0


def test_who_may_make_no_project_loads_nothing() -> None:
    with pytest.raises(Forbidden):
        request_samples(actor=actor_of(person("Ada", roles={"operator": None})))
    assert not Project.objects.filter(slug="samples").exists()


def test_an_operator_of_the_machine_loads_them_by_a_command(
    run_jobs: RunJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("load_samples")
    assert "/projects/samples/members/" in capsys.readouterr().out
    assert run_jobs("control") == 1

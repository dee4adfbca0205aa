"""How many of a kind a project and a target may have; and turns that projects take on builds."""

import pytest

from apps.builds.actions import request_build
from apps.builds.models import Build
from apps.jobs.actions import enqueue
from apps.jobs.actions.lease import claim, end
from apps.jobs.handlers import LeasedJob
from apps.jobs.models import JobState
from apps.serving.actions import targets
from apps.serving.models import Endpoint, Prefetch, Target
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from placet.kernel.problems import QuotaReached
from tests.support.factories import api, person
from tests.support.meeting import Meeting, at_once
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_an_endpoint_too_many_is_refused_and_nothing_of_the_request_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_endpoints", 1)
    world.request("development", endpoint="one")
    world.request("development", endpoint="one")
    bento = world.bento(world.version())
    body = {"model": "churn", "version": bento.version.number, "environment": "development"}
    ada = api(world.people["Ada"])
    answer = ada.post("/projects/risk/releases", body | {"endpoint": "two"})
    assert (answer.status_code, answer.json()["code"]) == (409, "quota_reached")
    assert answer.json()["detail"] == (
        "risk has 1 endpoints, and 1 are allowed: release to one of them, delete one, or have "
        "the administrator raise PLACET_MAX_ENDPOINTS"
    )
    assert [row.name for row in Endpoint.objects.all()] == ["one"]
    World("toys").request("development", endpoint="theirs")


def test_a_target_takes_so_many_endpoints_of_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_target_endpoints", 1)
    world.request("development", endpoint="one")
    with pytest.raises(QuotaReached, match="PLACET_MAX_TARGET_ENDPOINTS"):
        World("toys").request("development", endpoint="theirs")


def test_builds_that_wait_are_counted_and_those_that_run_are_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_waiting_builds", 1)
    first = request_build(world.version(), actor=world.ada)
    assert request_build(first.version, actor=world.ada) == first
    with pytest.raises(QuotaReached, match="cancel one"):
        request_build(world.version(), actor=world.ada)
    Build.objects.filter(pk=first.pk).update(state="running")
    request_build(world.version(), actor=world.ada)


def test_a_project_has_so_many_bentos_fetched_ahead_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_prefetched", 2)
    for number in range(4):
        world.request("staging", endpoint=f"e{number}")
    assert Prefetch.objects.count() == 2
    again = Prefetch.objects.first()
    assert again is not None
    world.request("staging", again.bento, endpoint="another")
    assert Prefetch.objects.count() == 3, "what is fetched already costs nothing"
    World("toys").request("staging")
    assert Prefetch.objects.count() == 4


def test_so_many_targets_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config(), "max_targets", 1)
    chief = api(person("Chief", {"operator": None}))
    assert chief.post("/targets", {"name": "edge-1"}).status_code == 201
    refused = chief.post("/targets", {"name": "edge-2"})
    assert (refused.status_code, refused.json()["code"]) == (409, "quota_reached")
    assert Target.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_targets_at_once_the_second_sees_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config(), "max_targets", 1)
    monkeypatch.setattr(targets, "_refuse_many", Meeting().behind(targets._refuse_many))
    found = at_once(
        lambda: targets.create_target(name="edge-1", actor=SYSTEM),
        lambda: targets.create_target(name="edge-2", actor=SYSTEM),
    )
    assert {type(one) for one in found} == {Target, QuotaReached}


def _turns(count: int, *, at_once: int = 1) -> list[str]:
    """Have workers take ``count`` builds, ``at_once`` at a time; return whose each one was."""
    found, running = [], []
    for _ in range(count):
        job = claim(["build"])
        assert job is not None
        found.append(str(job.project))
        running.append(job)
        if len(running) == at_once:
            done = running.pop(0)
            leased = LeasedJob(
                id=done.pk, kind=done.kind, args={}, project=done.project,
                generation=done.generation, attempt=1, max_attempts=1,
            )  # fmt: skip
            assert end(leased, JobState.SUCCEEDED)
    return found


@pytest.mark.parametrize("at_once", [1, 2])
def test_projects_take_turns_on_the_build_queue(at_once: int) -> None:
    import workers.tasks  # noqa: F401  (registers the handlers)

    for number in range(6):
        enqueue("builds.run", queue="build", key=f"a{number}", project="prj_a", build="none")
    for number in range(2):
        enqueue("builds.run", queue="build", key=f"b{number}", project="prj_b", build="none")
    enqueue("builds.run", queue="build", key="c", project="prj_c", build="none")
    assert _turns(9, at_once=at_once) == [
        f"prj_{who}" for who in ("a", "b", "c", "a", "b", "a", "a", "a", "a")
    ]

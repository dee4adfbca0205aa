"""How many of a kind a project and a target may have; and turns that projects take on builds."""

from types import SimpleNamespace

import pytest

from apps.assurance.actions import recall
from apps.audit.models import Event
from apps.audit.queries.wrong_rows import wrong_rows
from apps.builds.actions import request_build
from apps.builds.models import Build
from apps.integrations.actions import streams
from apps.integrations.models import Stream
from apps.integrations.rules import StreamTerms
from apps.jobs.actions import enqueue
from apps.jobs.actions.lease import claim, end
from apps.jobs.handlers import LeasedJob
from apps.jobs.models import Job, JobState
from apps.monitoring.actions import erase_unit, erasing
from apps.monitoring.models import Erasure
from apps.registry.models import Evidence
from apps.serving.actions import targets
from apps.serving.hooks import keeper
from apps.serving.models import DesiredState, Endpoint, Prefetch, Target
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from placet.kernel.problems import QuotaReached
from tests.support.database import owning_tables
from tests.support.factories import api, person, project
from tests.support.meeting import Meeting, at_once
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.story import Story
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


def test_recalls_of_a_project_are_counted_and_one_that_names_nothing_is_told_to_nobody(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_recalls", 2)
    world, neighbour = story.world, World("toys")
    neighbour.request("development", endpoint="theirs")
    story.run_jobs()
    before = DesiredState.objects.get(target=world.target).number

    def recalled(digit: str) -> None:
        what = "sha256:" + digit * 64
        recall(kind="dataset", what=what, reason="x", project=neighbour.project, actor=SYSTEM)

    recalled("1")
    recalled("2")
    recalled("2")
    with pytest.raises(QuotaReached, match="PLACET_MAX_RECALLS"):
        recalled("3")

    story.run_jobs()
    assert DesiredState.objects.get(target=world.target).number == before
    assert keeper().told(world.target) == {"recalled": [], "recalls": []}


def test_erasures_that_are_open_are_counted_and_wait_behind_everybody(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_open_erasures", 3)
    endpoint = story.lived().endpoint
    for number in range(3):
        erase_unit(endpoint, unit=f"u{number}", actor=story.otto)
    with pytest.raises(QuotaReached, match="PLACET_MAX_OPEN_ERASURES"):
        erase_unit(endpoint, unit="u3", actor=story.otto)
    assert Job.objects.filter(kind="monitoring.erase", state="queued").count() == 1
    enqueue("rollouts.reconcile_target", key=story.world.target.pk, target=story.world.target.pk)

    job = claim(["control"])

    assert job is not None and job.kind != "monitoring.erase"


def test_an_erasure_that_fails_stops_no_other(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = story.lived().endpoint
    rows = [erase_unit(endpoint, unit=f"u{number}", actor=story.otto) for number in range(3)]
    carry_out = erasing.carry_out

    def failing(row: str) -> int:
        if row == rows[0].pk:
            raise OSError("the disk")
        return carry_out(row)

    monkeypatch.setattr(erasing, "carry_out", failing)
    with pytest.raises(OSError, match="the disk"):
        erasing.carry_out_open(endpoint.pk)
    Job.objects.filter(kind="monitoring.erase").update(state="cancelled")
    assert erasing.ask_for_open() == 1
    assert list(Erasure.objects.filter(done_at=None)) == rows[:1]
    monkeypatch.setattr(erasing, "TURN_SECONDS", 0)
    assert erasing.carry_out_open(endpoint.pk) == 0
    assert Job.objects.filter(kind="monitoring.erase", state="queued").count() == 1


def test_of_many_erasures_that_fail_each_has_its_turn(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = story.lived().endpoint
    rows = [erase_unit(endpoint, unit=f"u{number}", actor=story.otto).pk for number in range(10)]
    tried: list[str] = []
    clock = [0.0]

    def failing(row: str) -> int:
        tried.append(row)
        clock[0] += 60  # it takes longer than a turn
        raise OSError("the disk")

    def turns(count: int) -> list[str]:
        tried.clear()
        for _ in range(count):
            with pytest.raises(OSError, match="the disk"):
                erasing.carry_out_open(endpoint.pk)
        return list(tried)

    monkeypatch.setattr(erasing, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    carry_out = erasing.carry_out
    monkeypatch.setattr(erasing, "carry_out", failing)
    assert turns(10) == rows
    newer = erase_unit(endpoint, unit="newer", actor=story.otto).pk
    assert turns(3) == [newer, *rows[:2]], "who has waited longest is next"
    monkeypatch.setattr(erasing, "carry_out", carry_out)
    erasing.carry_out_open(endpoint.pk)
    assert not Erasure.objects.filter(done_at=None).exists()
    assert_log_rebuilds_every_row(Erasure)


def test_reported_evidence_is_counted_and_the_log_holds_none_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_evidence_bytes", 3000)
    version = world.version()
    path = f"/projects/risk/models/{version.model.name}/versions/{version.number}/evidence"
    data = {"title": "t", "sha256": "0" * 64, "notes": "Jane Doe " * 200}
    alan = api(world.people["Alan"])
    assert alan.post(path, {"kind": "document", "data": data}).status_code == 201
    event = Event.objects.order_by("-index")[0]
    assert event.kind == "evidence.added.v1" and "Jane" not in event.body
    assert len(event.body) < 2000
    again = alan.post(path, {"kind": "document", "data": data})
    assert (again.status_code, again.json()["code"]) == (409, "quota_reached")
    row = f"registry.evidence:{Evidence.objects.get(kind='document').pk}"
    assert row not in str(list(wrong_rows()))
    with owning_tables():
        Evidence.objects.filter(kind="document").update(data=data | {"notes": "John"})
    assert row in str(list(wrong_rows()))


def test_a_number_that_postgres_would_give_back_as_another_is_refused(world: World) -> None:
    version = world.version()
    path = f"/projects/risk/models/{version.model.name}/versions/{version.number}/evidence"
    alan = api(world.people["Alan"])
    for number in (1e16, -1e300, 10**400, 2**53):
        answer = alan.post(path, {"kind": "metrics", "data": {"loss": number}})
        assert (answer.status_code, "2^53" in answer.content.decode()) == (400, True)
    assert alan.post(path, {"kind": "metrics", "data": {"loss": 9e15}}).status_code == 201


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


def test_so_many_streams_of_a_project_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config(), "max_streams", 1)
    for slug in ("mine", "other"):
        project(slug)
    chief = api(person("Chief", {"admin": None}))
    body = {"kind": "jsonl", "url": "https://siem.example"}
    for name, asked, status in (
        ("a", "mine", 201),
        ("b", "mine", 409),
        ("b", "other", 201),
        ("c", None, 201),
        ("d", None, 201),
    ):
        answer = chief.post("/streams", {**body, "name": name, "project": asked})
        assert answer.status_code == status, answer.content
        assert status == 201 or answer.json()["detail"] == (
            "mine has 1 streams, and 1 are allowed: remove one, or have the administrator raise "
            "PLACET_MAX_STREAMS"
        )


@pytest.mark.django_db(transaction=True)
def test_of_two_streams_at_once_the_second_sees_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config(), "max_streams", 1)
    monkeypatch.setattr(streams, "_refuse_many", Meeting().behind(streams._refuse_many))
    mine = project("mine")
    to = StreamTerms("jsonl", "https://siem.example")
    found = at_once(
        lambda: streams.add_stream(name="a", terms=to, project=mine, actor=SYSTEM),
        lambda: streams.add_stream(name="b", terms=to, project=mine, actor=SYSTEM),
    )
    assert {type(one) for one in found} == {Stream, QuotaReached}


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
                id=done.pk,
                kind=done.kind,
                args={},
                project=done.project,
                generation=done.generation,
                attempt=1,
                max_attempts=1,
            )
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

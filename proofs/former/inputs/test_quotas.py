"""How many of a kind there may be, and whose turn it is."""

from collections.abc import Callable

import pytest

import workers.tasks  # noqa: F401  (registers the handlers)
from apps.builds.actions import request_build
from apps.builds.models import Build
from apps.jobs.actions import enqueue
from apps.jobs.actions.lease import claim
from apps.serving.actions import create_endpoint, prefetch
from apps.serving.models import Endpoint, Prefetch, Target
from placet.kernel.problems import Problem
from tests.factories import api, person
from tests.governed import World

pytestmark = pytest.mark.django_db


def done(act: Callable[[int], object], often: int) -> None:
    """Do something so often, or until it is refused."""
    try:
        for number in range(often):
            act(number)
    except Problem:
        return


def make(world: World, name: str) -> Endpoint:
    """Have Ada make an endpoint."""
    return create_endpoint(
        world.project, environment="development", name=name, target=world.target, actor=world.ada
    )


def test_a_project_has_so_many_endpoints(world: World) -> None:
    done(lambda number: make(world, f"e{number}"), 110)
    assert Endpoint.objects.count() <= 100


def test_an_endpoint_that_nothing_needs_can_be_deleted(world: World) -> None:
    endpoint = make(world, "unneeded")
    client = api(world.people["Otto"])
    etag = client.get(f"/endpoints/{endpoint.pk}").headers["ETag"]
    assert client.delete(f"/endpoints/{endpoint.pk}", if_match=etag).status_code == 204


def test_a_target_has_so_many_endpoints(world: World) -> None:
    first = make(world, "first")
    for slug in ("a", "b", "c", "d", "e"):
        other = World(slug)
        Endpoint.objects.bulk_create(
            [
                Endpoint(
                    project=other.project,
                    environment="development",
                    name=f"e{number}",
                    target=first.target,
                    created_by=first.created_by,
                )
                for number in range(99)
            ]
        )
    done(lambda number: make(world, f"e{number}"), 10)
    assert Endpoint.objects.count() <= 500


def test_a_project_has_so_many_bentos_fetched_ahead(world: World) -> None:
    version = world.version()
    for number in range(25):
        prefetch(world.target, bento=world.bento(version), holder=f"rel_{number}", actor=world.ada)
    assert Prefetch.objects.count() <= 20


def test_a_project_has_so_many_builds_waiting(world: World) -> None:
    done(lambda _: request_build(world.version(), actor=world.ada), 25)
    assert Build.objects.filter(state="queued").count() <= 20


def test_there_are_so_many_targets_and_so_many_nodes() -> None:
    Target.objects.bulk_create(
        [Target(name=f"edge-{number}", driver="node", capacity_mb=64) for number in range(1000)]
    )
    chief = api(person("Chief", {"operator": None}))
    assert chief.post("/targets", {"name": "another"}).status_code == 409


def test_projects_take_turns_on_the_build_queue() -> None:
    for number in range(6):
        enqueue("builds.run", queue="build", key=f"a{number}", project="prj_a", build="none")
    enqueue("builds.run", queue="build", key="b", project="prj_b", build="none")
    taken = [claim(["build"]) for _ in range(2)]
    assert [job and job.project for job in taken] == ["prj_a", "prj_b"]

"""What does not fit on a target is said, waited for, and started when there is room."""

import json
import os
from typing import Any

import pytest

from apps.governance.models import Release
from apps.jobs.models import Job
from apps.serving.models import Target
from placet.kernel.clock import database_now
from placet.management.commands.prepare import local_target
from tests.factories import api
from tests.governed import World
from tests.integration.former.conftest import RunJobs
from tests.nodes import SimulatedNode, run

pytestmark = pytest.mark.django_db
LARGE: dict[str, Any] = {"memory_mb": 3000}


@pytest.fixture
def large(world: World, node: SimulatedNode, run_jobs: RunJobs) -> Release:
    """A release that serves and has 3,000 of the target's 4,096 MB."""
    Target.objects.filter(pk=world.target.pk).update(capacity_mb=4096)
    release = world.request("development", serving=LARGE)
    run(node, run_jobs)
    release.refresh_from_db()
    assert release.state == "live"
    return release


def tried(node: SimulatedNode, run_jobs: RunJobs) -> None:
    """Let starts that wait be tried again, more often than failing ones would be."""
    for _ in range(4):
        Job.objects.filter(kind="rollouts.start", state="queued").update(due_at=database_now())
        run(node, run_jobs)


def told(world: World, release: Release) -> str:
    """Return all that Ada's client reads of a release."""
    return json.dumps(api(world.people["Ada"]).get(f"/releases/{release.pk}").json())


def test_whoever_waits_reads_for_what(
    large: Release, world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    second = world.request("development", endpoint="other", serving=LARGE)
    tried(node, run_jobs)
    says = "do not fit" in told(world, second)
    assert says, "Ada reads nothing of it"


def test_a_release_without_room_waits_and_fails_no_job(
    large: Release, world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    world.request("development", endpoint="other", serving=LARGE)
    tried(node, run_jobs)
    failed = list(Job.objects.filter(state="failed").values_list("kind", flat=True))
    assert failed == []


def test_what_does_not_fit_is_said_before_anybody_decides(large: Release, world: World) -> None:
    asked = world.request("staging", endpoint="other", serving=LARGE)
    says = "development/churn" in told(world, asked)
    assert says, "nothing says what has the memory"


def test_a_stopped_endpoint_frees_its_memory(
    large: Release, world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    otto = api(world.people["Otto"])
    assert otto.post(f"/endpoints/{large.endpoint_id}/stop").status_code == 200
    second = world.request("development", endpoint="other", serving=LARGE)
    tried(node, run_jobs)
    second.refresh_from_db()
    assert second.state == "live"


def test_the_target_of_this_machine_offers_what_it_has() -> None:
    """It fails there on a machine with more than 8 GiB: the target offered 4 GiB of any."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    assert local_target().capacity_mb >= machine // 2

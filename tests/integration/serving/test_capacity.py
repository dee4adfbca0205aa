"""What does not fit on a target: said when it is asked for, and started when there is room."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.governance.models import Release
from apps.jobs.models import Job
from apps.operations.management.commands.prepare import for_models, local_target, physical_mb
from apps.serving.actions import endpoints, scale_endpoint
from apps.serving.capacity import occupants
from apps.serving.errors import NoRoom
from apps.serving.models import Endpoint, Target
from placet.kernel.clock import database_now
from tests.support.factories import api
from tests.support.meeting import Meeting, at_once
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
LARGE: dict[str, Any] = {"memory_mb": 3000}


@pytest.fixture
def large(story: Story) -> Release:
    """A release that serves and has 3,000 of the target's 4,096 MB."""
    Target.objects.filter(name="local").update(capacity_mb=4096)
    return story.live(serving=LARGE)


def again(story: Story) -> None:
    """Let starts that wait be tried again, more often than failing ones would be."""
    for _ in range(4):
        Job.objects.filter(kind="rollouts.start", state="queued").update(due_at=database_now())
        story.settle(rounds=3)


def detail(story: Story, release: Release) -> dict[str, Any]:
    """Return what Ada's client reads of a release."""
    body: dict[str, Any] = api(story.people["Ada"]).get(f"/releases/{release.pk}").json()
    return body


def test_a_release_without_room_waits_says_so_and_starts_when_there_is(
    large: Release, story: Story
) -> None:
    second = story.release("development", endpoint="other", serving=LARGE)
    again(story)
    assert story.state(second) == "approved"
    assert not Job.objects.filter(state="failed").exists()
    why = detail(story, second)["waits_for"]
    assert why.startswith(
        "3,000 MB do not fit on local now: 3,000 MB by development/churn of 4,096 MB are taken"
    )

    otto = api(story.people["Otto"])
    assert otto.post(f"/endpoints/{large.endpoint_id}/stop").status_code == 200
    again(story)
    assert story.state(second) == "live"
    assert detail(story, second)["waits_for"] == ""


def test_what_would_not_fit_is_said_before_anybody_decides(large: Release, story: Story) -> None:
    asked = story.release("staging", serving=LARGE)
    assert asked.state == "requested"
    assert "3,000 MB by development/churn" in detail(story, asked)["waits_for"]
    small = story.release("staging", endpoint="small", serving={"memory_mb": 512})
    assert detail(story, small)["waits_for"] == ""


def test_what_is_larger_than_the_target_is_refused_at_once(large: Release, story: Story) -> None:
    body = {
        "model": large.version.model.name,
        "version": large.version.number,
        "endpoint": "huge",
        "environment": "staging",
        "serving": {"memory_mb": 5000},
    }
    answer = api(story.people["Ada"]).post("/projects/risk/releases", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "does_not_fit")
    assert not Endpoint.objects.filter(name="huge").exists()


def test_a_stopped_endpoint_starts_again_only_where_there_is_room(
    large: Release, story: Story
) -> None:
    otto = api(story.people["Otto"])
    path = f"/endpoints/{large.endpoint_id}"
    assert otto.post(f"{path}/stop").status_code == 200
    assert otto.post(f"{path}/start").status_code == 200
    assert otto.post(f"{path}/start").json()["code"] == "endpoint_state"
    assert otto.post(f"{path}/stop").status_code == 200
    other = story.live("development", endpoint="other", serving=LARGE)

    refused = otto.post(f"{path}/start")
    assert (refused.status_code, refused.json()["code"]) == (409, "does_not_fit")
    assert "3,000 MB by development/other" in refused.json()["detail"]
    assert otto.get(path).json()["state"] == "stopped"
    assert otto.post(f"/endpoints/{other.endpoint_id}/stop").status_code == 200
    assert otto.post(f"{path}/start").status_code == 200


def test_people_of_one_project_read_no_name_of_another(large: Release, story: Story) -> None:
    toys = World("toys")
    asked = toys.request("development", serving=LARGE)
    why = api(toys.people["Ada"]).get(f"/releases/{asked.pk}").json()["waits_for"]
    assert "3,000 MB by other projects of 4,096 MB are taken" in why
    assert "churn" not in why


def test_a_warm_revision_gives_way_and_is_not_waited_for(large: Release, story: Story) -> None:
    Target.objects.filter(name="local").update(capacity_mb=6000)
    second = story.live(serving=LARGE)
    assert (story.state(large), story.state(second)) == ("superseded", "live")
    third = story.live("development", endpoint="other", serving=LARGE)
    assert story.state(third) == "live"
    assert [state for _, state, _ in story.states()].count("live") == 2


@pytest.mark.parametrize(
    ("machine", "models"), [(24_105, 18_079), (8_192, 5_120), (4_096, 1_024), (1_024, 512)]
)
def test_the_target_of_this_machine_offers_what_the_machine_has(machine: int, models: int) -> None:
    assert for_models(machine) == models
    assert local_target().capacity_mb == for_models(physical_mb())


@pytest.mark.django_db(transaction=True)
def test_of_two_that_are_scaled_at_once_the_second_sees_the_first(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    Target.objects.filter(name="local").update(capacity_mb=3000)
    for name in ("one", "two"):
        wish = {"memory_mb": 1000, "replicas": 1, "max_replicas": 2}
        story.live("development", endpoint=name, serving=wish)
    monkeypatch.setattr(endpoints, "occupants", Meeting().behind(endpoints.occupants))
    places, otto = list(Endpoint.objects.order_by("name")), story.otto

    def scale(place: Endpoint) -> Callable[[], object]:
        return lambda: scale_endpoint(place, replicas=2, actor=otto)

    found = at_once(*map(scale, places))
    assert {type(one) for one in found} == {bool, NoRoom}
    assert sum(row.memory_mb for row in occupants(places[0].target)) == 3000

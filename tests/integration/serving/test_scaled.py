"""What its node scales by load: the room that it may take, who says how many there are, and when
too few answer."""

from datetime import timedelta
from typing import Any

import pytest

from apps.builds.models import Bento
from apps.governance.models import Release
from apps.monitoring.reconciler import Sweep, judge_replicas
from apps.serving.capacity import needed_mb, occupants, running_mb
from apps.serving.drivers.kinds import driver_for
from apps.serving.drivers.node import driver
from apps.serving.models import Endpoint, Revision, Target
from apps.serving.queries import status
from apps.serving.replicas import MOST_REPLICAS, most_replicas
from apps.serving.rules import serving_config
from placet.kernel.clock import now
from placet_client.cli import main
from tests.support.commands import become
from tests.support.factories import ApiClient, api, browser
from tests.support.scaled import BOUNDS, scaled
from tests.support.story import Story

pytestmark = pytest.mark.django_db
DOCUMENTS: list[dict[str, Any]] = [
    {},
    {"replicas": 2},
    {"replicas": 2, "max_replicas": 5, "egress": []},
    {"replicas": 2, "max_replicas": 5, "target_inflight": 4},  # of before there was egress
    {"replicas": 2, "max_replicas": 5, "target_inflight": 4, "egress": []},
    {"replicas": 2, "target_inflight": 4, "egress": []},
    {"target_inflight": 4, "egress": []},
]


@pytest.fixture
def live(story: Story) -> Release:
    """A release that serves with two replicas of 512 MB."""
    return story.once("two replicas", lambda: story.live(serving={"replicas": 2, "memory_mb": 512}))


@pytest.fixture
def otto(story: Story) -> ApiClient:
    """The operator of the project."""
    return api(story.people["Otto"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_most_replicas_are_the_same_in_a_query(live: Release, document: dict[str, Any]) -> None:
    Revision.objects.update(serving=document, replicas=3)
    (counted,) = Revision.objects.annotate(most=MOST_REPLICAS).values_list("most", flat=True)
    assert counted == most_replicas(document, 3)


def test_a_scaled_revision_has_room_for_all_that_it_may_become(live: Release, story: Story) -> None:
    endpoint = Endpoint.objects.select_related("target").get(pk=live.endpoint_id)
    assert [row.memory_mb for row in occupants(endpoint.target)] == [1024]
    scaled(story, 1)
    assert [row.memory_mb for row in occupants(endpoint.target)] == [4096]
    assert running_mb(endpoint) == 4096
    assert needed_mb({"replicas": 2, "memory_mb": 512} | BOUNDS) == 4096
    assert needed_mb({"replicas": 2, "memory_mb": 512, "max_replicas": 8}) == 1024
    page = browser(story.people["Otto"]).get("/targets/local/").content.decode()
    assert "4,096 of" in page


def test_what_a_scaled_revision_may_become_is_no_room_for_others(
    live: Release, story: Story
) -> None:
    Target.objects.filter(name="local").update(capacity_mb=4608)
    scaled(story, 1)
    other = story.release("staging", serving={"memory_mb": 1024})
    why = api(story.people["Ada"]).get(f"/releases/{other.pk}").json()["waits_for"]
    assert why.startswith("1,024 MB do not fit on local now: 4,096 MB by development/churn")


def test_a_node_has_users_for_no_more_than_they_may_all_become(
    live: Release, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "MAX_REPLICAS", 10)
    target = story.node.row.target
    bento = Bento.objects.select_related("runtime").get(pk=live.bento_id)
    wish, most = serving_config({"replicas": 3}), serving_config({"replicas": 3} | BOUNDS)
    assert driver_for(target).validate(target, bento, wish) == []
    assert driver_for(target).validate(target, bento, most) == []
    monkeypatch.setattr(driver, "MAX_REPLICAS", 9)
    said = "{} replicas are wanted on local, and a node has users for 9"
    assert driver_for(target).validate(target, bento, most) == [said.format(10)]
    scaled(story, 1)
    assert driver_for(target).validate(target, bento, wish) == [said.format(11)]


def test_nobody_says_how_many_there_are_of_what_its_node_scales(
    live: Release, story: Story, otto: ApiClient
) -> None:
    scaled(story, 1)
    for replicas in (2, 5):
        refused = otto.post(f"/endpoints/{live.endpoint_id}/scale", {"replicas": replicas})
        assert (refused.status_code, refused.json()["code"]) == (409, "scaled_by_load")
        assert refused.json()["detail"] == (
            "Its node scales it by load between 1 and 8 replicas, as its release says: request a "
            "release with other bounds"
        )
    assert Revision.objects.get().replicas == 2
    page = browser(story.people["Otto"]).get(f"/endpoints/{live.endpoint_id}/").content.decode()
    assert "2 replicas ready, scaled by load between 1 and 8" in page
    assert "Scale…" not in page and 'id="scale"' not in page
    assert "The replicas of churn:1 are replaced one after another" in page


@pytest.mark.parametrize(("ready", "health"), [(1, "healthy"), (3, "healthy"), (0, "down")])
def test_a_scaled_revision_is_well_with_the_fewest_that_its_node_may_leave_it(
    live: Release, story: Story, otto: ApiClient, ready: int, health: str
) -> None:
    scaled(story, 1, ready=ready)
    story.node.step()
    body = otto.get(f"/endpoints/{live.endpoint_id}").json()
    assert body["health"] == health
    many = "1 replica" if ready == 1 else f"{ready} replicas"
    assert body["replicas_ready"] == f"{many} ready, scaled by load between 1 and 8"
    (revision,) = body["revisions"]
    assert revision["scaling"] == {"least": 1, "most": 8, "target": 4}
    assert (revision["wanted_replicas"], revision["replicas"]) == (1, 2)


def test_too_few_of_a_scaled_revision_are_an_alert_and_degrade_it(
    live: Release, story: Story
) -> None:
    scaled(story, 1, ready=1, min_replicas=2)
    story.node.step()
    endpoint = Endpoint.objects.get(pk=live.endpoint_id)
    assert [str(one) for one in status(endpoint).troubles] == ["1 of 2 replicas answer"]
    assert [one.summary for one in found(endpoint)] == [
        "churn:1 on local: 1 of 2 replicas answer; the node says serving"
    ]
    scaled(story, 1)
    assert status(endpoint).health == "healthy"
    assert found(endpoint) == []


def found(endpoint: Endpoint) -> list[Any]:
    """Return what is found wrong with its replicas once a restart would be over."""
    sweep = Sweep()
    judge_replicas(status(endpoint), sweep, now() + timedelta(seconds=61))
    assert not sweep.unknown
    return sweep.findings


@pytest.mark.parametrize("detail", ["", "it wakes: not listening yet"])
def test_what_sleeps_is_healthy_and_everybody_is_told_since_when(
    live: Release, story: Story, otto: ApiClient, detail: str
) -> None:
    row = scaled(story, 1, min_replicas=0)
    story.node.phase[row.pk] = ("asleep", detail)
    story.node.step()
    body = otto.get(f"/endpoints/{live.endpoint_id}").json()
    assert (body["health"], body["troubles"]) == ("healthy", [])
    assert body["replicas_ready"].startswith("asleep since 20")
    (revision,) = body["revisions"]
    assert (revision["phase"], revision["ready_replicas"]) == ("asleep", 0)
    assert revision["asleep_since"].startswith("20")
    assert found(Endpoint.objects.get(pk=live.endpoint_id)) == []
    page = browser(story.people["Otto"]).get(f"/endpoints/{live.endpoint_id}/").content.decode()
    assert "Asleep" in page and "☾" in page and "the next request wakes it" in page
    assert "Not ready" not in page and "Healthy" in page
    scaled(story, 1, min_replicas=0)
    story.node.phase[row.pk] = ("failed", "no such column")
    story.node.step()
    assert otto.get(f"/endpoints/{live.endpoint_id}").json()["health"] == "down"


def test_what_is_not_scaled_is_as_before(live: Release, story: Story, otto: ApiClient) -> None:
    story.node.ready[Revision.objects.get().pk] = 1
    story.node.step()
    body = otto.get(f"/endpoints/{live.endpoint_id}").json()
    assert (body["health"], body["replicas_ready"]) == ("degraded", "1 of 2 replicas ready")
    (revision,) = body["revisions"]
    assert (revision["scaling"], revision["wanted_replicas"]) == (None, 2)


@pytest.mark.django_db(transaction=True)
def test_the_command_line_says_how_many_are_ready_and_that_nobody_scales_it(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    story.lived()
    scaled(story, 1, ready=3)
    story.node.step()
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    become(story.world, "Otto", live_server.url, monkeypatch)
    place = "risk/development/churn"
    assert main(["endpoint", "show", place]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "replicas ready 3 replicas ready, scaled by load between 1 and 8" in said
    assert main(["endpoint", "revisions", place]) == 0
    assert "3 (1 to 8)" in capsys.readouterr().out
    assert main(["endpoint", "scale", place, "2"]) == 6  # a conflict
    assert "Its node scales it by load between 1 and 8 replicas" in capsys.readouterr().err
    row = scaled(story, 1, min_replicas=0)
    story.node.phase[row.pk] = ("asleep", "")
    story.node.step()
    assert main(["endpoint", "show", place]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "replicas ready asleep since" in said
    assert main(["endpoint", "revisions", place]) == 0
    assert "asleep" in capsys.readouterr().out

"""What became of predictions: matched once, counted for who answered, gone when it is to be."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db.models import F

from apps.monitoring import actions, queries
from apps.monitoring.models import CapturedPrediction, Outcome
from apps.serving.models import Endpoint, Revision
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import Forbidden, NotFound
from tests.support import factories
from tests.support.captures import line, send, text
from tests.support.nodes import SimulatedNode
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
SERVING = {"unit": {"header": "X-User"}, "capture": {"percent": 100, "days": 7}}


@pytest.fixture
def endpoint(story: Story) -> Endpoint:
    """An endpoint whose live revision captures everything."""
    release = story.live(serving=SERVING)
    release.refresh_from_db()
    return release.endpoint


def live(endpoint: Endpoint) -> str:
    """Return what serves."""
    return Revision.objects.get(endpoint=endpoint, state="live").pk


def capture(node: SimulatedNode, endpoint: Endpoint, *units: str, **changes: Any) -> list[str]:
    """Have the node bring a prediction of each unit, and the platform store it; return the ids."""
    lines = [line(live(endpoint), unit, **changes) for unit in units]
    file = f"{uuid4().hex}-000000.jsonl"
    assert send(node, live(endpoint), text(*lines), file=file)[0] == 201
    actions.store_captures()
    return [item["id"] for item in lines]


def report(world: World, endpoint: Endpoint, *said: tuple[str, Any], name: str = "fraud") -> Any:
    """Report values of predictions as the operator's program does."""
    client = factories.api(factories.token_for(world.people["Otto"]))
    outcomes = [{"prediction": p, "name": name, "value": value} for p, value in said]
    return client.post(f"/endpoints/{endpoint.pk}/outcomes", {"outcomes": outcomes})


def counted(endpoint: Endpoint, *, by_unit: bool = False, **scale: float) -> tuple[int, int]:
    """Return how many count, and how many of them as bad."""
    ends = {"worst": 1.0, "best": 0.0} | scale
    since = now() - timedelta(hours=1)
    return queries.count_outcomes(
        live(endpoint),
        "fraud",
        worst=ends["worst"],
        best=ends["best"],
        since=since,
        by_unit=by_unit,
    )


class TestReporting:
    def test_an_outcome_counts_for_the_revision_that_answered(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        one, two = capture(node, endpoint, "u1", "u2")
        answer = report(world, endpoint, (one, 1), (two, 0))
        assert answer.status_code == 200
        assert answer.json() == {"counted": 2, "waiting": 0, "known": 0}
        assert counted(endpoint) == (2, 1)
        rex = factories.api(factories.token_for(world.people["Rex"]))
        newest, _ = rex.get(f"/endpoints/{endpoint.pk}/outcomes").json()["items"]
        assert (newest["prediction"], newest["value"]) == (two, 0)
        assert (newest["revision"], newest["reported_by"]) == (live(endpoint), world.otto.id)
        shown = rex.get(f"/endpoints/{endpoint.pk}/predictions").json()["items"]
        assert {item["id"]: item["outcomes"] for item in shown} == {
            one: {"fraud": 1},
            two: {"fraud": 0},
        }

    def test_the_same_may_be_said_twice_and_something_else_never(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        one, two = capture(node, endpoint, "u1", "u2")
        report(world, endpoint, (one, 1), (one, 1))
        assert report(world, endpoint, (one, 1)).json() == {
            "counted": 0,
            "waiting": 0,
            "known": 1,
        }
        for said in [[(two, 1), (one, 0)], [(two, 1), (two, 0)]]:
            refusal = report(world, endpoint, *said)
            assert refusal.status_code == 400
            (fault,) = refusal.json()["errors"]
            assert fault["pointer"] == "/outcomes/1/value"
            assert fault["detail"].startswith("1 was reported before")
        assert Outcome.objects.count() == 1

    def test_one_that_comes_before_its_prediction_waits_for_it(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        late = line(live(endpoint))
        answer = report(world, endpoint, (late["id"], 1), (str(uuid4()), 1)).json()
        assert answer == {"counted": 0, "waiting": 2, "known": 0}
        assert counted(endpoint) == (0, 0)
        assert send(node, live(endpoint), text(late))[0] == 201
        actions.store_captures()
        assert counted(endpoint) == (1, 1)
        Outcome.objects.update(reported_at=F("reported_at") - timedelta(days=8))
        assert actions.forget_outcomes() == 1  # the one whose prediction never came
        Outcome.objects.update(predicted_at=F("predicted_at") - timedelta(days=46))
        assert actions.forget_outcomes() == 1

    @pytest.mark.parametrize(
        ("item", "pointer"),
        [
            ({"value": "NaN"}, "/outcomes/0/value"),
            ({"value": 1e300}, "/outcomes/0/value"),
            ({"value": None}, "/outcomes/0/value"),
            ({"name": "No Name"}, "/outcomes/0/name"),
            ({"name": "x" * 41}, "/outcomes/0/name"),
            ({"prediction": "x"}, "/outcomes/0/prediction"),
        ],
    )
    def test_nonsense_is_refused_with_its_place(
        self, world: World, endpoint: Endpoint, item: Mapping[str, Any], pointer: str
    ) -> None:
        client = factories.api(factories.token_for(world.people["Otto"]))
        good = {"prediction": str(uuid4()), "name": "fraud", "value": 1}
        body = {"outcomes": [{**good, **item}, good]}
        answer = client.post(f"/endpoints/{endpoint.pk}/outcomes", body)
        assert answer.status_code == 400, answer.content
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
        assert not Outcome.objects.exists()

    def test_too_many_or_none_are_refused(self, world: World, endpoint: Endpoint) -> None:
        assert report(world, endpoint).status_code == 400
        many = [(str(uuid4()), 1)] * 1001
        assert report(world, endpoint, *many).status_code == 400

    def test_only_so_many_of_a_day_wait_for_a_prediction_that_nobody_captured(
        self,
        world: World,
        node: SimulatedNode,
        endpoint: Endpoint,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(config(), "max_waiting_outcomes", 2)
        one, two = capture(node, endpoint, "u1", "u2")
        unknown = [(str(uuid4()), 1) for _ in range(3)]
        with time_machine.travel(now(), tick=False) as clock:
            assert report(world, endpoint, (one, 1), *unknown[:2]).json()["waiting"] == 2
            refusal = report(world, endpoint, (two, 1), unknown[2])
            assert (refusal.status_code, refusal.json()["code"]) == (409, "quota_reached")
            assert "PLACET_MAX_WAITING_OUTCOMES" in refusal.json()["detail"]
            assert Outcome.objects.count() == 3, "all or none"
            assert report(world, endpoint, *unknown[:2]).json()["known"] == 2
            assert report(world, endpoint, (two, 1)).json()["counted"] == 1
            clock.shift(timedelta(days=1))
            assert report(world, endpoint, unknown[2]).json()["waiting"] == 1

    def test_where_nothing_is_captured_nothing_could_count(self, story: Story) -> None:
        release = story.live()
        refusal = report(story.world, release.endpoint, (str(uuid4()), 1))
        assert (refusal.status_code, refusal.json()["code"]) == (409, "nothing_captured")

    def test_only_operators_report(self, world: World, endpoint: Endpoint) -> None:
        said = [actions.Said(uuid4(), "fraud", 1)]
        for who in (world.ada, world.rex):
            with pytest.raises(Forbidden):
                actions.report_outcomes(endpoint, said, actor=who)
        with pytest.raises(NotFound):
            sam = factories.actor_of(factories.person("Sam"))
            actions.report_outcomes(endpoint, said, actor=sam)


class TestCounting:
    def test_what_no_split_decided_on_does_not_count(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        found = [
            *capture(node, endpoint, "u1", cohort="overridden"),
            *capture(node, endpoint, "", cohort="no_unit"),
        ]
        copies = capture(node, endpoint, "u2", cohort="mirrored")
        answer = report(world, endpoint, *((p, 1) for p in found + copies)).json()
        assert answer == {"counted": 2, "waiting": 1, "known": 0}  # a copy's answer reached nobody
        assert counted(endpoint) == (0, 0)
        assert capture(node, endpoint, "u3", cohort="made up")
        assert CapturedPrediction.objects.count() == 3

    def test_a_unit_counts_once_by_the_first_outcome_that_came(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        first, again = capture(node, endpoint, "u1", "u1")
        (other,) = capture(node, endpoint, "u2")
        report(world, endpoint, (again, 1))
        report(world, endpoint, (first, 0), (other, 0))
        assert counted(endpoint) == (3, 1)
        assert counted(endpoint, by_unit=True) == (2, 1)

    def test_values_on_a_scale_are_bad_as_often_as_they_lie_near_its_worst_end(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        found = capture(node, endpoint, *("u1" for _ in range(400)))
        report(world, endpoint, *((p, 75) for p in found))
        trials, bad = counted(endpoint, worst=0, best=100)
        assert trials == 400
        assert 60 <= bad <= 140  # 100 of them, within nearly five standard deviations
        assert counted(endpoint, worst=50, best=0) == (400, 400)  # beyond the end: as the end
        assert counted(endpoint, worst=0, best=75) == (400, 0)

    def test_what_was_predicted_before_the_step_began_does_not_count(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        (early,) = capture(node, endpoint, "u1", ago=7200)
        report(world, endpoint, (early, 1))
        assert counted(endpoint) == (0, 0)


@pytest.mark.parametrize("ago", [5, -540])
def test_erasing_a_unit_takes_its_outcomes_along(
    story: Story, endpoint: Endpoint, ago: float
) -> None:
    """Those of a node whose clock is ahead, too."""
    gone, kept = capture(story.node, endpoint, "u1", "u2", ago=ago)
    report(story.world, endpoint, (gone, 1), (kept, 0))
    actions.erase_unit(endpoint, unit="u1", actor=story.otto)
    story.run_jobs("control")
    assert [str(row.prediction) for row in Outcome.objects.all()] == [kept]


def test_the_page_shows_them_beside_the_answer(
    world: World, node: SimulatedNode, endpoint: Endpoint
) -> None:
    (one,) = capture(node, endpoint, "u1")
    report(world, endpoint, (one, 1), (str(uuid4()), 1))
    page = factories.browser(world.people["Rex"]).get(f"/endpoints/{endpoint.pk}/predictions/")
    words = page.content.decode()
    assert "fraud <strong>1</strong>" in words
    assert "1 waits for its prediction" in words
    assert json.dumps(one)[1:-1] in words

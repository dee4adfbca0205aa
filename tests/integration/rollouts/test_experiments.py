"""A/B tests over windows that a node reports: what ships, who ships it, and what ends a test."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Event
from apps.governance.errors import Separation
from apps.identity.errors import NeedsSession
from apps.rollouts import actions
from apps.rollouts.errors import NotShown, StepMoved
from apps.rollouts.models import Look, Rollout
from apps.rollouts.queries import awaiting_person
from placet.kernel.problems import Forbidden
from tests.integration.rollouts.test_analysing import Canary, kinds
from tests.support import factories
from tests.support.factories import actor_of, api, browser
from tests.support.story import Story, weights
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_release")]
BETTER, EQUAL = ((20_000, 200), (20_000, 1_000)), ((500, 10), (500, 12))


class Trial(Canary):
    """An A/B test under way, half and half; Ada asked for it, Alan made the version."""

    def __init__(
        self, story: Story, serving: dict[str, Any] | None = None, **declared: Any
    ) -> None:
        self.story = story
        test = {"metric": {"metric": "error_rate"}, "minimum_effect": 0.01, **declared}
        steps = [{"set_weight": 50}, {"ab_test": test}]
        self.release = story.under_way(
            {"strategy": "ab_test", "steps": steps}, serving=serving or {}
        )

    def show(self) -> None:
        """Have the node report what shows the effect."""
        self.report(*BETTER)
        assert self.place == ("waiting", 2)


@pytest.fixture
def start(story: Story) -> Callable[..., Trial]:
    """Begin a test and bring it to its allocation."""

    def begin(**changes: Any) -> Trial:
        trial = Trial(story, **changes)
        assert (trial.place, weights()) == (("analysing", 1), [5_000, 5_000])
        return trial

    return begin


def test_what_is_shown_ships_by_the_approval_of_somebody_else(
    start: Callable[..., Trial], world: World
) -> None:
    trial = start()
    trial.report(*EQUAL)
    assert trial.place == ("analysing", 1)
    trial.show()
    assert weights() == [5_000, 5_000]
    actions.ship(trial.row, step=2, reason="fewer errors", actor=world.vera)
    assert weights() == [0, 10_000]
    trial.story.settle()
    assert trial.row.state == "done"
    assert kinds(trial.row) == [
        "started",
        "weight_set",
        "testing",
        "analysed",
        "effect_shown",
        "shipped",
        "shifting",
        "draining",
        "done",
    ]
    shown = Event.objects.get(subject=trial.row.pk, kind__startswith="rollout.analysed")
    data = json.loads(shown.body)["data"]
    assert (data["step"], data["outcome"]) == (2, "successful")
    assert data["findings"][0]["high"] < data["findings"][0]["limit"] == -0.01
    shipped = Event.objects.get(subject=trial.row.pk, kind__startswith="rollout.shipped")
    assert shipped.actor_id == world.vera.id


def test_without_the_effect_nobody_ships_it(start: Callable[..., Trial], world: World) -> None:
    trial = start()
    trial.report(*EQUAL)
    with pytest.raises(NotShown, match=r"The effect is not shown\. 2% of 500 requests failed"):
        actions.ship(trial.row, step=1, reason="I like it", actor=world.vera)
    with pytest.raises(NotShown, match="Abort to keep what serves"):
        actions.promote(trial.row, step=trial.row.step, reason="I like it", actor=world.otto)
    with pytest.raises(NotShown):
        actions.skip(trial.row, step=1, reason="I like it", actor=world.otto)
    answer = api(world.people["Vera"]).call(
        "POST", f"/rollouts/{trial.row.pk}/ship", {"step": 1, "reason": "x"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "not_shown")
    assert (trial.place, weights()) == (("analysing", 1), [5_000, 5_000])
    actions.abort(trial.row, reason="enough", actor=world.otto)
    trial.story.settle()
    assert (trial.row.state, weights()) == ("aborted", [10_000, 0])


def test_an_effect_is_shipped_by_nothing_but_an_approval(
    start: Callable[..., Trial], world: World
) -> None:
    trial = start()
    trial.show()
    for act in (actions.promote, actions.skip):
        with pytest.raises(NotShown, match="The effect is shown"):
            act(trial.row, step=2, reason="hurry", actor=world.otto)
    actions.resume(trial.row, step=2, reason="hurry", actor=world.otto)
    with pytest.raises(Forbidden):
        actions.ship(trial.row, step=2, reason="hurry", actor=world.otto)
    with pytest.raises(StepMoved):
        actions.ship(trial.row, step=1, reason="hurry", actor=world.vera)
    assert (trial.place, weights()) == (("waiting", 2), [5_000, 5_000])


def test_who_asked_for_it_made_it_or_comes_with_a_token_does_not_ship_it(
    start: Callable[..., Trial], world: World
) -> None:
    trial = start()
    trial.show()
    for name in ("Ada", "Alan"):
        factories.grant(world.people[name], {"approver": world.project})
        with pytest.raises(Separation):
            actions.ship(trial.row, step=2, reason="mine", actor=actor_of(world.people[name]))
    robot = factories.service_account("ci", world.people["Vera"], {"approver": world.project})
    with pytest.raises(NeedsSession):
        actions.ship(trial.row, step=2, reason="beep", actor=actor_of(robot))
    assert trial.place == ("waiting", 2)


def test_one_that_somebody_holds_is_not_shipped(start: Callable[..., Trial], world: World) -> None:
    trial = start()
    trial.show()
    actions.pause(trial.row, reason="an incident", actor=world.otto)
    with pytest.raises(StepMoved, match="resumed first"):
        actions.ship(trial.row, step=2, reason="now", actor=world.vera)
    actions.resume(trial.row, step=2, reason="over", actor=world.otto)
    assert trial.place == ("waiting", 2)
    actions.ship(trial.row, step=2, reason="now", actor=world.vera)


def test_only_those_who_may_ship_it_are_waited_for(
    start: Callable[..., Trial], world: World
) -> None:
    trial = start()
    trial.show()
    waited = {name for name in world.people if awaiting_person(actor_of(world.people[name]))}
    assert waited == {"Vera", "Vito"}
    assert "to be shipped" in browser(world.people["Vera"]).get("/").content.decode()


GUARDED = {"guardrails": [{"metric": "latency", "over_ms": 100, "margin": 0.05}]}


@pytest.mark.parametrize("shown", [False, True])
def test_a_broken_guardrail_rolls_back_until_it_is_shipped(
    start: Callable[..., Trial], shown: bool
) -> None:
    trial = start(**GUARDED)
    if shown:
        trial.show()
    trial.report((20_000, 200), (20_000, 1_000), latency={"100": 10_000, "inf": 10_000})
    row = trial.row
    assert (row.state, weights()) == ("failed", [10_000, 0])
    assert row.reason.startswith("The A/B test ended. ")
    assert "took longer than 100 ms" in row.reason
    trial.release.refresh_from_db()
    assert trial.release.state == "failed"


def test_a_split_that_is_not_the_planned_one_ends_it(start: Callable[..., Trial]) -> None:
    trial = start()
    trial.report((20_000, 200), (24_000, 1_200))
    assert trial.row.state == "failed"
    assert "its figures cannot be compared" in trial.row.reason


def test_it_ends_when_what_was_planned_is_used_up(start: Callable[..., Trial]) -> None:
    trial = start(stop_after={"requests": 1_000})
    trial.report(*EQUAL)
    assert trial.place == ("analysing", 1)
    trial.report(*EQUAL)
    assert (trial.row.state, weights()) == ("failed", [10_000, 0])
    assert trial.row.reason.startswith("Not enough evidence after 1,000 of 1,000 planned.")


def test_less_than_declared_is_a_result_too(start: Callable[..., Trial]) -> None:
    trial = start()
    trial.report((50_000, 2_500), (50_000, 2_500))
    assert trial.row.state == "failed"
    assert "It is better by at most" in trial.row.reason


def test_a_gap_is_neither_effect_nor_harm(start: Callable[..., Trial]) -> None:
    trial = start(stop_after={"seconds": 60})
    trial.report(*BETTER, error="17 requests are not in these counts")
    assert trial.place == ("analysing", 1)
    trial.let_pass(61)
    trial.settle()
    assert trial.row.state == "failed"
    assert trial.row.reason.startswith("The A/B test could not be judged in time.")


def test_by_unit_each_unit_counts_once(start: Callable[..., Trial]) -> None:
    trial = start(serving={"unit": {"header": "X-User-Id"}})
    row = trial.row
    assert row.from_revision_id is not None
    for revision, bad in ((row.to_revision_id, 200), (row.from_revision_id, 1_000)):
        first = {
            "status_2xx": 20_000 - bad,
            "status_3xx": 0,
            "status_4xx": 0,
            "status_5xx": bad,
            "latency": {"100": 20_000, "inf": 0},
        }
        trial.counts(revision, 900_000, 0, first=first)
    trial.settle()
    assert trial.place == ("waiting", 2)
    look = Look.objects.filter(rollout=row).latest("at")
    assert look.verdict["sentence"].startswith("1% of 20,000 units failed, 5% of 20,000")


def test_its_page_says_what_was_declared_shown_and_is_unknown_and_ships_it(
    start: Callable[..., Trial], world: World
) -> None:
    trial = start(**GUARDED)
    for _ in range(3):
        trial.report(*EQUAL)
    path = f"/rollouts/{trial.row.pk}/"
    otto, vera = browser(world.people["Otto"]), browser(world.people["Vera"])
    with CaptureQueriesContext(connection) as asked:
        text = otto.get(path).content.decode()
    assert len(asked) <= 12, "\n".join(query["sql"] for query in asked)
    for words in (
        "errors at least 1 point below stable",
        "50% of the requests to the new revision",
        "each request",
        "100,000 requests of the new revision, or 7 d",
        "50% of 3,000, 50% planned: as planned.",
        "Whether the effect is there: server errors may differ by",
        "Open questions",
        "sought −1%",
    ):
        assert words in text, words
    trial.show()
    assert "b-ship" not in otto.get(path).content.decode()
    assert "b-ship" in vera.get(path).content.decode()
    vera.post(f"{path}do/ship", {"reason": "fewer errors", "step": "2"})
    assert Rollout.objects.get(pk=trial.row.pk).step == 3

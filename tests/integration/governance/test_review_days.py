"""An environment says within how many days people who are asked by name are to answer."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from apps.governance import actions
from apps.governance.models import Environment, Release, ReviewRequest
from apps.governance.queries.review_requests import reviewers
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, NotFound, Stale
from tests.integration.governance.test_promotion import (
    GATES,
    ONE,
    SETTING,
    SOAK,
    live_since,
)
from tests.integration.governance.test_promotion import events as logged
from tests.integration.governance.test_review_requests import ask, events, overdue, refused
from tests.support import factories
from tests.support.world import World

pytestmark = pytest.mark.django_db
STAGING = "/projects/risk/environments/staging"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def staging(world: World) -> Environment:
    """Staging, where who is asked by name has three days."""
    return have(world, 3)


def have(world: World, days: int, environment: str = "staging") -> Environment:
    """Have Otto say how long who is asked by name has."""
    place = world.environment(environment)
    return actions.update_environment(place, review_days=days, actor=world.otto)


def is_due(release: Release, after: timedelta) -> bool:
    """Tell whether the answers to a release are due so long after now."""
    release.refresh_from_db()
    dates = [one.due_at for one in reviewers(release)]
    return bool(dates) and all(due and abs(due - now() - after) < HOUR for due in dates)


def is_open_ended(release: Release) -> bool:
    """Tell whether people were asked without a due date."""
    release.refresh_from_db()
    return [one.due_at for one in reviewers(release)] == [None]


def test_who_says_nothing_asks_for_as_long_as_the_environment_says(
    staging: Environment, world: World
) -> None:
    review = actions.Reviewers([world.rita.id, world.rex.id])
    assert is_due(world.request("staging", review=review), 3 * DAY)
    later = world.request("staging", endpoint="later")
    ask(world, later, "Rita")
    assert is_due(later, 3 * DAY)
    overdue(later)
    ask(world, later, "Rita")  # again
    assert is_due(later, 3 * DAY)


def test_what_is_said_wins(staging: Environment, world: World) -> None:
    release = world.request("staging")
    ask(world, release, "Rita", review_days=1)
    assert is_due(release, DAY)
    ask(world, release, "Rita", review_due_at=now() + 5 * DAY)
    assert is_due(release, 5 * DAY)
    ask(world, release, "Rita", review_days=0)
    assert is_open_ended(release)
    review = actions.Reviewers([world.rita.id], days=0)
    assert is_open_ended(world.request("staging", endpoint="other", review=review))


def test_elsewhere_nobody_has_a_due_date(staging: Environment, world: World) -> None:
    world.policy("production", GATES + ONE)
    release = world.request("production")
    ask(world, release, "Vera")
    assert is_open_ended(release)


def test_nobody_has_longer_than_the_release(world: World) -> None:
    have(world, 90)
    release = world.request("staging")
    ask(world, release, "Rita")
    (one,) = reviewers(release)
    assert one.due_at == release.not_after < now() + 90 * DAY


def test_a_second_click_asks_nobody_twice(staging: Environment, world: World) -> None:
    release = world.request("staging")
    for _ in range(2):
        ask(world, release, "Rita")
    assert len(events(release, "review_requested")) == 1


def test_who_was_asked_before_a_change_keeps_their_date(staging: Environment, world: World) -> None:
    release = world.request("staging")
    ask(world, release, "Rita")
    have(world, 7)
    assert is_due(release, 3 * DAY)


def test_what_opens_by_itself_asks_nobody_by_name(world: World) -> None:
    world.policy("production", GATES + SOAK + ONE)
    actions.update_environment(world.environment("staging"), promote=SETTING, actor=world.otto)
    have(world, 3, "production")
    live_since(world, 7200)
    assert actions.open_promoted() == 1
    assert not ReviewRequest.objects.exists()


def test_who_manages_the_environment_says_it_and_takes_it_back(
    staging: Environment, world: World
) -> None:
    assert staging.review_days == 3
    place = next(iter(logged("environment.changed.v1")[-1]["after"].values()))
    assert place["review_days"] == 3
    moved = actions.update_environment(staging, position=15, actor=world.otto)
    assert moved.review_days == 3, "what is not said stays"
    with pytest.raises(Stale):
        actions.update_environment(staging, review_days=1, revision=1, actor=world.otto)
    assert have(world, 0).review_days is None


def test_nobody_else_says_it(staging: Environment, world: World) -> None:
    for who in (world.ada, world.rita, world.vera):
        with pytest.raises(Forbidden):
            actions.update_environment(staging, review_days=1, actor=who)
    with pytest.raises(NotFound):
        actions.update_environment(staging, review_days=1, actor=World("other").otto)
    staging.refresh_from_db()
    assert staging.review_days == 3


@pytest.mark.parametrize("days", [-1, 91, 10**12])
def test_days_that_are_none_name_their_field(staging: Environment, world: World, days: int) -> None:
    said = [("/review_days", "must be from 1 to 90 days, or 0 for no due date")]
    assert refused(partial(have, world, days)) == said
    staging.refresh_from_db()
    assert staging.review_days == 3


def test_the_api_says_and_applies_it(world: World) -> None:
    otto = factories.api(factories.token_for(world.people["Otto"]))
    assert otto.get(STAGING).json()["review_days"] is None

    def change(days: Any) -> Any:
        return otto.patch(STAGING, {"review_days": days}, if_match=otto.get(STAGING)["ETag"])

    for wrong in (91, "soon"):
        answer = change(wrong)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/review_days"
    for nothing in (0, None):
        assert change(2).json()["review_days"] == 2
        assert change(nothing).json()["review_days"] is None
    assert change(2).status_code == 200
    release = world.request("staging")
    ada = factories.api(factories.token_for(world.people["Ada"]))
    where = f"/releases/{release.pk}/review-requests"
    assert ada.post(where, {"reviewers": [world.rita.id]}).status_code == 201
    assert is_due(release, 2 * DAY)
    (one,) = ada.post(where, {"reviewers": [world.rita.id], "review_days": 0}).json()["items"]
    assert one["due_at"] is None


def test_the_api_asks_with_the_request(staging: Environment, world: World) -> None:
    version = world.bento(world.version()).version
    ada = factories.api(factories.token_for(world.people["Ada"]))
    body = {"model": "churn", "version": version.number, "endpoint": "churn"}
    body |= {"environment": "staging", "reviewers": [world.rita.id]}
    answer = ada.post("/projects/risk/releases", body)
    assert answer.status_code == 201
    assert is_due(Release.objects.get(pk=answer.json()["id"]), 3 * DAY)
    other = body | {"endpoint": "other", "review_days": 0}
    answer = ada.post("/projects/risk/releases", other)
    assert is_open_ended(Release.objects.get(pk=answer.json()["id"]))
    nobody = {**other, "endpoint": "none", "reviewers": []}
    assert ada.post("/projects/risk/releases", nobody).status_code == 201

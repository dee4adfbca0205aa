"""An endpoint that nothing needs any more is deleted: what refuses that, and what it ends."""

from pathlib import Path
from typing import Any

import pytest

from apps.assurance.actions import recall
from apps.governance.actions import withdraw
from apps.governance.models import Release
from apps.monitoring.actions import set_objective
from apps.monitoring.rules import ObjectiveTerms
from apps.registry.models import Alias, Hold
from apps.rollouts import actions as rollouts
from apps.rollouts.errors import DrillRefused
from apps.rollouts.models import DrillSchedule
from apps.serving import actions, rules
from apps.serving.desired import sign_state
from apps.serving.errors import EndpointExists, EndpointNeeded, WrongEndpointState
from apps.serving.models import DesiredState, Endpoint, EndpointKey
from apps.serving.queries import visible_endpoints
from placet.kernel.config import config
from placet.kernel.problems import Forbidden, NotFound, Stale
from tests.support.factories import ApiClient, api
from tests.support.forgeries import signed_now, trusting, verdicts
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.story import Story, kinds

pytestmark = pytest.mark.django_db


@pytest.fixture
def live(story: Story) -> Release:
    """A release that serves."""
    return story.lived()


@pytest.fixture
def otto(story: Story) -> ApiClient:
    """The operator of the project."""
    return api(story.people["Otto"])


def stopped(release: Release, story: Story) -> Endpoint:
    """Return the endpoint of ``release``, stopped."""
    return actions.stop_endpoint(release.endpoint, actor=story.otto)


def delete(endpoint: Endpoint, story: Story) -> Endpoint:
    """Delete an endpoint as it is now, and let the node hear of it."""
    endpoint.refresh_from_db()
    actions.delete_endpoint(endpoint, if_generation=endpoint.generation, actor=story.otto)
    story.settle()
    endpoint.refresh_from_db()
    return endpoint


def refusal(endpoint: Endpoint, story: Story) -> str:
    """Return why an endpoint cannot be deleted; it stays as it is."""
    endpoint.refresh_from_db()
    before = endpoint.state
    with pytest.raises(EndpointNeeded) as refused:
        delete(endpoint, story)
    assert Endpoint.objects.get(pk=endpoint.pk).state == before
    return refused.value.detail


def test_what_serves_is_stopped_first(live: Release, story: Story) -> None:
    assert refusal(live.endpoint, story) == "Revision 1 is live: stop the endpoint first"


def test_what_is_on_its_way_there_is_ended_first(live: Release, story: Story) -> None:
    waiting = story.release("staging")
    said = f"Release {waiting.number} is requested: withdraw it first"
    assert refusal(waiting.endpoint, story) == said
    withdraw(waiting, actor=story.ada)
    assert delete(waiting.endpoint, story).state == "deleted"


def test_a_rollout_is_ended_first(story: Story) -> None:
    story.lived()
    moving = story.under_way({"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}]})
    said = refusal(stopped(moving, story), story)
    assert said == (
        f"Release {moving.number} is rolling out: abort it first. "
        "A release is under way: end it first, or wait for its end"
    )


def test_an_endpoint_that_nothing_was_released_to_goes_without_being_stopped(story: Story) -> None:
    empty = actions.create_endpoint(
        story.world.project,
        environment="staging",
        name="typo",
        target=story.world.target,
        actor=story.otto,
    )
    assert delete(empty, story).state == "deleted"


def test_all_that_followed_it_ends_with_it_and_what_happened_stays(
    live: Release, story: Story
) -> None:
    endpoint, otto = live.endpoint, story.otto
    key, _ = actions.issue_endpoint_key(endpoint, name="billing", actor=otto)
    rollouts.schedule_drills(endpoint, every_days=1, hour=3, actor=otto)
    set_objective(endpoint, terms=ObjectiveTerms(availability=0.99), actor=otto)
    assert Alias.objects.filter(managed_by=endpoint.pk).exists()
    assert Hold.objects.filter(reason="live").exists()
    stopped(live, story)
    story.settle()
    delete(endpoint, story)

    assert story.state(live) == "retired"
    assert (live.ended_at is not None, live.ended_reason) == (True, "Its endpoint was deleted")
    assert story.states() == [(1, "stopped", 0)]
    assert EndpointKey.objects.get(pk=key.pk).revoked_at is not None
    assert not DrillSchedule.objects.exists()
    assert not Alias.objects.filter(managed_by=endpoint.pk).exists()
    assert not Hold.objects.exclude(reason="retention").exists()
    assert story.node.state["endpoints"] == []
    assert kinds(endpoint.pk)[-1] == "endpoint.deleted.v1"
    assert kinds(live.pk)[-1] == "release.retired.v1"


def test_nothing_can_be_done_with_it_any_more(live: Release, story: Story) -> None:
    gone = delete(stopped(live, story), story)
    otto: Any = story.otto
    for act in (
        lambda: actions.start_endpoint(gone, actor=otto),
        lambda: actions.stop_endpoint(gone, actor=otto),
        lambda: actions.restart_endpoint(gone, actor=otto),
        lambda: actions.require_api_key(gone, required=True, actor=otto),
        lambda: actions.issue_endpoint_key(gone, name="billing", actor=otto),
        lambda: rollouts.rollback(gone, reason="worse", actor=otto),
        lambda: rollouts.schedule_drills(gone, every_days=1, hour=3, actor=otto),
        lambda: set_objective(gone, terms=ObjectiveTerms(availability=0.99), actor=otto),
        lambda: actions.delete_endpoint(gone, if_generation=gone.generation, actor=otto),
    ):
        with pytest.raises(WrongEndpointState):
            act()
    with pytest.raises(DrillRefused, match="The endpoint is deleted"):
        rollouts.run_drill(gone, actor=otto)
    with pytest.raises(NotFound):
        story.release("development", endpoint=gone.pk)
    assert kinds(gone.pk)[-1] == "endpoint.deleted.v1"


def test_a_release_that_was_aborted_there_is_not_tried_again(live: Release, story: Story) -> None:
    aborted = story.under_way({"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}]})
    rollouts.abort(story.rollout(aborted), reason="worse", actor=story.otto)
    story.settle()
    assert story.state(aborted) == "aborted"
    delete(stopped(live, story), story)
    with pytest.raises(WrongEndpointState):
        rollouts.retry(story.rollout(aborted), reason="again", actor=story.otto)
    assert story.state(aborted) == "aborted"


def test_its_name_is_free_and_who_takes_it_gets_nothing_of_the_old_one(
    live: Release, story: Story
) -> None:
    old = delete(stopped(live, story), story)
    again = story.live()
    assert again.endpoint_id != old.pk
    assert (again.endpoint.name, again.endpoint.environment) == (old.name, old.environment)
    (entry,) = story.node.state["endpoints"]
    assert (entry["id"], entry["keys"]) == (again.endpoint_id, [])
    with pytest.raises(EndpointExists):
        actions.create_endpoint(
            story.world.project,
            environment=old.environment,
            name=old.name,
            target=story.world.target,
            actor=story.otto,
        )


def test_lists_leave_it_out_and_its_own_page_tells_of_it(
    live: Release, story: Story, otto: ApiClient
) -> None:
    gone = delete(stopped(live, story), story)
    place = f"/projects/risk/environments/{gone.environment}/endpoints"
    assert otto.get(place).json()["items"] == []
    assert otto.get(f"{place}/{gone.name}").status_code == 404
    assert not visible_endpoints(story.otto).exists()
    body = otto.get(f"/endpoints/{gone.pk}").json()
    assert (body["state"], body["health"], body["url"]) == ("deleted", "deleted", "")
    assert body["no_address"] == "It was deleted"


def test_it_is_deleted_as_it_was_read_by_who_manages_it(
    live: Release, story: Story, otto: ApiClient
) -> None:
    endpoint = stopped(live, story)
    path = f"/endpoints/{endpoint.pk}"
    assert otto.delete(path).status_code == 428
    assert api(story.people["Ada"]).delete(path, if_match=otto.get(path)["ETag"]).status_code == 403
    with pytest.raises(Stale):
        actions.delete_endpoint(endpoint, if_generation=endpoint.generation - 1, actor=story.otto)
    with pytest.raises(Forbidden):
        actions.delete_endpoint(endpoint, if_generation=endpoint.generation, actor=story.ada)
    assert otto.delete(path, if_match=otto.get(path)["ETag"]).status_code == 204
    assert otto.delete(path, if_match=otto.get(path)["ETag"]).status_code == 409


def test_the_log_tells_of_its_keys_as_they_are(live: Release, story: Story) -> None:
    actions.issue_endpoint_key(live.endpoint, name="billing", actor=story.otto)
    delete(stopped(live, story), story)
    assert EndpointKey.objects.get().revoked_at is not None
    assert_log_rebuilds_every_row(EndpointKey, Endpoint)


def test_its_place_counts_for_no_quota_any_more(
    live: Release, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_endpoints", 1)
    monkeypatch.setattr(config(), "max_target_endpoints", 1)
    delete(stopped(live, story), story)
    assert story.live().state == "live"


def test_a_recall_of_what_ran_there_goes_through(live: Release, story: Story) -> None:
    gone = delete(stopped(live, story), story)
    row = recall(
        kind="bento",
        what=live.bento_id,
        reason="It answers wrongly",
        project=story.world.project,
        actor=story.otto,
    )
    story.settle()
    assert row.state == "standing"
    assert story.state(live) == "retired"
    assert Endpoint.objects.get(pk=gone.pk).state == "deleted"
    assert live.bento_id in story.node.state["recalled"]


def test_a_state_says_whose_an_address_was_as_long_as_another_has_it(
    live: Release, story: Story, tmp_path: Path
) -> None:
    """What the platform signs, before a node that remembers the first of three endpoints."""
    trust = trusting(story.world, tmp_path)
    told = story.world
    assert verdicts(trust, signed_now(told)) == {live.bento_id: ""}
    first = delete(stopped(live, story), story)
    second = story.live()
    (entry,) = story.node.state["endpoints"]
    assert entry["former"] == [first.pk]
    delete(stopped(second, story), story)
    typo = actions.create_endpoint(
        story.world.project,
        environment=first.environment,
        name=first.name,
        target=story.world.target,
        actor=story.otto,
    )
    delete(typo, story)
    assert story.node.state["endpoints"] == []
    third = story.live()
    (entry,) = story.node.state["endpoints"]
    assert entry["former"] == [second.endpoint_id, first.pk], "nothing was released to the typo"

    assert verdicts(trust, signed_now(told)) == {third.bento_id: ""}
    state = DesiredState.objects.get(target=told.target)
    assert state.number == sign_state(told.target.pk).number, "nothing new is signed"


@pytest.fixture
def locked(live: Release, story: Story) -> Endpoint:
    """An endpoint that was deleted, of which clients needed a key."""
    actions.require_api_key(live.endpoint, required=True, actor=story.otto)
    return delete(stopped(live, story), story)


def made_anew(gone: Endpoint, story: Story, who: str = "otto", **asked: Any) -> Endpoint:
    """Make another endpoint of the name."""
    return actions.create_endpoint(
        story.world.project,
        environment=gone.environment,
        name=gone.name,
        target=gone.target,
        actor=getattr(story, who),
        **asked,
    )


def test_a_name_that_needed_a_key_needs_one_by_a_release_too(
    locked: Endpoint, story: Story
) -> None:
    (release, entry) = (story.live(), story.node.state["endpoints"][0])
    assert release.endpoint_id != locked.pk
    assert (release.endpoint.api_key_required, entry["api_key_required"]) == (True, True)
    assert entry["keys"] == [], "the keys of the one before ended with it"


def test_only_who_manages_endpoints_opens_such_a_name_and_the_log_says_so(
    locked: Endpoint, story: Story
) -> None:
    with pytest.raises(Forbidden):
        made_anew(locked, story, "ada", api_key_required=False)
    opened = made_anew(locked, story, api_key_required=False)
    assert not opened.api_key_required
    assert kinds(opened.pk) == ["endpoint.created.v1", "endpoint.key_rule_changed.v1"]
    delete(opened, story)
    assert not made_anew(opened, story, "ada").api_key_required, "as it was last"


def test_a_name_of_the_api_says_nothing_and_is_as_it_was(
    locked: Endpoint, story: Story, otto: ApiClient
) -> None:
    place = f"/projects/{story.world.project.slug}/environments/{locked.environment}/endpoints"
    answer = otto.post(place, {"name": locked.name, "target": locked.target.name})
    assert (answer.status_code, answer.json()["api_key_required"]) == (201, True)
    other = otto.post(place, {"name": "another", "target": locked.target.name})
    assert (other.status_code, other.json()["api_key_required"]) == (201, False)


def test_no_more_are_named_than_a_state_has_room_for(
    live: Release, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FORMER", 1)
    delete(stopped(live, story), story)
    second = story.live()
    delete(stopped(second, story), story)
    story.live()
    (entry,) = story.node.state["endpoints"]
    assert entry["former"] == [second.endpoint_id]

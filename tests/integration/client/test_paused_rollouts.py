"""A rollout that waits for somebody, in the words of its page, and found by its endpoint's name."""

import json
import re
from typing import Any

import pytest

from apps.governance.models import Release
from apps.rollouts import actions
from placet_client.cli import main
from tests.support import factories
from tests.support.commands import become
from tests.support.story import Story

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = {"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}]}


@pytest.fixture
def going(
    story: Story, first_release: Release, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> Release:
    become(story.world, "Otto", live_server.url, monkeypatch)
    return story.under_way(CANARY)


def test_a_rollout_is_said_to_be_paused_by_its_plan_or_by_whom_it_is(
    story: Story, going: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    by_plan = "Paused by its plan: step 2 waits for an operator to resume it"
    assert main(["rollout", "list"]) == 0
    said = capsys.readouterr().out
    assert by_plan in said and "paused" not in said.lower().replace(by_plan.lower(), "")
    rollout = story.rollout(going)
    actions.pause(rollout, reason="lunch", actor=story.otto)
    assert main(["rollout", "show", rollout.pk]) == 0
    assert re.search(r"^state +Paused by Otto", capsys.readouterr().out, re.MULTILINE)
    body = factories.api(story.people["Otto"]).get(f"/rollouts/{rollout.pk}").json()
    assert (body["state"], body["paused"], body["waits"]) == (
        "waiting",
        True,
        f"Paused by {story.people['Otto']}",
    )
    actions.abort(rollout, reason="worse", actor=story.otto)
    story.settle()
    assert main(["rollout", "list"]) == 0
    said = capsys.readouterr().out
    assert " aborted " in said and "Paused" not in said


def test_rollouts_are_found_by_the_name_of_their_endpoint_and_release(
    story: Story, going: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    slug, pk = going.project.slug, story.rollout(going).pk
    assert main(["rollout", "list", "--release", f"{slug}/{going.number}"]) == 0
    assert pk in capsys.readouterr().out
    place = f"{slug}/development/{going.endpoint.name}"
    assert main(["rollout", "list", "--endpoint", place]) == 0
    assert pk in capsys.readouterr().out
    assert main(["rollout", "list", "--endpoint", f"{place}s"]) != 0
    assert "No results" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("endpoint=end_1", "You see no endpoint with this id"),
        ("release=risk/1", "You see no release with this id"),
        ("state=going", "One of starting"),
    ],
)
def test_what_no_rollout_can_have_is_refused_rather_than_not_found(
    story: Story, first_release: Release, query: str, says: str
) -> None:
    answer = factories.api(story.people["Otto"]).get(f"/rollouts?{query}")
    (error,) = answer.json()["errors"]
    assert error["pointer"] == query.split("=")[0] and error["detail"].startswith(says)
    stranger = factories.api(factories.person("Strange"))
    endpoint = first_release.endpoint_id
    assert stranger.get(f"/rollouts?endpoint={endpoint}").status_code == answer.status_code


def test_the_inbox_lists_what_the_page_lists_with_the_address_of_each(
    story: Story, going: Release, live_server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rollout = story.rollout(going)
    assert main(["inbox"]) == 0
    said = capsys.readouterr()
    assert f"{live_server.url}/rollouts/{rollout.pk}/" in said.out
    assert re.search(rf"^rollout +{going.version} to development / churn ", said.out, re.MULTILINE)
    assert said.err.rstrip().endswith(f"→ {live_server.url}/inbox/")
    assert main(["inbox", "-o", "json"]) == 0
    (task,) = json.loads(capsys.readouterr().out)
    assert (task["kind"], task["id"]) == ("rollout", rollout.pk)
    actions.abort(rollout, reason="worse", actor=story.otto)
    story.settle()
    assert main(["inbox"]) == 0
    assert "Nothing waits for you, of what this token may see." in capsys.readouterr().out


def test_who_scales_an_endpoint_is_told_what_to_give_and_that_it_has_as_many(
    story: Story, going: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"{going.project.slug}/development/{going.endpoint.name}"
    assert main(["endpoint", "scale", place]) == 2
    assert "Missing argument 'REPLICAS'" in capsys.readouterr().err
    assert main(["endpoint", "scale", place, "1"]) == 0
    assert "Already 1 replica: nothing was changed." in capsys.readouterr().err

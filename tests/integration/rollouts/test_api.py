"""Steering a rollout over HTTP, from the command line and on its page."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.governance.queries.presets import BUILT_IN
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from placet.kernel.problems import InvalidInput
from tests.support.factories import api, browser
from tests.support.story import Story, weights
from tests.support.world import World

pytestmark = pytest.mark.django_db
CANARY = {
    "strategy": "canary",
    "steps": [{"set_weight": 5}, {"pause": {}}, {"set_weight": 33.33}, {"pause": {}}],
}


@pytest.fixture
def waiting(story: Story, first_release: None) -> Rollout:
    """A canary that waits for a person at 5%."""
    return story.rollout(story.under_way(CANARY))


def test_a_rollout_tells_its_steps_and_is_steered(world: World, waiting: Rollout) -> None:
    otto, path = api(world.people["Otto"]), f"/rollouts/{waiting.pk}"
    found = otto.get(path).json()
    assert found["steps"] == [*CANARY["steps"], {"set_weight": 100}]
    assert (found["state"], found["step"], found["paused"]) == ("waiting", 1, False)
    assert set(found["step_times"]) == {"0", "1"}
    held = otto.post(f"{path}/pause", {"reason": "lunch"})
    assert (held.status_code, held.json()["paused"]) == (202, True)
    on = otto.post(f"{path}/resume", {"reason": "back", "step": 1})
    assert (on.status_code, on.json()["step"], on.json()["paused"]) == (202, 2, False)
    again = otto.post(f"{path}/resume", {"reason": "back", "step": 1})
    assert (again.status_code, again.json()["code"]) == (409, "step_moved")
    assert weights() == [6_667, 3_333]
    skipped = otto.post(f"{path}/skip", {"reason": "seen", "step": 2})
    assert (skipped.status_code, skipped.json()["step"]) == (202, 3)
    done = otto.post(f"{path}/promote", {"reason": "well", "step": 3})
    assert (done.status_code, done.json()["promoted"]) == (202, True)
    assert weights() == [0, 10_000]
    last = otto.post(f"{path}/skip", {"reason": "seen", "step": 4})
    assert (last.status_code, last.json()["code"]) == (409, "not_skippable")


def test_what_a_click_would_pass_over_is_read_before_it(world: World, waiting: Rollout) -> None:
    otto = api(world.people["Otto"])
    found = otto.get(f"/rollouts/{waiting.pk}/passing").json()
    nothing = {"analyses": [], "refusal": ""}
    assert found == {
        "step": 1,
        "policy": "allow",
        "skip": nothing,
        "promote": nothing,
        "asked": None,
        "passed_over": [],
        "unconfirmed": [],
    }
    stale = otto.post(f"/rollouts/{waiting.pk}/promote", {"reason": "well", "step": 0})
    assert (stale.status_code, stale.json()["code"]) == (409, "step_moved")
    without = otto.post(f"/rollouts/{waiting.pk}/promote", {"reason": "well"})
    assert [e["pointer"] for e in without.json()["errors"]] == ["/step"]
    none = otto.post(f"/rollouts/{waiting.pk}/passing/withdraw", {"digest": "sha256:0"})
    assert (none.status_code, none.json()["code"]) == (409, "no_passing_asked")


@pytest.mark.parametrize("verb", ["pause", "resume", "skip", "promote", "retry", "abort"])
def test_a_reason_is_needed_and_named(world: World, waiting: Rollout, verb: str) -> None:
    shown = {"step": 1} if verb in ("resume", "skip", "promote") else {}
    for body in (shown, shown | {"reason": ""}, shown | {"reason": " "}):
        answer = api(world.people["Otto"]).post(f"/rollouts/{waiting.pk}/{verb}", body)
        assert answer.status_code == 400
        assert [e["pointer"] for e in answer.json()["errors"]] == ["/reason"]


@pytest.mark.parametrize("reason", ["", " ", "\u200b", "\x07"])
def test_nothing_is_aborted_or_rolled_back_without_a_reason(
    story: Story, waiting: Rollout, reason: str
) -> None:
    with pytest.raises(InvalidInput):
        actions.abort(waiting, reason=reason, actor=story.otto)
    with pytest.raises(InvalidInput):
        actions.rollback(waiting.endpoint, reason=reason, actor=story.otto)
    assert story.state(waiting) == "waiting"
    path = f"/endpoints/{waiting.endpoint_id}/rollback"
    for body in ({}, {"reason": ""}):
        assert api(story.people["Otto"]).post(path, body).status_code == 400


def test_an_aborted_one_is_tried_again_as_another_rollout(story: Story, waiting: Rollout) -> None:
    otto, path = api(story.people["Otto"]), f"/rollouts/{waiting.pk}"
    early = otto.post(f"{path}/retry", {"reason": "again"})
    assert (early.status_code, early.json()["code"]) == (409, "not_retryable")
    assert otto.post(f"{path}/abort", {"reason": "worse"}).status_code == 202
    story.settle()
    again = otto.post(f"{path}/retry", {"reason": "the node was full"})
    assert again.status_code == 202
    assert again.json()["id"] != waiting.pk
    assert again.json()["release"] == waiting.release_id


def test_a_plan_is_refused_by_the_place_of_what_is_wrong(world: World) -> None:
    plan = {"strategy": "canary", "steps": [{"set_weight": 50}, {"set_weight": 5}]}
    status, said = world.ask(world.bento(world.version()), plan=plan)
    assert status == 400
    assert [fault.split()[0] for fault in said.split("; ")] == ["/plan/steps/1/set_weight"]


def test_presets_say_what_the_policy_has_against_them(world: World) -> None:
    path, ada = "/projects/risk/environments/staging/plans", api(world.people["Ada"])
    free = ada.get(path).json()["items"]
    assert {p["name"]: p["refused"] for p in free} == dict.fromkeys(BUILT_IN, "")
    world.policy("staging", "version: 1\ngates:\n  - {gate: plan, first_step_at_most: 5}\n")
    refused = {p["name"]: p["refused"] for p in ada.get(path).json()["items"]}
    assert refused["canary"] == ""
    assert refused["canary_paused"] == "Its first step sends 10% of the requests"
    assert {refused["replace"], refused["blue_green"]} == {
        "Its first step sends 100% of the requests"
    }


def test_an_environment_has_plans_of_its_own(world: World) -> None:
    place, otto = "/projects/risk/environments/staging", api(world.people["Otto"])
    tag = otto.get(place)["ETag"]
    own = {"slow": {"strategy": "canary", "steps": [{"set_weight": 2}, {"pause": {}}]}}
    changed = otto.patch(place, {"plans": own}, if_match=tag).json()["plans"]
    assert changed["slow"]["steps"] == [{"set_weight": 2}, {"pause": {}}, {"set_weight": 100}]
    assert changed["slow"]["keep_warm_seconds"] == 86400
    world.policy("staging", "version: 1\ngates:\n  - {gate: plan, strategies: [replace]}\n")
    first, *others = api(world.people["Ada"]).get(f"{place}/plans").json()["items"]
    assert (first["name"], first["says"]) == ("slow", "Canary: 2, 100%")
    assert (first["plan"], first["refused"]) == (changed["slow"], "It is rolled out by canary")
    assert [p["name"] for p in others] == list(BUILT_IN)
    untouched = otto.patch(place, {"position": 5}, if_match=otto.get(place)["ETag"])
    assert untouched.json()["plans"] == changed
    none = otto.patch(place, {"plans": {}}, if_match=untouched["ETag"])
    assert none.json()["plans"] == {}


@pytest.mark.parametrize(
    ("own", "pointer"),
    [
        ({"canary": {}}, "/plans/canary"),
        ({"Slow": {}}, "/plans/Slow"),
        ({"x" * 41: {}}, f"/plans/{'x' * 41}"),
        ({"slow": {"steps": []}}, "/plans/slow/steps"),
        (
            {"slow": {"strategy": "canary", "steps": [{"set_weight": 5}] * 2}},
            "/plans/slow/steps/1/set_weight",
        ),
        ({"slow": {"preset": "canary"}}, "/plans/slow/preset"),
        ({"slow": "canary"}, "/plans/slow"),
        ([], "/plans"),
        ({f"p{n}": {} for n in range(21)}, "/plans"),
    ],
)
def test_a_plan_of_its_own_must_be_one(world: World, own: object, pointer: str) -> None:
    place, otto = "/projects/risk/environments/staging", api(world.people["Otto"])
    refused = otto.patch(place, {"plans": own}, if_match=otto.get(place)["ETag"])
    assert refused.status_code == 400
    assert [e["pointer"] for e in refused.json()["errors"]] == [pointer]
    assert otto.get(place).json()["plans"] == {}


def test_a_release_names_a_plan_that_is_ready_where_it_goes(world: World) -> None:
    place, otto = "/projects/risk/environments/staging", api(world.people["Otto"])
    own = {"slow": {"strategy": "canary", "steps": [{"set_weight": 2}], "start": "manual"}}
    otto.patch(place, {"plans": own}, if_match=otto.get(place)["ETag"])
    ada = api(world.people["Ada"])

    def ask(environment: str, **plan: object) -> Any:
        body = {
            "model": "churn",
            "version": world.bento(world.version()).version.number,
            "environment": environment,
            "endpoint": "churn",
            "plan": plan,
        }
        return ada.post("/projects/risk/releases", body)

    asked = ask("staging", preset="slow", keep_warm_seconds=0).json()["plan"]
    assert asked["steps"] == [{"set_weight": 2}, {"set_weight": 100}]
    assert (asked["start"], asked["keep_warm_seconds"], "preset" in asked) == ("manual", 0, False)
    assert ask("development", preset="canary").json()["plan"]["strategy"] == "canary"
    for name in ("slow", "", None, ["canary"]):
        refused = ask("development", preset=name)
        assert refused.status_code == 400
        assert [e["pointer"] for e in refused.json()["errors"]] == ["/plan/preset"]


def test_a_policy_holds_back_a_plan_that_is_too_bold(world: World) -> None:
    world.policy("development", "version: 1\ngates:\n  - {gate: plan, strategies: [canary]}\n")
    bold, careful = world.request("development"), world.request("development", plan=CANARY)
    assert (bold.state, careful.state) == ("requested", "approved")
    assert bold.gates[0]["reason"] == "It is rolled out by replace"


def test_its_page_shows_where_it_is_and_takes_few_queries(world: World, waiting: Rollout) -> None:
    client = browser(world.people["Otto"])
    with CaptureQueriesContext(connection) as caught:
        page = client.get(f"/rollouts/{waiting.pk}/")
    assert page.status_code == 200
    assert len(caught) <= 12, "\n".join(q["sql"][:150] for q in caught)
    text = page.content.decode()
    for words in (
        "Waiting for an operator to resume it.",
        "Send 33.33% of the requests",
        "Waiting for an operator to resume it,",
        'data-dialog="resume"',
        'data-step="1"',
        "hx-get",
    ):
        assert words in text, words
    part = client.get(f"/rollouts/{waiting.pk}/", headers={"HX-Request": "true"})
    assert part.content.decode().startswith('<div id="rollout-now"')


def test_who_may_let_it_go_on_is_told_at_home(story: Story, waiting: Rollout) -> None:
    otto, ada = browser(story.people["Otto"]), browser(story.people["Ada"])
    assert "Waits for a person to go on" in otto.get("/").content.decode()
    assert "Waits for a person to go on" not in ada.get("/").content.decode()
    api(story.people["Otto"]).post(f"/rollouts/{waiting.pk}/skip", {"reason": "x", "step": 1})
    assert "Waits for a person to go on" not in otto.get("/").content.decode()
    api(story.people["Otto"]).post(f"/rollouts/{waiting.pk}/pause", {"reason": "lunch & tea"})
    with CaptureQueriesContext(connection) as caught:
        home = otto.get("/").content.decode()
    assert len(caught) <= 12, "\n".join(q["sql"][:150] for q in caught)
    assert "1 rollout waits for a person to go on" in home
    page = otto.get(f"/rollouts/{waiting.pk}/").content.decode()
    assert "“lunch &amp; tea”" in page


def test_a_click_on_the_page_does_what_it_says_and_a_late_one_says_so(
    world: World, waiting: Rollout
) -> None:
    client = browser(world.people["Otto"])
    path = f"/rollouts/{waiting.pk}/"
    form = {"reason": "well", "step": "1", "next": path}
    assert client.post(f"{path}do/resume", form).headers["Location"] == path
    assert weights() == [6_667, 3_333]
    late = client.post(f"{path}do/resume", form, follow=True)
    assert "The rollout has moved on to another step" in late.content.decode()
    assert weights() == [6_667, 3_333]
    odd = client.post(f"{path}do/skip", form | {"step": "1e3"}, follow=True)
    assert "step: Give a whole number" in odd.content.decode()
    assert client.post(f"{path}do/explode", form).status_code == 404


@pytest.mark.parametrize("state", ["starting", "waiting", "aborted", "done"])
def test_its_page_can_be_read_at_every_end(story: Story, waiting: Rollout, state: str) -> None:
    otto = api(story.people["Otto"])
    if state in ("aborted", "done"):
        verb = "abort" if state == "aborted" else "promote"
        otto.post(f"/rollouts/{waiting.pk}/{verb}", {"reason": "so", "step": 1})
        story.settle()
    if state == "starting":
        Rollout.objects.filter(pk=waiting.pk).update(state=state, step=-1, step_times={})
    page = browser(story.people["Otto"]).get(f"/rollouts/{waiting.pk}/")
    assert page.status_code == 200
    first = browser(story.people["Otto"]).get(f"/rollouts/{Rollout.objects.earliest('pk').pk}/")
    assert first.status_code == 200
    release = browser(story.people["Otto"]).get(f"/releases/{waiting.release_id}/")
    assert f"/rollouts/{waiting.pk}/" in release.content.decode()

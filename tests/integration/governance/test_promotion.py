"""What soaked in one environment is asked for in the next, once, for whoever asked before."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.audit.models import Event
from apps.audit.queries.bodies import body_of
from apps.builds.models import Bento
from apps.governance import actions
from apps.governance.actions import promoting
from apps.governance.models import Decision, Environment, PolicyRevision, Promotion, Release
from apps.identity.actions import revoke_role
from apps.identity.models import RoleBinding
from apps.jobs.actions import plan_due
from apps.jobs.models import Schedule
from apps.serving.actions import stop_endpoint
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.problems import InvalidInput, NeedsPermission, Problem
from tests.support import factories
from tests.support.world import World

pytestmark = pytest.mark.django_db

SETTING = {"after": "soaked", "to": "production"}
SOAK = "  - {gate: soaked, environment: staging, for: 1h}\n"
ONE = "  - {gate: approvals, role: approver, count: 1}\n"
GATES = "version: 1\ngates:\n"


@pytest.fixture
def staging(world: World) -> Environment:
    """Staging, from where what soaked an hour is asked for in production."""
    world.policy("production", GATES + SOAK + ONE)
    place = world.environment("staging")
    return actions.update_environment(place, promote=SETTING, actor=world.otto)


@pytest.fixture
def due(staging: Environment, world: World) -> Release:
    """What has been live in staging for two hours."""
    return live_since(world, 7200)


def live_since(world: World, seconds: int, bento: Bento | None = None) -> Release:
    """Return what has been live in staging for so long."""
    chosen = bento or world.bento(world.version())
    world.soaked(chosen, seconds=seconds)
    return Release.objects.get(environment__name="staging", bento=chosen)


def opened() -> list[Release]:
    """Return what was asked for in production."""
    rows = Release.objects.filter(environment__name="production")
    return list(rows.select_related("endpoint", "environment", "version").order_by("number"))


def events(kind: str) -> list[dict[str, Any]]:
    """Return what the log says of a kind, oldest first."""
    rows = [body_of(row.body) for row in Event.objects.order_by("index")]
    return [row for row in rows if row["kind"] == kind]


def why(source: Release) -> str:
    """Return why nothing was asked for after ``source``."""
    made = Promotion.objects.get(source=source)
    assert made.release is None
    return made.why


def pass_time(run_jobs: Callable[..., int]) -> None:
    """Have the job of the web process come round twice."""
    from apps.jobs.actions.schedule import ensure_schedules

    for _ in range(2):
        ensure_schedules()
        Schedule.objects.filter(pk="governance.promote").update(next_at=now())
        plan_due(["web"])
        run_jobs("web")


def test_what_soaked_is_asked_for_by_itself_once(
    due: Release, world: World, run_jobs: Callable[..., int]
) -> None:
    pass_time(run_jobs)
    (release,) = opened()
    assert (release.bento_id, release.endpoint.name) == (due.bento_id, "churn")
    assert (release.state, release.serving) == ("requested", due.serving)
    assert (release.requested_by, release.requester) == ("system", due.requester)
    assert release.reason == f"Release {due.number} has soaked in staging for 1 h."
    assert release.request_envelope


def test_people_still_decide_and_never_who_asked_in_the_first_place(
    due: Release, world: World
) -> None:
    factories.grant(world.people["Ada"], {"approver": world.project})
    actions.open_promoted()
    (release,) = opened()
    with pytest.raises(Exception, match="requested"):
        world.decide(release, factories.actor_of(world.people["Ada"]))
    assert not Decision.objects.filter(release=release).exists()
    world.decide(release, world.vera)
    release.refresh_from_db()
    assert release.state == "approved"


def test_the_log_says_by_which_setting_for_whom_and_after_what(due: Release, world: World) -> None:
    actions.open_promoted()
    (release,) = opened()
    requested, made = events("release.requested.v1")[-1], events("promotion.opened.v1")[-1]
    assert requested["actor"] == {
        "kind": "system",
        "id": "system",
        "accountable": due.requester,
        "token": None,
    }
    assert made["data"] == {"number": release.number, "source": due.number}
    (row,) = made["after"].values()
    assert (row["source_id"], row["release_id"]) == (due.pk, release.pk)
    assert row["set_by"] == world.people["Otto"].pk
    place = next(iter(events("environment.changed.v1")[-1]["after"].values()))
    assert place["promote_to_id"] == release.environment_id


def test_what_has_not_soaked_long_enough_waits(staging: Environment, world: World) -> None:
    live_since(world, 600)
    assert actions.open_promoted() == 0
    assert not Promotion.objects.exists()


def test_what_is_stopped_is_not_asked_for(due: Release, world: World) -> None:
    stop_endpoint(due.endpoint, actor=world.otto)
    assert actions.open_promoted() == 0


def test_what_was_ever_asked_for_there_is_not_asked_for_again(due: Release, world: World) -> None:
    asked = world.request("production", due.bento)
    assert actions.open_promoted() == 0
    actions.withdraw(asked, actor=world.ada)
    assert actions.open_promoted() == 0
    assert len(opened()) == 1


def test_what_opened_by_itself_and_was_withdrawn_stays_so(due: Release, world: World) -> None:
    actions.open_promoted()
    actions.withdraw(opened()[0], actor=world.ada)
    assert actions.open_promoted() == 0
    assert [r.state for r in opened()] == ["withdrawn"]


def test_who_may_ask_in_production_no_longer_has_nothing_asked_and_the_log_says_it_once(
    due: Release, world: World
) -> None:
    for role in RoleBinding.objects.filter(person=world.people["Ada"]):
        revoke_role(role, actor=SYSTEM)
    assert (actions.open_promoted(), actions.open_promoted()) == (0, 0)
    assert opened() == []
    said = f"Whoever requested release {due.number} may not request releases in production"
    assert why(due) == said
    (event,) = events("promotion.refused.v1")
    assert (event["subject"], event["data"]) == (due.pk, {"source": due.number})


def test_who_left_has_nothing_asked_for_in_their_name(due: Release, world: World) -> None:
    person = world.people["Ada"]
    type(person).objects.filter(pk=person.pk).update(is_active=False)
    assert actions.open_promoted() == 0
    assert "may not request" in why(due)


def test_what_has_no_answer_now_is_asked_again(
    due: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise Problem("Come back later", status=503)

    with monkeypatch.context() as patch:
        patch.setattr(promoting, "request_release", away)
        with pytest.raises(Problem):
            actions.open_promoted()
    assert not Promotion.objects.exists()
    assert actions.open_promoted() == 1


def test_a_missing_endpoint_is_made_where_one_target_leaves_no_choice(
    due: Release, world: World
) -> None:
    assert not world.project.endpoints.filter(environment="production").exists()
    actions.open_promoted()
    assert world.project.endpoints.filter(environment="production", name="churn").exists()


def test_of_several_targets_none_is_chosen_and_the_reason_is_kept(
    due: Release, world: World
) -> None:
    world.another_target("ward", "production")
    assert actions.open_promoted() == 0
    assert why(due) == "production has several targets: name the one for the new endpoint"


def test_a_policy_that_no_longer_asks_for_soaking_or_people_opens_nothing(
    due: Release, world: World
) -> None:
    for gates in (ONE, SOAK):
        world.policy("production", GATES + gates)
        assert actions.open_promoted() == 0
    assert not Promotion.objects.exists()


def test_the_plan_is_the_one_that_the_setting_names(due: Release, world: World) -> None:
    place = world.environment("staging")
    actions.update_environment(place, promote={**SETTING, "plan": "canary"}, actor=world.otto)
    actions.open_promoted()
    assert opened()[0].plan["strategy"] == "canary"


def test_a_plan_that_is_gone_meanwhile_is_said(due: Release, world: World) -> None:
    plan = {"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}, {"set_weight": 100}]}
    there = world.environment("production")
    actions.update_environment(there, plans={"ours": plan}, actor=SYSTEM)
    place = world.environment("staging")
    actions.update_environment(place, promote={**SETTING, "plan": "ours"}, actor=world.otto)
    actions.update_environment(there, plans={}, actor=SYSTEM)
    assert actions.open_promoted() == 0
    assert why(due).startswith("must be one of: ")


def test_a_setting_that_was_taken_back_opens_nothing(due: Release, world: World) -> None:
    place = actions.update_environment(world.environment("staging"), promote={}, actor=world.otto)
    assert (place.promote_to, place.promote_set_by) == (None, "")
    assert actions.open_promoted() == 0


def operator_of(world: World, environment: str) -> Actor:
    """Return who operates one environment alone."""
    person = factories.person("Olga", roles={"operator": (world.project, environment)})
    return factories.actor_of(person)


def test_who_manages_staging_alone_has_nothing_requested_in_production(world: World) -> None:
    world.policy("production", GATES + SOAK + ONE)
    with pytest.raises(NeedsPermission):
        actions.update_environment(
            world.environment("staging"), promote=SETTING, actor=operator_of(world, "staging")
        )


def test_who_manages_staging_alone_may_take_the_setting_back(
    staging: Environment, world: World
) -> None:
    place = actions.update_environment(staging, promote={}, actor=operator_of(world, "staging"))
    assert place.promote_to is None


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (ONE, "asks for no soaking in staging: publish a revision with the gate {gate: soaked"),
        (SOAK, "asks nobody to approve: publish a revision with a gate `approvals` first"),
    ],
)
def test_a_policy_that_cannot_say_when_or_asks_nobody_is_refused_at_once(
    policy: str, says: str, world: World
) -> None:
    world.policy("production", GATES + policy)
    assert says in refusal(world, SETTING)["/promote/to"]


def test_an_environment_without_a_policy_is_refused(world: World) -> None:
    actions.create_environment(world.project, name="ward", actor=world.otto)
    said = refusal(world, {"after": "soaked", "to": "ward"})
    assert said == {"/promote/to": "ward has no policy: publish one first"}
    assert not PolicyRevision.objects.filter(environment__name="ward").exists()


@pytest.mark.parametrize(
    ("setting", "member"),
    [
        ({"after": "live", "to": "production"}, "after"),
        ({"to": "production"}, "after"),
        ({"after": "soaked"}, "to"),
        ({"after": "soaked", "to": 7}, "to"),
        ({"after": "soaked", "to": "moon"}, "to"),
        ({"after": "soaked", "to": "staging"}, "to"),
        ({"after": "soaked", "to": "development"}, "to"),
        ({**SETTING, "plan": "moonshot"}, "plan"),
        ({**SETTING, "plan": {"strategy": "canary"}}, "plan"),
        ({**SETTING, "hours": 3}, "hours"),
    ],
)
def test_a_setting_that_is_wrong_names_the_member(
    setting: dict[str, Any], member: str, world: World
) -> None:
    world.policy("production", GATES + SOAK + ONE)
    assert list(refusal(world, setting)) == [f"/promote/{member}"]


def test_a_plan_that_the_policy_there_refuses_is_refused(world: World) -> None:
    world.policy("production", GATES + SOAK + ONE + "  - {gate: plan, strategies: [canary]}\n")
    assert (
        "policy of production refuses it"
        in refusal(world, {**SETTING, "plan": "replace"})["/promote/plan"]
    )


def refusal(world: World, setting: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with a setting, by the member."""
    place = world.environment("staging")
    with pytest.raises(InvalidInput) as refused:
        actions.update_environment(place, promote=setting, actor=world.otto)
    place.refresh_from_db()
    assert place.promote_to is None
    return {error.pointer: error.detail for error in refused.value.errors}

"""Before somebody approves, and in the heading, a release says what happens then."""

from datetime import timedelta

import pytest
import time_machine

from apps.governance.actions import lift_freeze, set_freeze
from apps.governance.errors import WrongState
from apps.governance.models import Release
from apps.identity.actions import revoke_role
from apps.identity.models import RoleBinding
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.break_glass import fragile
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
ONE = "version: 1\ngates: [{gate: approvals, role: reviewer, count: 1}]\n"
TWO = """version: 1
gates:
  - {gate: approvals, role: reviewer, count: 2}
  - {gate: soaked, environment: development, for: 1h}
"""
SOAKED = "version: 1\ngates: [{gate: soaked, environment: development, for: 1h}]\n"


def page(world: World, release: Release, name: str = "Rex") -> str:
    """Return the page of a release as somebody of the world sees it."""
    html = browser(world.people[name]).get(f"/releases/{release.pk}/").content.decode()
    return " ".join(html.split())


def dialog(shown: str) -> str:
    """Return the dialog in which the reader decides."""
    return shown.split('<dialog id="review"')[1].split("</dialog>")[0]


def heading(shown: str) -> str:
    """Return what stands below the title."""
    return shown.split("data-page-state")[1].split("requested by")[0]


def test_the_last_approval_says_that_it_goes_live_at_once(world: World) -> None:
    world.policy("staging", ONE)
    shown = page(world, world.request("staging"))
    assert "Yours is the last approval it needs: it goes live at once." in dialog(shown)
    assert "still waits for" not in dialog(shown)
    assert "Waiting for a reviewer" in heading(shown)
    assert "then it goes live by itself" in heading(shown)


def test_its_heading_and_the_list_ask_for_as_many_people_as_its_gates(world: World) -> None:
    two = "version: 1\ngates:\n  - {gate: approvals, role: reviewer, count: 2}\n"
    world.policy("staging", f"{two}  - {{gate: approvals, role: approver, count: 1}}\n")
    shown = page(world, world.request("staging"))
    assert "Waiting for two reviewers" in shown, "as its gate says"
    assert "Waiting for an approver and two reviewers" in heading(shown)
    listed = browser(world.people["Rex"]).get("/releases/").content.decode()
    assert "Waiting for an approver and two reviewers" in listed


def test_where_an_operator_starts_the_rollout_that_is_said(world: World) -> None:
    world.policy("staging", ONE)
    shown = page(world, world.request("staging", plan={"preset": "replace", "start": "manual"}))
    assert "last approval it needs: an operator has to start the rollout." in dialog(shown)
    assert "then an operator has to start the rollout" in heading(shown)


def test_what_it_waits_for_besides_is_named_with_its_time(world: World) -> None:
    world.policy("staging", TWO)
    bento = world.bento(world.version())
    world.live("development", bento)
    release = world.request("staging", bento)
    shown = dialog(page(world, release))
    assert "Waiting for one reviewer; 1 of 2 approved" in shown
    assert "passes at" in shown
    assert "Once all of them have passed, it goes live by itself." in shown
    world.decide(release, world.rita)
    shown = page(world, release)
    assert "one reviewer" not in dialog(shown)
    assert "Once that has passed, it goes live by itself." in dialog(shown)
    assert "Soaked in development for 1 h: passes <time" in heading(shown)


def test_what_a_request_can_never_pass_is_not_waited_for(world: World) -> None:
    world.policy("staging", ONE.replace("gates: [", "gates: [{gate: scan, allow: [safe]}, "))
    bento = world.bento(world.version(), verdict="code-carrying")
    shown = dialog(page(world, world.request("staging", bento)))
    assert "cannot pass for this request" in shown
    assert "it goes live" not in shown


def test_who_does_not_decide_reads_the_heading_alone(world: World) -> None:
    world.policy("staging", ONE)
    shown = page(world, world.request("staging"), "Ada")
    assert 'id="review"' not in shown
    assert "then it goes live by itself" in heading(shown)


def test_a_policy_is_tried_with_what_only_waits_and_who_there_is(world: World) -> None:
    world.policy("staging", ONE)
    release = world.request("staging", plan={"preset": "replace", "start": "manual"})
    world.decide(release, world.rex)
    source = "version: 1\ngates: [{gate: approvals, role: approver, count: 3}]\n"
    answer = browser(world.people["Vera"]).post(
        "/policies/risk/staging/draft", {"source": source, "do": "try"}
    )
    shown = " ".join(answer.content.decode().split())
    tried = shown.split('id="tried"')[1]
    assert "It asks for 3 approvers, and only 2 people hold that role here" in tried
    assert "(Vera risk, Vito risk)" in tried
    assert "Waiting</span>" in tried
    assert "Failed" not in tried
    assert "Publishing drops the 1 decision on releases" in tried


def test_what_only_time_keeps_is_shown_as_waiting_with_its_time_in_lists_too(world: World) -> None:
    """Though its gate had failed when it was requested: what it waits for began only then."""
    world.policy("staging", SOAKED)
    bento = world.bento(world.version())
    release = world.request("staging", bento)

    def listed(path: str = "/releases/") -> str:
        return text_of(browser(world.people["Ada"]).get(path).content.decode())

    assert "✕ Failed: Soaked in development" in listed()
    world.live("development", bento)
    for path in ("/", "/inbox/", "/releases/"):
        said = listed(path)
        assert "◷ Soaked in development for (span): passes" in said, path
        assert "✕" not in said, path
    with time_machine.travel(now() + timedelta(hours=2)):
        assert "✓ Gates passed" in listed()
    set_freeze(release.environment, reason="Audit", actor=world.otto)
    assert "✕" not in listed(), "its policy has no gate for that"


def test_lists_say_that_a_release_waits_for_people_and_for_its_time(world: World) -> None:
    world.policy("staging", TWO)
    bento = world.bento(world.version())
    world.live("development", bento)
    world.request("staging", bento)
    for path in ("/", "/inbox/", "/releases/"):
        said = text_of(browser(world.people["Ada"]).get(path).content.decode())
        both = "◷ Waiting for two reviewers; Soaked in development for (span): passes"
        assert both in said, path


def test_a_freeze_that_ends_by_itself_is_waited_for_in_lists(world: World) -> None:
    world.policy("staging", "version: 1\ngates: [{gate: freeze}, {gate: build}]\n")
    ends = now() + timedelta(hours=3)
    set_freeze(world.environment("staging"), reason="Audit", ends_at=ends, actor=world.otto)
    world.request("staging")
    said = text_of(browser(world.people["Ada"]).get("/releases/").content.decode())
    assert "◷ No freeze: passes" in said


def test_what_a_freeze_does_is_said_by_the_policy_in_force(world: World) -> None:
    otto = browser(world.people["Otto"])
    paths = ("/policies/risk/staging/", "/projects/risk/environments/staging/")
    set_freeze(world.environment("staging"), reason="Audit", actor=world.otto)

    def said() -> list[str]:
        return [" ".join(text_of(otto.get(path).content.decode()).split()) for path in paths]

    world.policy("staging", "version: 1\ngates: [{gate: build}]\n")
    assert all("has no gate “freeze”: rollouts start all the same." in page for page in said())
    world.policy("staging", "version: 1\ngates: [{gate: freeze}, {gate: build}]\n")
    stops = "No rollouts can start here until the freeze ends"
    assert all(f"{stops}." in page for page in said())
    fragile(world)
    assert all(f"{stops}, but by an emergency release." in page for page in said())


def test_a_freeze_that_is_over_stands_nowhere_and_is_not_lifted(world: World) -> None:
    otto, staging = browser(world.people["Otto"]), world.environment("staging")
    ends, begins = now() + timedelta(hours=1), now() + timedelta(hours=2)
    short = set_freeze(staging, reason="Audit", ends_at=ends, actor=world.otto)
    set_freeze(staging, reason="Holidays", starts_at=begins, actor=world.otto)

    def said() -> str:
        return text_of(otto.get("/policies/risk/staging/").content.decode())

    assert "Frozen since" in said() and "Will be frozen from" in said()
    assert said().count("From then on: No rollouts can start here") == 1  # of two freezes
    with time_machine.travel(ends + timedelta(minutes=1)):
        assert "Audit" not in said() and "Holidays" in said()
        with pytest.raises(WrongState) as refusal:
            lift_freeze(short, actor=world.otto)
    assert refusal.value.code == "freeze_over"


def test_what_was_approved_and_has_not_started_can_be_withdrawn_by_who_asked(
    world: World,
) -> None:
    world.policy("staging", "version: 1\ngates: [{gate: build}]\n")
    release = world.request("staging", plan={"start": "manual"})
    release.refresh_from_db()
    assert release.state == "approved"
    assert "Withdraw…" in page(world, release, "Ada")
    assert "Withdraw…" not in page(world, release, "Rita")
    browser(world.people["Ada"]).post(f"/releases/{release.pk}/withdraw")
    release.refresh_from_db()
    assert release.state == "withdrawn"


def test_what_too_few_people_can_approve_does_not_go_live_by_itself(world: World) -> None:
    world.policy("staging", ONE.replace("count: 1", "count: 2"))
    release = world.request("staging")
    assert "by itself" in heading(page(world, release, "Rita"))
    revoke_role(RoleBinding.objects.get(person=world.people["Rex"]), actor=SYSTEM)
    said = heading(page(world, release, "Rita"))
    assert "and only Rita risk could decide as reviewer: an access administrator gives" in said
    assert "by itself" not in said


def test_what_another_holds_by_requesting_changes_does_not_go_live_by_an_approval(
    world: World,
) -> None:
    world.policy("staging", ONE)
    release = world.request("staging")
    world.decide(release, world.rita, "request_changes", comment="Show the gap by age")
    shown = dialog(page(world, release))
    assert "After your approval it still waits for:" in shown
    assert "Held until Rita risk decides again or withdraws the request for changes" in shown
    assert "it goes live" not in shown and "passed" not in shown


def test_what_too_few_people_could_approve_does_not_go_live_by_an_approval(world: World) -> None:
    world.policy("staging", "version: 1\ngates: [{gate: approvals, role: reviewer, count: 2}]\n")
    revoke_role(RoleBinding.objects.get(person=world.people["Rita"]), actor=SYSTEM)
    shown = dialog(page(world, world.request("staging")))
    assert "After your approval it still waits for:" in shown
    assert "an access administrator gives this role to" in shown
    assert "it goes live" not in shown

"""The inbox: what waits for a person, and only what that person can do something about."""

from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import recall
from apps.console.queries.frame import Frame, frame_of, with_frame
from apps.governance.actions import (
    draft_policy,
    end_break_glass,
    publish_policy,
    review_break_glass,
)
from apps.governance.models import PolicyRevision, Release
from apps.governance.queries.standstill import standstill
from apps.governance.queries.visible_rows import waiting_on
from apps.monitoring.actions import open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import AlertKind
from apps.rollouts.actions import resume
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.break_glass import confirmed, fragile, opened
from tests.support.factories import ApiClient, actor_of, api, browser, grant, token_for
from tests.support.story import Story
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db


def draft(world: World) -> PolicyRevision:
    """Have Vera draft a policy for staging."""
    return draft_policy(world.environment("staging"), source=OPEN, actor=world.vera)


def inbox(world: World, name: str) -> str:
    """Return the inbox of somebody of the world."""
    return browser(world.people[name]).get("/inbox/").content.decode()


def test_a_draft_waits_for_others_who_may_publish_it(world: World) -> None:
    row = draft(world)
    assert f"<td>r{row.number}</td>" in inbox(world, "Vito")
    for name in ("Vera", "Ada", "Rex"):  # who drafted it, and who may not publish
        assert "Policy drafts" not in inbox(world, name)
    home = browser(world.people["Vito"]).get("/").content.decode()
    assert (
        "1 policy draft waits to be published or withdrawn" in home
        and f"<td>r{row.number}</td>" in home
    )
    stranger = World("other").people["Vito"]
    assert "Policy drafts" not in browser(stranger).get("/inbox/").content.decode()


def test_an_emergency_waits_for_who_can_co_sign_it_and_then_for_who_can_review_it(
    world: World,
) -> None:
    glass = opened(fragile(world), world.request("staging"))

    def waiting(what: str) -> set[str]:
        return {name for name in world.people if what in inbox(world, name)}

    assert waiting("Co-sign it") == {"Vera", "Vito"}
    home = browser(world.people["Vera"]).get("/").content.decode()
    assert "1 emergency release waits for your co-signature or review" in home
    menu = browser(world.people["Vera"]).get("/models/").content.decode()
    assert "emergency releases to co-sign or review" in menu
    assert ("emergency", glass.pk) in tasks(api(world.people["Vera"]))
    stranger = World("other").people["Vito"]
    assert "Co-sign it" not in browser(stranger).get("/inbox/").content.decode()
    end_break_glass(confirmed(world, glass), actor=world.vera)
    assert (waiting("Co-sign it"), waiting("Close its review")) == (set(), {"Vito"})
    glass.refresh_from_db()
    review_break_glass(glass, finding="justified", findings="It burnt", actor=world.vito)
    assert waiting("Close its review") == set()


def test_nobody_is_asked_to_co_sign_what_they_cannot(world: World) -> None:
    held = world.request("staging")
    opened(fragile(world), held)
    assert "Co-sign it" in inbox(world, "Vito")
    world.decide(held, world.vera, "request_changes", comment="Show the gap")
    assert "Co-sign it" not in inbox(world, "Vito"), "while changes are requested"
    world.decide(held, world.vera, "approve")
    assert "Co-sign it" in inbox(world, "Vito")
    taken: dict[str, Any] = {"kind": "person", "what": world.vito.id, "reason": "coerced"}
    recall(**taken, actor=actor_of(factories.person("Olga", {"operator": None})))
    assert "Co-sign it" not in inbox(world, "Vito"), "once their decisions were recalled"


def tasks(client: ApiClient) -> list[tuple[str, str]]:
    """Return what the API tells that waits, as kinds and ids; each has a page."""
    rows = client.get("/inbox/tasks").json()["items"]
    assert all(row["title"] and row["detail"] and row["since"] and row["url"] for row in rows)
    return [(row["kind"], row["id"]) for row in rows]


def test_the_api_tells_all_that_the_inbox_lists_with_its_address(story: Story) -> None:
    world = story.world
    story.live()
    held = story.under_way({"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}]})
    waits = world.request("staging")
    by_hand = world.request("staging", endpoint="other", plan={"start": "manual"})
    world.decide(by_hand, world.rex)
    row = draft(world)
    rollout = story.rollout(held)
    expected = {
        "Rex": [("decision", waits.pk)],
        "Vito": [("policy", row.pk)],
        "Otto": [("start", by_hand.pk), ("rollout", rollout.pk)],
        "Ada": [],
    }
    for name, listed in expected.items():
        page, person = browser(world.people[name]), world.people[name]
        assert tasks(api(person)) == tasks(api(token_for(person))) == listed, name
        shown = page.get("/inbox/").content.decode().split("<main")[1]
        for one in api(person).get("/inbox/tasks").json()["items"]:
            assert f'href="{one["url"]}"' in shown
            assert page.get(one["url"]).status_code == 200


def test_a_token_is_told_of_what_waits_for_its_owner_what_it_may_see(world: World) -> None:
    release, row = world.request("production"), draft(world)
    vito, other = world.people["Vito"], World("other")
    whole = [("decision", release.pk), ("policy", row.pk)]
    assert tasks(api(token_for(vito))) == whole
    assert tasks(api(token_for(vito, scopes=["release.view"]))) == whole[:1]
    assert tasks(api(token_for(vito, scopes=["policy.view"]))) == whole[1:]
    assert tasks(api(token_for(vito, project=other.project))) == []
    assert tasks(api(token_for(other.people["Vito"]))) == []
    asked = api(token_for(vito)).get("/inbox").json()["items"]
    assert [one["id"] for one in asked] == [release.pk]
    program = factories.service_account("ci", owner=vito)
    assert tasks(api(token_for(program))) == []


def test_a_draft_older_than_the_policy_in_force_waits_for_nobody(world: World) -> None:
    old, newer = draft(world), draft(world)
    assert standstill(world.vito).drafts == [old, newer]
    publish_policy(newer, actor=world.vito)
    assert standstill(world.vito).drafts == []


def test_an_empty_inbox_says_what_would_come(world: World) -> None:
    assert "all caught up" in inbox(world, "Rex")
    world.request("staging")
    shown = inbox(world, "Rex")
    assert "churn" in shown
    assert "all caught up" not in shown


def test_who_has_no_role_sees_nothing(world: World) -> None:
    world.request("staging")
    draft(world)
    nina = factories.person("Nina")
    assert standstill(actor_of(nina)).drafts == []
    assert "Nothing waits for you" in browser(nina).get("/inbox/").content.decode()


def test_of_all_that_waits_the_first_alone_brings_what_the_menu_shows(world: World) -> None:
    for number in range(3):
        world.request("staging", endpoint=f"waits-{number}")
    waiting = waiting_on(world.rex, partial(with_frame, actor=world.rex, chosen="risk"))
    brought: list[Any] = [getattr(row, "frame_projects") for row in waiting.needed]  # noqa: B009
    assert [[one["slug"] for one in each or []] for each in brought] == [["risk"], [], []]
    assert waiting.beside == waiting.needed[0]


def test_the_menu_counts_the_drafts_that_one_may_publish_beside_releases(world: World) -> None:
    def badge(name: str) -> Any:
        answer = browser(world.people[name]).get("/models/")
        return answer.context["navigation"].home[1]

    draft(world)
    said = "policy drafts that you may publish"
    assert (badge("Vito").count, badge("Vito").counted) == (1, said), "without any release"
    assert badge("Vera").count == 0, "who wrote it"
    world.request("production")
    assert badge("Vito").count == 2
    assert badge("Vito").counted == f"releases that wait for your role and {said}"
    assert (badge("Ada").count, badge("Ada").counted) == (0, "")


def test_the_count_beside_inbox_is_of_all_that_the_inbox_lists_on_every_page(
    story: Story, first_release: Release
) -> None:
    world = story.world
    olga = factories.person("Olga", dict.fromkeys(("operator", "approver"), world.project))

    def badge(path: str, who: Any = olga) -> tuple[int, str]:
        item = browser(who).get(path).context["navigation"].home[1]
        return item.count, item.counted

    def everywhere() -> tuple[int, str]:
        (told,) = {badge(path) for path in ("/", "/inbox/", "/models/", "/releases/")}
        return told

    assert everywhere() == (0, "")
    paused = story.under_way({"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}]})
    assert story.rollout(paused).state == "waiting"
    paused_or_asked = "rollouts that wait for a person to go on or for a second one"
    assert everywhere() == (1, paused_or_asked)
    story.approve(story.release("staging", plan={"strategy": "replace", "start": "manual"}))
    draft(world)
    world.request("production")
    said = "releases that wait for your role, approved releases to be rolled out, "
    said += f"{paused_or_asked} and policy drafts that you may publish"
    assert everywhere() == (4, said)
    assert browser(olga).get("/inbox/").context["page"].size == 4
    resume(story.rollout(paused), step=1, reason="Looks fine", actor=story.otto)
    assert everywhere()[0] == 3
    assert badge("/models/", World("other").people["Otto"]) == (0, ""), "they see none of it"


def test_where_there_is_no_release_one_query_tells_the_projects_and_the_open_alerts(
    django_assert_num_queries: Any,
) -> None:
    otto, nina = actor_of(factories.person("Otto", {"operator": None})), factories.person("Nina")
    open_alert(AlertFinding(AlertKind.NODE_SILENT, "node", "n1", "silent"), actor=SYSTEM)
    assert frame_of(None, otto, "").alerts == {"": 1}, "also before there is a project"
    world = World()
    with django_assert_num_queries(1):
        frame = frame_of(None, otto, world.slug)
    assert (frame.alerts, frame.project) == ({"": 1}, frame.projects[0])
    assert frame_of(None, world.ada, world.slug).alerts == {}
    assert frame_of(None, actor_of(nina), world.slug) == Frame()


def test_home_has_all_that_can_wait_for_one_person_in_twelve_queries(world: World) -> None:
    """For somebody with every role: a draft, what nobody can approve, alerts, what was rejected and
    what was recalled of theirs; first with nothing that was ever live, then with what serves."""
    roles = ("contributor", "reviewer", "approver", "operator", "auditor", "admin")
    ada = grant(world.people["Ada"], dict.fromkeys(roles, None))
    draft(world)
    rejected = world.request("staging", endpoint="rejected")
    world.decide(rejected, world.rex, verdict="reject", comment="No report")
    world.request("staging", endpoint="waits")
    gone = world.request("staging", world.bento(world.version()), endpoint="gone")
    said = {"kind": "version", "what": gone.version_id, "reason": "night shift"}
    recall(**said, project=world.project, actor=world.otto)
    open_alert(AlertFinding(AlertKind.NODE_SILENT, "node", "n1", "silent"), actor=SYSTEM)
    client = browser(ada)
    for path in ("/", "/inbox/", "live", "/", "/inbox/"):
        if path == "live":
            world.live()
            continue
        with CaptureQueriesContext(connection) as caught:
            shown = client.get(path).content.decode()
        assert "draft" in shown and "No report" in shown and "night shift" in shown
        assert len(caught) <= 12, (path, [row["sql"] for row in caught])

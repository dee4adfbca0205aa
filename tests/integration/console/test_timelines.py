"""Every row of a timeline says what was acted on, and where, to who may see that."""

import re

import pytest

from apps.audit.events import kinds
from apps.audit.queries import EventFilter, timeline
from apps.console.queries import events
from apps.console.queries.actor_names import FOLLOWS, attributed
from apps.console.queries.event_page import event_page
from apps.console.queries.events import EventLine, event_list_page, named_lines, story
from apps.governance.models import Release
from apps.identity.actions import remove_member, revoke_role
from apps.identity.models import RoleBinding
from apps.monitoring.actions import remove_objective, set_objective
from apps.monitoring.rules import ObjectiveTerms
from apps.registry.actions import delete_alias, set_alias
from apps.rollouts.actions import rollback
from apps.rollouts.models import Rollout
from apps.serving.actions import issue_endpoint_key, require_api_key
from placet.kernel.actor import SYSTEM, Actor, Scope
from tests.support.factories import actor_of, browser, person, project, team
from tests.support.page_text import text_of
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
MEMBERSHIPS = ("team.member_added", "team.member_removed", "role.granted", "role.revoked")


@pytest.fixture
def eve(world: World) -> Actor:
    return actor_of(person("Eve", {"auditor": None}))


def line(actor: Actor, kind: str) -> EventLine:
    """Return the newest line of a kind, as the log shows it."""
    return event_list_page(actor, filters=EventFilter(kind=kind)).lines[0]


def said(actor: Actor, kind: str) -> tuple[str, str, str]:
    found = line(actor, kind)
    assert found.thing is not None
    return found.thing.name, found.thing.url, found.where


def test_an_auditor_reads_what_was_acted_on_and_where(world: World, eve: Actor) -> None:
    release = world.request("staging")
    endpoint = release.endpoint
    issue_endpoint_key(endpoint, name="till 3", actor=SYSTEM)
    at, where = f"/endpoints/{endpoint.pk}/", world.project.name
    assert said(eve, "endpoint.created") == ("churn in staging", at, where)
    assert said(eve, "endpoint.key_issued") == ("churn in staging", at, where)
    assert said(eve, "release.requested") == (
        "release 1 of churn:1 at churn",
        f"/releases/{release.pk}/",
        f"staging, {where}",
    )
    set_alias(release.version.model, name="best", version=release.version, actor=SYSTEM)
    assert said(eve, "alias.set") == ("alias best of churn", "/models/risk/churn/1/", where)
    # its row is gone when the release is decided; what it was for still has a name
    assert said(eve, "prefetch.added")[0] == "release 1 of churn:1 at churn"


def test_a_page_does_not_repeat_what_it_is_about(world: World, eve: Actor) -> None:
    endpoint = world.request("staging").endpoint
    place = Scope(endpoint.project_id, "staging")
    lines, _ = story([endpoint.pk], eve, place=place)
    assert {(row.thing, row.where) for row in lines} == {(None, "")}
    there = named_lines(timeline([endpoint.pk], eve), eve, place=Scope(endpoint.project_id))
    assert {row.where for row in there if row.thing} == {""}


def test_whose_role_it_is_stands_there_for_who_sees_roles(world: World, eve: Actor) -> None:
    vera = person("Vera", {"approver": (world.project, "production")})
    found = line(eve, "role.granted")
    where = f'<a href="/projects/risk/">{world.project.name}</a>'
    assert found.sentence == (
        f'Gave <a href="/people/{vera.pk}/">Vera</a> the role approver in {where} / production'
    )
    assert (found.thing, found.where) == (None, "")
    tim = actor_of(person("Tim", {"auditor": project("other")}))
    (hidden,) = named_lines(timeline([RoleBinding.objects.get(person=vera).pk], eve), tim)
    assert "Vera" not in hidden.sentence


def test_who_came_into_a_team_and_what_role_was_taken_are_said_by_name(eve: Actor) -> None:
    vera = person("Vera")
    crew = team("Risk reviewers", vera, roles={"viewer": None})
    revoke_role(RoleBinding.objects.get(team=crew), actor=SYSTEM)
    remove_member(crew, person=vera, actor=SYSTEM)
    who = f'<a href="/people/{vera.pk}/">Vera</a>'
    there = f'<a href="/administration/teams/{crew.pk}/">Risk reviewers</a>'
    assert [line(eve, kind).sentence for kind in MEMBERSHIPS] == [
        f"Added {who} to the team {there}",
        f"Removed {who} from the team {there}",
        f"Gave {there} the role viewer everywhere",
        f"Took the role viewer everywhere from {there}",
    ]


def test_a_membership_and_a_role_are_called_by_who_has_them(world: World, eve: Actor) -> None:
    team("Risk reviewers", person("Vera", {"approver": (world.project, "production")}))
    called = {}
    for kind in ("team.member_added", "role.granted"):
        page = event_page(line(eve, kind).index, eve)
        called[kind] = (page.subject_name, [row.title for row in page.rows])
    assert called == {
        "team.member_added": (
            "team member Vera of Risk reviewers",
            ["Team member Vera of Risk reviewers"],
        ),
        "role.granted": ("role approver of Vera", ["Role approver of Vera"]),
    }


def test_nobody_is_led_to_what_they_may_not_see(world: World, eve: Actor) -> None:
    release = world.request("staging")
    stranger = actor_of(person("Sam", {"viewer": project("other")}))
    entries = timeline([release.pk, release.endpoint_id], eve)
    for row in named_lines(entries, stranger):
        assert (row.thing, row.where) in ((None, ""), (None, "staging"))


def test_who_asked_for_a_release_did_not_load_the_build_themselves(world: World) -> None:
    world.request("staging")
    page = text_of(browser(person("Eve", {"auditor": None})).get("/audit/").content.decode())
    assert "Pre-loaded a build on the node , triggered by Ada risk" in page


def test_whose_decision_had_placet_approve_a_release_triggered_it_and_did_not_do_it(
    first_release: Release, eve: Actor
) -> None:
    client, approved = browser(person("Fay", {"auditor": None})), line(eve, "release.approved")
    (entry,) = timeline([first_release.pk], eve, kinds=("release.approved.v1",))
    (told,) = events.told([entry], eve)
    assert told.sentence == f"Release 1 is approved, triggered by {approved.actor_name}"
    for path in (f"/releases/{first_release.pk}/", "/audit/"):
        page = text_of(client.get(path).content.decode())
        assert f"Release 1 is approved , triggered by {approved.actor_name}" in page
    page = text_of(client.get(f"/audit/{approved.index}/").content.decode())
    assert f"{approved.actor_name}, who triggered it" in page


def test_whatever_names_a_person_is_by_people_and_nothing_placet_did_reads_as_theirs(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan={"keep_warm_seconds": 600})
    rollback(second.endpoint, reason="worse in Lyon", actor=story.otto)
    story.settle()
    reader = browser(person("Eve", {"auditor": None}))
    people, every = (
        text_of(reader.get(at).content.decode()) for at in ("/audit/?people=1", "/audit/")
    )
    assert "Release 2 was rolled back by Placet, asked by Otto risk" in people
    assert "by Placet\n" in every and "by Placet\n" not in people
    named = [line for line in every.splitlines() if line.endswith("by Otto risk")]
    assert named == [line for line in people.splitlines() if line.endswith("by Otto risk")]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("release.rolled_back.v1", " by Placet, asked by"),
        ("revision.changed.v1", ", triggered by"),
        ("rollout.draining.v1", ", triggered by"),
        ("rollout.aborting.v1", " by"),
        ("rollout.rollback_started.v1", " by"),
    ],
)
def test_what_came_of_what_somebody_did_does_not_read_as_theirs(kind: str, said: str) -> None:
    assert attributed(kind, "per_1") == said
    assert (attributed(kind, "system"), attributed(kind, "nod_1")) == (" by", " by")
    assert kinds().keys() >= FOLLOWS


def test_the_log_says_whether_keys_are_needed_now(world: World, eve: Actor) -> None:
    endpoint = world.request("staging").endpoint
    require_api_key(endpoint, required=True, actor=SYSTEM)
    assert line(eve, "endpoint.key_rule_changed").sentence.endswith("an API key: required")


def test_an_event_about_a_part_of_an_endpoint_names_the_endpoint(world: World) -> None:
    endpoint = world.request("staging").endpoint
    issue_endpoint_key(endpoint, name="till 3", actor=SYSTEM)
    reader = browser(person("Eve", {"auditor": None}))
    rows = event_list_page(
        actor_of(person("Fay", {"auditor": None})), filters=EventFilter(kind="endpoint.key_issued")
    )
    page = reader.get(f"/audit/{rows.lines[0].index}/").content.decode()
    assert "Object\nAPI key till 3 of churn in staging" in text_of(page)
    assert f'href="/endpoints/{endpoint.pk}/"' in page


def test_an_alias_is_called_by_its_name_also_once_it_is_gone(world: World, eve: Actor) -> None:
    version = world.version()
    alias = set_alias(version.model, name="best", version=version, actor=SYSTEM)
    reader = browser(person("Fay", {"auditor": None}))

    def opened(kind: str) -> str:
        page = reader.get(f"/audit/{line(eve, kind).index}/").content.decode()
        return text_of(page.split("Raw bytes")[0])

    shown = opened("alias.set")
    assert "Object\nalias best of churn " in shown and "Alias best of churn\n" in shown
    delete_alias(version.model, name="best", actor=SYSTEM)
    assert said(eve, "alias.deleted")[0] == "churn:1"
    shown = opened("alias.deleted")
    assert "Object\nalias best of churn:1 " in shown and "Alias best of churn:1\n" in shown
    assert alias.pk not in shown


def test_a_decision_is_called_by_the_release_that_it_is_of(world: World, eve: Actor) -> None:
    world.decide(world.request("staging"), world.rex)
    reader = browser(person("Fay", {"auditor": None}))
    page = reader.get(f"/audit/{line(eve, 'release.decided').index}/").content.decode()
    titles = [" ".join(title.split()) for title in re.findall(r"<h2[^>]*>([^<]*)</h2>", page)]
    assert {"Decision of release 1 of churn:1 at churn", "Release 1 of churn:1 at churn"} <= set(
        titles
    )


def test_no_line_calls_by_its_id_what_the_reader_may_know_by_name(story: Story) -> None:
    first, second = story.lived(), story.live()
    endpoint, rollout = first.endpoint, Rollout.objects.get(release=second)
    eve = person("Eve", {"auditor": None})
    started = line(actor_of(eve), "rollout.started")
    assert started.sentence == (
        f'Started rolling out <a href="/releases/{second.pk}/">release 2 of churn:2 at churn</a>'
    )
    said = ""
    for path in (
        "/audit/",
        f"/audit/{started.index}/",
        f"/projects/{story.world.project.slug}/activity/",
        f"/endpoints/{endpoint.pk}/",
        f"/rollouts/{rollout.pk}/",
    ):
        page = browser(eve).get(path).content.decode()
        said += "".join(re.findall(r'(?s)<span class="what">.*?</span>|<h1.*?</h1>', page))
    # both in both lists and at their endpoint, one on its own pages
    assert said.count("Started rolling out <a") == 8
    assert re.search(r"[a-z]{3}_[0-9a-f]{4,}", re.sub("<[^>]*>", "", said)) is None


def test_a_line_says_no_name_of_a_release_that_is_hidden_from_its_reader(story: Story) -> None:
    release = story.lived()
    stranger = actor_of(person("Sam", {"viewer": project("other")}))
    rollout = Rollout.objects.get(release=release)
    entries = timeline([rollout.pk], actor_of(person("Eve", {"auditor": None})))
    sentences = {row.kind: row.sentence for row in named_lines(entries, stranger)}
    cut = f"{release.pk[:8]}…{release.pk[-4:]}"
    assert sentences["rollout.started.v1"] == f"Started rolling out {cut}"


def test_an_endpoints_story_says_who_set_and_removed_its_slo(
    story: Story, first_release: Release
) -> None:
    endpoint, client = first_release.endpoint, browser(story.people["Otto"])

    def shown() -> str:
        return text_of(client.get(f"/endpoints/{endpoint.pk}/").content.decode())

    assert "the SLO of" not in shown()
    row = set_objective(endpoint, terms=ObjectiveTerms(availability=0.99), actor=story.otto)
    assert "Set the SLO of" in shown()
    remove_objective(endpoint, if_generation=row.generation, actor=story.otto)
    assert "Removed the SLO of" in shown()

"""What nobody could do after a change of access is said before it is made."""

from unittest.mock import patch

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.governance.actions import draft_policy
from apps.governance.queries.organisation import OrganisationView
from apps.identity.actions import revoke_role
from apps.identity.models import RoleBinding, SecondFactorDemand, Team, TeamMember, User
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.enrolment import authenticator, signs_in_with
from tests.support.factories import browser, person, project, team
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
ACCESS = OrganisationView.access
NOBODY = "After this no new request can be approved in Risk / production"
UNDER = "under the policy in force"


@pytest.fixture
def desk() -> Client:
    """The browser of an access admin."""
    return browser(person("Ann", {"admin": None}))


def role_of(world: World, name: str) -> RoleBinding:
    return RoleBinding.objects.get(person=world.people[name])


def sent(client: Client, path: str, **data: str) -> str:
    with CaptureQueriesContext(connection) as caught:
        answer = client.post(path, {"next": "/administration/", **data})
    if answer.status_code == 302:
        answer = client.get(answer["Location"])
    else:
        assert len(caught) <= 12, [row["sql"][:80] for row in caught]
    return text_of(answer.content.decode())


@pytest.mark.parametrize(
    "page", ["/projects/risk/members/{role}/remove", "/people/{person}/roles/{role}/take"]
)
def test_the_last_approver_is_removed_by_who_was_told_what_follows(
    page: str, world: World, desk: Client
) -> None:
    first, last = role_of(world, "Vera"), role_of(world, "Vito")
    for binding in (first, last):
        path = page.format(role=binding.pk, person=binding.person_id)
        said = sent(desk, path)
        assert (NOBODY in said) is (binding == last), "Vito is left after Vera"
        assert f"{binding.person} can no longer decide on releases as approver in Risk" in said
        assert RoleBinding.objects.filter(pk=binding.pk).exists()
        assert NOBODY not in sent(desk, path, sure="1")
        assert not RoleBinding.objects.filter(pk=binding.pk).exists()


def test_who_takes_a_role_away_reads_which_releases_nobody_can_approve_then(
    world: World, desk: Client
) -> None:
    world.request("production")
    world.request("staging")
    for name, waits in (("Vera", ""), ("Vito", "In Risk / production then 1 release waits for")):
        path = f"/projects/risk/members/{role_of(world, name).pk}/remove"
        said = sent(desk, path)
        assert waits in said and "Risk / staging then" not in said
        assert ("nobody is left who could give it" in said) is bool(waits)
        sent(desk, path, sure="1")


def test_who_takes_a_role_away_reads_which_requests_for_changes_nobody_could_lift_then(
    world: World, desk: Client
) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, "request_changes")
    lifts = "In Risk / staging then nobody can lift the changes requested on 1 release"
    back = "then who requested changes on 1 release can only withdraw that, not decide again"
    rita = world.people["Rita"]
    take = f"/people/{rita.pk}/roles/{role_of(world, 'Rita').pk}/take"
    said = sent(desk, take)
    assert lifts in said and "can only withdraw" not in said
    assert lifts not in sent(desk, f"/projects/risk/members/{role_of(world, 'Rex').pk}/remove")
    factories.grant(rita, {"viewer": None})
    viewer = RoleBinding.objects.get(person=rita, role="viewer")
    said = sent(desk, take)
    assert f"In Risk / staging {back}." in said and lifts not in said
    sent(desk, take, sure="1")
    take = f"/people/{rita.pk}/roles/{viewer.pk}/take"
    assert f"{lifts}." in sent(desk, take)
    sent(desk, take, sure="1")
    page = text_of(browser(world.people["Vera"]).get(f"/releases/{release.pk}/").content.decode())
    assert "Nobody can lift that request for changes now: Rita risk has no access here" in page


def test_who_takes_a_role_from_a_team_reads_what_its_members_can_only_withdraw_then(
    world: World, desk: Client
) -> None:
    bob = person("Bob", {"viewer": world.project})
    crew = team("Crew", bob, roles={"reviewer": (world.project, "staging")})
    world.decide(world.request("staging"), factories.actor_of(bob), "request_changes")
    bound = RoleBinding.objects.get(team=crew)
    said = sent(desk, f"/administration/teams/{crew.pk}/roles/{bound.pk}/take")
    assert "then who requested changes on 1 release can only withdraw that" in said
    RoleBinding.objects.get(person=bob).delete()
    said = sent(desk, f"/administration/teams/{crew.pk}/roles/{bound.pk}/take")
    assert "In Risk / staging then nobody can lift the changes requested on 1 release." in said


def test_who_takes_a_role_away_reads_which_draft_nobody_could_publish_then(
    world: World, desk: Client
) -> None:
    asks = "version: 1\ngates: [{gate: approvals, role: reviewer, count: 2}]\n"
    draft = draft_policy(world.environment("production"), source=asks, actor=world.vera)
    nobody = f"In Risk / production then nobody can publish draft r{draft.number} of its policy"
    said = {
        name: sent(desk, f"/projects/risk/members/{role_of(world, name).pk}/remove")
        for name in ("Vera", "Vito", "Rex", "Ada")
    }
    # Vera wrote it; of two reviewers that it asks for Rex is one
    assert [name for name, page in said.items() if nobody in page] == ["Vito", "Rex"]
    path = f"/people/{world.people['Vito'].pk}/deactivate"
    assert nobody in sent(desk, path)
    sent(desk, path, sure="1")
    home = text_of(desk.get("/").content.decode())
    assert f"Draft r{draft.number} of its policy cannot be published" in home


def test_who_deactivates_somebody_reads_what_waits_for_them_alone(
    world: World, desk: Client
) -> None:
    world.request("production")
    world.decide(world.request("staging"), world.rita, "request_changes")
    said = sent(desk, f"/people/{world.people['Rita'].pk}/deactivate")
    lifts = "In Risk / staging then nobody can lift the changes requested on 1 release."
    assert said.count(lifts) == 1 and "After this" not in said
    sent(desk, f"/people/{world.people['Vera'].pk}/deactivate")
    vito = world.people["Vito"]
    said = sent(desk, f"/people/{vito.pk}/deactivate")
    waits = "In Risk / production then 1 release waits for an approval as approver, and nobody"
    assert f"{NOBODY} {UNDER}. {waits} is left who could give it." in said
    assert lifts not in said
    bob, bea = person("Bob"), person("Bea")
    team("Crew", bob, bea, roles={"approver": world.project})
    for one in (vito, bob, bea):
        assert User.objects.get(pk=one.pk).is_active
        said = sent(desk, f"/people/{one.pk}/deactivate")
        assert (waits in said) is User.objects.get(pk=one.pk).is_active is (one == bea), one


def test_who_alone_would_hold_two_roles_that_are_asked_is_too_few_then(
    world: World, desk: Client
) -> None:
    asks = ", ".join(f"{{gate: approvals, role: {role}}}" for role in ("reviewer", "approver"))
    world.policy("production", f"version: 1\ngates: [{asks}]\n")
    world.request("production")
    factories.grant(world.people["Rex"], {"approver": world.project})
    for name in ("Rita", "Vera"):
        revoke_role(role_of(world, name), actor=SYSTEM)
    said = sent(desk, f"/projects/risk/members/{role_of(world, 'Vito').pk}/remove")
    waits = "1 release waits for approvals as approver and reviewer, and too few people are left"
    assert f"In Risk / production then {waits}" in said


def test_a_role_that_is_held_in_another_way_too_is_said_to_stay(world: World, desk: Client) -> None:
    vera = world.people["Vera"]
    team("Crew", vera, roles={"approver": world.project})
    said = sent(desk, f"/projects/risk/members/{role_of(world, 'Vera').pk}/remove")
    assert "Vera risk stays approver in Risk, by another role or a team." in said
    viewer = factories.grant(person("Bob"), {"viewer": (world.project, "staging")})
    bound = RoleBinding.objects.get(person=viewer)
    said = sent(desk, f"/people/{viewer.pk}/roles/{bound.pk}/take")
    assert "Bob is no longer viewer in Risk / staging, unless by another role." in said
    factories.grant(world.people["Vito"], {"approver": (world.project, "staging")})
    wide = RoleBinding.objects.get(person=world.people["Vito"], environment="")
    said = sent(desk, f"/projects/risk/members/{wide.pk}/remove")
    assert "can no longer decide on releases as approver in Risk, unless by another role." in said


def test_a_team_that_approves_alone_is_asked_about_too(world: World, desk: Client) -> None:
    bob = person("Bob")
    crew = team("Crew", bob, roles={"approver": world.project})
    for name in ("Vera", "Vito"):
        revoke_role(role_of(world, name), actor=SYSTEM)
    path = f"/administration/teams/{crew.pk}/"
    taken = f"{path}roles/{RoleBinding.objects.get(team=crew).pk}/take"
    for target in (taken, f"{path}members/{bob.pk}/remove"):
        assert NOBODY in sent(desk, target)
    assert TeamMember.objects.filter(team=crew).exists()
    sent(desk, f"{path}members/{bob.pk}/remove", sure="1")
    assert not TeamMember.objects.filter(team=crew).exists()


def test_deleting_the_team_that_approves_alone_is_asked_about(world: World, desk: Client) -> None:
    crew = team("Crew", person("Bob"), roles={"approver": world.project})
    other = team("Other", person("Bea"))
    for name in ("Vera", "Vito"):
        revoke_role(role_of(world, name), actor=SYSTEM)
    assert NOBODY not in sent(desk, f"/administration/teams/{other.pk}/delete")
    assert not Team.objects.filter(pk=other.pk).exists()
    path = f"/administration/teams/{crew.pk}/delete"
    assert NOBODY in sent(desk, path)
    assert Team.objects.filter(pk=crew.pk).exists()
    assert NOBODY not in sent(desk, path, sure="1")
    assert not Team.objects.filter(pk=crew.pk).exists()


def test_the_last_person_who_approves_is_deactivated_by_who_was_told_what_follows(
    world: World, desk: Client
) -> None:
    first, last = world.people["Vera"], world.people["Vito"]
    for one in (first, last):
        path = f"/people/{one.pk}/deactivate"
        assert (NOBODY in sent(desk, path)) is (one == last), "Vito is left after Vera"
        assert User.objects.get(pk=one.pk).is_active is (one == last)
    assert NOBODY not in sent(desk, path, sure="1")
    assert not User.objects.get(pk=last.pk).is_active


def test_the_last_who_can_request_is_removed_by_who_was_told_what_follows(
    world: World, desk: Client
) -> None:
    nobody = "After this nobody can request a release in Risk / development, Risk / staging and"
    first, last = role_of(world, "Ada"), role_of(world, "Alan")
    for binding in (first, last):
        path = f"/people/{binding.person_id}/roles/{binding.pk}/take"
        assert (nobody in sent(desk, path)) is (binding == last), "Alan is left after Ada"
        if binding == first:
            sent(desk, path, sure="1")
    roles = {"contributor": world.project, "approver": world.project}
    crew = team("Crew", person("Bob"), person("Bea"), roles=roles)
    for name in ("Alan", "Vera", "Vito"):
        revoke_role(role_of(world, name), actor=SYSTEM)
    said = sent(desk, f"/administration/teams/{crew.pk}/delete")
    assert f"{NOBODY} {UNDER}, and nobody can request a release in Risk / development" in said


def test_a_demand_says_where_nobody_can_approve_until_they_have_a_second_factor(
    world: World, desk: Client
) -> None:
    path = "/administration/roles/approver/demand"
    until = "until those who hold the role have set one up"
    assert f"{NOBODY} {UNDER} {until}" in sent(desk, path)
    assert not SecondFactorDemand.objects.exists()
    signs_in_with(world.people["Vera"], authenticator())
    assert NOBODY not in sent(desk, path)
    assert SecondFactorDemand.objects.filter(role="approver").exists()


def test_where_nobody_could_approve_before_that_is_not_said_to_follow(
    world: World, desk: Client
) -> None:
    for name in ("Vera", "Vito"):
        revoke_role(role_of(world, name), actor=SYSTEM)
    rex = role_of(world, "Rex")
    path = f"/people/{rex.person_id}/roles/{rex.pk}/take"
    assert "After this" not in sent(desk, path)
    assert RoleBinding.objects.filter(pk=rex.pk).exists()
    sent(desk, path, sure="1")
    assert not RoleBinding.objects.filter(pk=rex.pk).exists()


def test_who_may_not_remove_is_refused_and_learns_nothing(world: World) -> None:
    revoke_role(role_of(world, "Vera"), actor=SYSTEM)
    last = role_of(world, "Vito")
    said = sent(browser(world.people["Vito"]), f"/projects/risk/members/{last.pk}/remove")
    assert (
        "After this" not in said
        and "can no longer" not in said
        and RoleBinding.objects.filter(pk=last.pk).exists()
    )


def test_an_admin_of_one_project_reads_of_no_other(world: World) -> None:
    """A role everywhere is not theirs to take, and what follows elsewhere is not named."""
    ria = browser(person("Ria", {"admin": world.project}))
    project("other")
    revoke_role(role_of(world, "Vera"), actor=SYSTEM)
    said = sent(ria, f"/projects/risk/members/{role_of(world, 'Vito').pk}/remove")
    assert NOBODY in said and "Other" not in said


def test_only_where_somebody_counts_is_it_asked_who_would_be_left(
    world: World, desk: Client
) -> None:
    """In an organisation of 20,000 people and 120 environments each takes a hundredth second."""
    World("other")
    with patch.object(OrganisationView, "access", autospec=True, side_effect=ACCESS) as asked:
        for path in (
            f"/projects/risk/members/{role_of(world, 'Vera').pk}/remove",
            f"/people/{world.people['Vito'].pk}/deactivate",
        ):
            sent(desk, path)
            places = [
                seen.policies[pk].environment for seen, pk in (c.args for c in asked.mock_calls)
            ]
            assert {place.project.slug for place in places} == {"risk"}, path
            asked.reset_mock()

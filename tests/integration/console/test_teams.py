"""Teams in the administration: people come and go, and hold its roles for as long as they stay."""

from typing import Any

import pytest
from django.test import Client

from apps.console.queries import paging
from apps.identity.models import Project, RoleBinding, Team, TeamMember, User
from placet.kernel.actor import Scope
from tests.support.factories import actor_of, browser, person, project, team
from tests.support.page_text import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Client:
    """The browser of an access admin."""
    return browser(person("Ann", {"admin": None}))


def said(answer: Any) -> str:
    return text_of(answer.content.decode())


def sees_risk(who: User) -> bool:
    risk = Project.objects.get(slug="risk")
    return actor_of(who).can("release.view", Scope(risk.pk))


def test_a_team_is_made_filled_and_given_a_role(desk: Client) -> None:
    bob = person("Bob")
    project("risk")
    shown = said(desk.post("/administration/teams/new", {"name": "Crew"}, follow=True))
    assert "Nobody is in it" in shown
    crew = Team.objects.get(name="Crew")
    path = f"/administration/teams/{crew.pk}/"
    assert "Bob is in the team Crew" in said(
        desk.post(f"{path}members/add", {"who": " BOB@example.com "}, follow=True)
    )
    given = desk.post(f"{path}roles/give", {"role": "reviewer", "place": "risk"}, follow=True)
    assert "Everybody in Crew now holds: reviewer · Risk" in said(given)
    assert sees_risk(bob)
    listed = said(desk.get("/administration/teams/"))
    assert "Crew\n1 person\nReviewer · Risk" in listed


def test_teams_of_any_name_are_paged(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE", 1)
    names = ["A/B", "A/C", "D"]
    for name in names:
        team(name)
    seen, after = [], ""
    while len(seen) < 4:
        page = desk.get(f"/administration/teams/?after={after}").context["page"]
        seen += [row.team.name for row in page.rows]
        if not (after := page.key):
            break
    assert seen == names


def test_who_leaves_a_team_loses_its_roles(desk: Client) -> None:
    bob, eve = person("Bob"), person("Eve")
    crew = team("Crew", bob, eve, roles={"viewer": project("risk")})
    path = f"/administration/teams/{crew.pk}/"
    desk.post(f"{path}members/{bob.pk}/remove")
    assert not sees_risk(bob)
    assert sees_risk(eve)
    binding = RoleBinding.objects.get(team=crew)
    desk.post(f"{path}roles/{binding.pk}/take", {"sure": "1"})
    assert not sees_risk(eve)
    assert desk.post(f"{path}roles/{binding.pk}/take").status_code == 404


def test_a_deleted_team_leaves_its_people_and_takes_its_roles(desk: Client) -> None:
    bob = person("Bob")
    crew = team("Crew", bob, roles={"viewer": project("risk")})
    shown = said(desk.post(f"/administration/teams/{crew.pk}/delete", follow=True))
    assert "The team Crew is deleted, and the roles given to it" in shown
    assert "No teams" in shown
    assert not sees_risk(bob)
    assert desk.get(f"/administration/teams/{crew.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("where", "form", "refusal"),
    [
        ("new", {"name": "Crew"}, "name"),
        ("new", {"name": " "}, "name"),
        ("{team}/members/add", {"who": "nobody@example.com"}, "Nobody has this e-mail address"),
        ("{team}/members/add", {"who": "ann@example.com"}, "Nobody widens their own access"),
        ("{team}/roles/give", {"role": "reviewer", "place": "none"}, "There is no such project"),
        ("{team}/roles/give", {"role": "king"}, "role"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    desk: Client, where: str, form: dict[str, str], refusal: str
) -> None:
    crew = team("Crew")
    path = "/administration/teams/" + where.format(team=crew.pk)
    answer = desk.post(path, form, follow=True)
    assert refusal in said(answer)
    assert "data-refused" in answer.content.decode()
    assert Team.objects.count() == 1
    assert not TeamMember.objects.exists()
    assert not RoleBinding.objects.filter(team=crew).exists()


def test_an_auditor_reads_teams_and_finds_no_buttons() -> None:
    crew = team("Crew", person("Bob"), roles={"viewer": project("risk")})
    auditor = browser(person("Ida", {"auditor": None}))
    listed = auditor.get("/administration/teams/").content.decode()
    assert "Crew" in listed
    assert "New team" not in listed
    shown = auditor.get(f"/administration/teams/{crew.pk}/").content.decode()
    assert "Bob" in shown
    for word in ("Remove", "Add a person", "Give a role", "Delete"):
        assert word not in text_of(shown), word


def test_a_person_leads_to_their_teams_whoever_may_open_them(desk: Client) -> None:
    bob = person("Bob")
    crew = team("Crew", bob)
    link = f"/administration/teams/{crew.pk}/"
    assert link in desk.get(f"/people/{bob.pk}/").content.decode()
    own = browser(bob).get(f"/people/{bob.pk}/").content.decode()
    assert "Crew" in own
    assert link not in own
    assert browser(bob).get(link).status_code == 404

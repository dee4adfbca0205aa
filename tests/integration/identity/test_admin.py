"""The access administration: who enters, and that every write there is an action."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client

from apps.audit.models import Event
from apps.identity.models import (
    ApiToken,
    Project,
    RoleBinding,
    ServiceAccount,
    Team,
    TeamMember,
    User,
)
from tests.support.factories import (
    actor_of,
    api,
    browser,
    person,
    project,
    service_account,
    team,
    token_for,
)

pytestmark = pytest.mark.django_db
PAGES = ("user", "team", "serviceaccount", "rolebinding", "apitoken", "project")


@pytest.fixture
def ann() -> User:
    """The access admin."""
    return person("Ann", roles={"admin": None})


@pytest.fixture
def desk(ann: User) -> Client:
    """Ann's browser."""
    return browser(ann)


def kinds() -> list[str]:
    return [str(e.kind) for e in Event.objects.order_by("index")]


def errors(answer: Any) -> str:
    assert answer.status_code == 200, answer
    return " ".join(re.findall(r"errorlist[^>]*>(.*?)</ul>", answer.content.decode(), re.S))


def test_nobody_signs_in_at_the_admin_itself() -> None:
    answer = browser().get("/admin/identity/user/")
    assert answer["Location"] == "/admin/login/?next=/admin/identity/user/"
    answer = browser().get(answer["Location"])
    assert answer["Location"] == "/accounts/login/?next=%2Fadmin%2Fidentity%2Fuser%2F"


def test_the_admins_login_never_leads_to_another_site(desk: Client) -> None:
    assert desk.get("/admin/login/?next=https://evil.example/")["Location"] == "/admin/"
    there = browser().get("/admin/login/?next=//evil.example/")["Location"]
    assert there == "/accounts/login/?next=%2Fadmin%2F"


def test_a_superuser_without_the_role_does_not_enter() -> None:
    eve = person("Eve", roles={"approver": None, "operator": None})
    User.objects.filter(pk=eve.pk).update(is_superuser=True, is_staff=True)
    client = browser(eve)
    assert client.get("/admin/login/").status_code == 403
    assert client.get("/admin/", follow=True).status_code == 403
    assert not actor_of(eve).can("access.manage")


def test_an_admin_of_one_project_does_not_enter() -> None:
    client = browser(person("Pia", roles={"admin": project("risk")}))
    assert client.get("/admin/", follow=True).status_code == 403


def test_a_token_does_not_enter(ann: User) -> None:
    client = Client(headers={"authorization": f"Bearer {token_for(ann)}"})
    assert client.get("/admin/").status_code == 302


def test_only_access_is_administered_there() -> None:
    assert {m.__name__ for m in admin.site._registry} == {
        "User",
        "Team",
        "ServiceAccount",
        "RoleBinding",
        "ApiToken",
        "Project",
        "Position",
    }


def test_no_page_has_inline_script_or_style_and_none_offers_bulk_deletion(
    desk: Client, ann: User
) -> None:
    risk = project("risk")
    bot = service_account("bot", owner=ann)
    crew = team("Crew", person("Ada"), roles={"viewer": risk})
    token_for(bot)
    binding, token = RoleBinding.objects.first(), ApiToken.objects.get()
    assert binding
    paths = ["/admin/"] + [f"/admin/identity/{p}/{t}" for p in PAGES for t in ("", "add/")]
    for name, row in zip(PAGES, (ann, crew, bot, binding, token, risk), strict=True):
        paths.append(f"/admin/identity/{name}/{row.pk}/change/")
    paths += [f"/admin/identity/team/{crew.pk}/delete/"]
    for path in paths:
        answer = desk.get(path)
        text = answer.content.decode()
        assert answer.status_code == 200, path
        assert not re.search(r"<script(?![^>]*(src=|application/json))", text), path
        assert not re.search(r"<style|\sstyle=|\son(click|load|submit|change)=", text), path
        assert "delete_selected" not in text
        assert token.secret_hash not in text
        assert "unsafe" not in answer["Content-Security-Policy"]


def test_a_new_person_comes_with_a_set_up_link_shown_once(desk: Client) -> None:
    answer = desk.post("/admin/identity/user/add/", {"email": "Ada@example.com", "name": "Ada"})
    assert "no-store" in answer["Cache-Control"]
    found = re.search(r"http://localhost:\d+(/accounts/[^<]+)", answer.content.decode())
    assert found
    assert browser().get(found[1], follow=True).status_code == 200
    assert User.objects.get(name="Ada").email == "ada@example.com"
    assert kinds()[-2:] == ["person.created.v1", "person.setup_link_made.v1"]


def test_a_refused_form_says_why_at_the_field_and_nothing_happened(desk: Client) -> None:
    person("Ada")
    before = len(kinds())
    answer = desk.post("/admin/identity/user/add/", {"email": "ada@example.com", "name": "A"})
    assert "It is taken" in errors(answer)
    assert len(kinds()) == before
    assert User.objects.count() == 2


def test_a_person_is_deactivated_there_with_their_tokens(desk: Client) -> None:
    ada = person("Ada")
    text = token_for(ada)
    page = f"/admin/identity/user/{ada.pk}/change/"
    assert desk.post(page, {"name": "Ada B."}).status_code == 302
    ada.refresh_from_db()
    assert (ada.name, ada.is_active) == ("Ada B.", False)
    assert api(text).get("/whoami").status_code == 401
    assert kinds()[-2:] == ["person.deactivated.v1", "person.updated.v1"]


def test_a_person_is_never_deleted(desk: Client) -> None:
    ada = person("Ada")
    assert desk.post(f"/admin/identity/user/{ada.pk}/delete/", {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=ada.pk).exists()


def formset(*people: User, initial: list[TeamMember] | None = None) -> dict[str, str]:
    have = initial or []
    rows = {
        "memberships-TOTAL_FORMS": str(len(have) + len(people)),
        "memberships-INITIAL_FORMS": str(len(have)),
    }
    for n, member in enumerate(have):
        rows |= {f"memberships-{n}-id": member.pk, f"memberships-{n}-DELETE": "on"}
    for n, who in enumerate(people, len(have)):
        rows[f"memberships-{n}-person"] = who.pk
    return rows


def test_a_team_is_made_with_members_and_loses_them(desk: Client) -> None:
    ada, bob = person("Ada"), person("Bob")
    answer = desk.post("/admin/identity/team/add/", {"name": "Crew", **formset(ada, bob)})
    assert answer.status_code == 302, errors(answer)
    crew = Team.objects.get()
    assert TeamMember.objects.count() == 2
    first = TeamMember.objects.get(person=ada)
    page = f"/admin/identity/team/{crew.pk}/change/"
    assert desk.post(page, formset(initial=[first])).status_code == 302
    assert [m.person for m in TeamMember.objects.all()] == [bob]
    assert desk.post(f"/admin/identity/team/{crew.pk}/delete/", {"post": "yes"}).status_code == 302
    assert kinds()[-5:] == [
        "team.created.v1",
        "team.member_added.v1",
        "team.member_added.v1",
        "team.member_removed.v1",
        "team.deleted.v1",
    ]


def test_an_access_admin_cannot_put_themselves_into_a_new_team(desk: Client, ann: User) -> None:
    ada = person("Ada")
    answer = desk.post("/admin/identity/team/add/", {"name": "Crew", **formset(ada, ann)})
    assert "Nobody widens their own access" in errors(answer)
    assert not Team.objects.exists()
    assert not TeamMember.objects.exists()
    assert "team.created.v1" not in kinds()


def test_a_role_is_granted_and_revoked_there_but_not_to_oneself(desk: Client, ann: User) -> None:
    risk, ada = project("risk"), person("Ada")
    add = "/admin/identity/rolebinding/add/"
    given = {"role": "approver", "person": ada.pk, "project": risk.pk, "environment": "production"}
    assert desk.post(add, given).status_code == 302
    assert "already" in errors(desk.post(add, given))
    assert "Nobody widens" in errors(desk.post(add, {"role": "approver", "person": ann.pk}))
    assert "exactly one" in errors(desk.post(add, {"role": "approver"}))
    lost = {"role": "viewer", "person": ada.pk, "environment": "production"}
    assert "belongs to a project" in errors(desk.post(add, lost))
    binding = RoleBinding.objects.get(person=ada)
    assert binding.environment == "production"
    desk.post(f"/admin/identity/rolebinding/{binding.pk}/delete/", {"post": "yes"})
    assert not RoleBinding.objects.filter(person=ada).exists()
    assert kinds()[-2:] == ["role.granted.v1", "role.revoked.v1"]


def test_a_role_cannot_be_edited(desk: Client) -> None:
    person("Ada", roles={"viewer": None})
    binding = RoleBinding.objects.get(role="viewer")
    page = f"/admin/identity/rolebinding/{binding.pk}/change/"
    assert desk.post(page, {"role": "approver"}).status_code == 403
    binding.refresh_from_db()
    assert binding.role == "viewer"


def test_a_service_account_is_handed_over_and_ended(desk: Client, ann: User) -> None:
    ada, bob = person("Ada"), person("Bob")
    desk.post("/admin/identity/serviceaccount/add/", {"name": "bot", "owner": ada.pk})
    bot = ServiceAccount.objects.get()
    text = token_for(bot)
    page = f"/admin/identity/serviceaccount/{bot.pk}/change/"
    assert desk.post(page, {"owner": bob.pk, "is_active": "on"}).status_code == 302
    assert api(text).get("/whoami").status_code == 401
    assert desk.post(page, {"owner": bob.pk}).status_code == 302
    assert "stays ended" in errors(desk.post(page, {"owner": bob.pk, "is_active": "on"}))
    bot.refresh_from_db()
    assert (bot.owner, bot.is_active) == (bob, False)


def test_an_access_admin_does_not_take_over_a_service_account_that_holds_roles(
    desk: Client, ann: User
) -> None:
    bot = service_account("bot", owner=person("Ada"), roles={"operator": None})
    page = f"/admin/identity/serviceaccount/{bot.pk}/change/"
    answer = desk.post(page, {"owner": ann.pk, "is_active": "on"})
    assert "Nobody widens" in errors(answer)


def test_a_new_tokens_secret_is_shown_once_and_works(desk: Client, ann: User) -> None:
    answer = desk.post(
        "/admin/identity/apitoken/add/",
        {
            "name": "ci",
            "scopes": ["project.create", "project.view"],
            "expires_at_0": "2027-03-01",
            "expires_at_1": "00:00:00",
        },
    )
    found = re.search(r"plc_\w+", answer.content.decode())
    assert found, errors(answer)
    assert "no-store" in answer["Cache-Control"]
    assert api(found[0]).get("/whoami").json()["id"] == ann.pk
    token = ApiToken.objects.get()
    assert found[0] not in desk.get(f"/admin/identity/apitoken/{token.pk}/change/").content.decode()
    listed = desk.post(
        "/admin/identity/apitoken/", {"action": "revoke", "_selected_action": token.pk}
    )
    assert listed.status_code == 302
    assert api(found[0]).get("/whoami").json()["code"] == "token_revoked"


def test_a_token_for_somebody_elses_service_account_is_not_offered(desk: Client) -> None:
    bot = service_account("bot", owner=person("Ada"))
    answer = desk.post(
        "/admin/identity/apitoken/add/",
        {
            "name": "x",
            "scopes": ["model.view"],
            "service_account": bot.pk,
            "expires_at_0": "2027-03-01",
            "expires_at_1": "00:00:00",
        },
    )
    assert "valid choice" in errors(answer)
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("user/?is_active__exact=1", 200),
        ("rolebinding/?role__exact=viewer", 200),
        ("user/?password__startswith=pbkdf2", 400),
        ("user/?is_active__in=1", 400),
        ("user/?created_at__year=-1", 400),
        ("apitoken/?secret_hash__startswith=a", 400),
        ("rolebinding/?person__password__startswith=pbkdf2", 400),
    ],
)
def test_a_list_is_narrowed_by_its_own_filters_alone(desk: Client, asked: str, status: int) -> None:
    assert desk.get(f"/admin/identity/{asked}").status_code == status


def test_djangos_own_admin_log_stays_empty(desk: Client) -> None:
    desk.post("/admin/identity/user/add/", {"email": "ada@example.com", "name": "Ada"})
    assert not LogEntry.objects.exists()


def test_a_project_is_made_there_and_its_quota_changed(desk: Client) -> None:
    told = {"slug": "risk", "name": "Risk", "description": "", "artifact_quota": "1000"}
    assert desk.post("/admin/identity/project/add/", told).status_code == 302
    made = Project.objects.get(slug="risk")
    assert made.artifact_quota == 1000
    page = f"/admin/identity/project/{made.pk}/change/"
    more = {"name": "Risk", "description": "", "artifact_quota": "2000"}
    assert desk.post(page, more).status_code == 302
    assert Project.objects.get(slug="risk").artifact_quota == 2000
    assert kinds().count("project.quota_set.v1") == 1
    assert "0 (no limit)" in errors(desk.post(page, {**more, "artifact_quota": "-1"}))
    assert Project.objects.get(slug="risk").artifact_quota == 2000


def test_a_projects_page_shows_its_members(desk: Client) -> None:
    risk = project("risk")
    person("Rex", roles={"reviewer": (risk, "production")})
    team("Crew", roles={"viewer": risk})
    shown = desk.get(f"/admin/identity/project/{risk.pk}/change/").content.decode()
    assert "Rex" in shown
    assert "team Crew" in shown

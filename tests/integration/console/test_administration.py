"""The administration: inviting people, looking after their access, and what is set up."""

import json
import re
import socket
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pydantic import SecretStr

from apps.audit.models import Event
from apps.console.queries.instance import GROUPS, TRIALS, shown_value
from apps.console.queries.role_matrix import permission_groups
from apps.identity.actions import deactivate_person, reactivate_person
from apps.identity.models import ApiToken, RoleBinding, User
from apps.identity.rules import PERMISSIONS, ROLES
from apps.integrations import trials
from apps.integrations.trials import tried
from apps.registry.store import store
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.config import Config, config
from placet.kernel.outbound import OutboundResponse
from tests.support.enrolment import authenticator, signs_in_with
from tests.support.factories import api, browser, grow_old, person, project, team, token_for
from tests.support.page_text import text_of

pytestmark = pytest.mark.django_db
NEW = {"name": "New Person", "email": "new@example.com", "role": "reviewer", "place": "risk"}
ENVIRONMENTS = ("development", "staging", "production")  # as every project begins


@pytest.fixture
def desk() -> Client:
    """The browser of an access admin."""
    return browser(person("Ann", {"admin": None}))


@pytest.fixture
def mails(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail server that takes everything."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    monkeypatch.setattr(config(), "email_url", "smtp://mail.example.com:25")


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_without_a_mail_server_the_inviter_sees_the_link_once(desk: Client) -> None:
    project("risk")
    answer = desk.post("/administration/invite", NEW)
    assert "/accounts/password/reset/key/" in text(answer)
    assert re.search('data-copy="http[^"]+/reset/key/[^"]+">Copy the link<', text(answer))
    assert answer["Cache-Control"] == "no-store"
    new = User.objects.get(email="new@example.com")
    assert str(RoleBinding.objects.get(person=new)) == "reviewer · Risk"
    assert not new.has_usable_password()
    assert not mail.outbox


@pytest.mark.usefixtures("mails")
def test_with_a_mail_server_the_link_goes_to_the_invited_alone(desk: Client) -> None:
    project("risk")
    shown = text(desk.post("/administration/invite", NEW, follow=True))
    assert "An invitation is on its way to new@example.com." in shown
    assert "/accounts/password/reset/key/" not in shown
    (message,) = mail.outbox
    assert message.to == ["new@example.com"]
    link = next(p for p in str(message.body).split() if "/accounts/password/reset/key/" in p)
    assert Client().get(link.removeprefix("http://localhost:8000")).status_code == 302


def test_a_refused_invitation_is_shown_again_as_it_was_and_adds_nobody(desk: Client) -> None:
    shown = text(desk.post("/administration/invite", NEW))
    assert "There is no such project" in shown
    assert 'value="New Person"' in shown
    assert not User.objects.filter(email="new@example.com").exists()


def test_nobody_raises_themselves(desk: Client) -> None:
    ann = User.objects.get(email="ann@example.com")
    said = text(desk.post(f"/people/{ann.pk}/roles/give", {"role": "approver"}, follow=True))
    assert "Nobody widens their own access" in said
    assert "Give a role" not in text(desk.get(f"/people/{ann.pk}/"))


def test_places_to_give_a_role_in_are_offered_by_project(desk: Client) -> None:
    for slug in ("risk", "claims"):
        project(slug)
    shown = text(desk.get("/administration/")).split('id="iv-place"')[1].split("</select>")[0]
    groups = re.findall('<optgroup label="([^"]+)">(.*?)</optgroup>', shown)
    assert {name: re.findall('value="([^"]+)"', options) for name, options in groups} == {
        slug.capitalize(): [slug, *(f"{slug}/{place}" for place in ENVIRONMENTS)]
        for slug in ("claims", "risk")
    }


def test_places_of_projects_of_one_name_are_told_apart_by_their_short_names(desk: Client) -> None:
    for slug, name in (("risk", "Risk"), ("mine", "RISK"), ("claims", "Claims")):
        project(slug, name)
    shown = text(desk.get("/administration/")).split('id="iv-place"')[1].split("</select>")[0]
    named = re.findall('<optgroup label="([^"]+)">', shown)
    assert named == ["Claims", "RISK (mine)", "Risk (risk)"]
    assert "Risk (risk) · staging" in shown and "Claims · staging" in shown


def test_roles_are_given_and_taken_on_the_person(desk: Client) -> None:
    bob, risk = person("Bob"), project("risk")
    place = {"role": "operator", "place": "risk/staging"}
    assert "Operator · staging" in text(
        desk.post(f"/people/{bob.pk}/roles/give", place, follow=True)
    )
    binding = RoleBinding.objects.get(person=bob, project=risk)
    desk.post(f"/people/{bob.pk}/roles/{binding.pk}/take", {"sure": "1"})
    assert not RoleBinding.objects.filter(person=bob).exists()
    crew = team("Crew", bob, roles={"viewer": risk})
    by_team = RoleBinding.objects.get(team=crew)
    assert desk.post(f"/people/{bob.pk}/roles/{by_team.pk}/take").status_code == 404


def test_an_old_session_is_asked_who_it_is_first(desk: Client) -> None:
    bob = person("Bob")
    grow_old(desk)
    before = Event.objects.count()
    for verb in ("sign-out", "deactivate", "setup-link"):
        answer = desk.post(f"/people/{bob.pk}/{verb}")
        assert answer["Location"].startswith("/accounts/reauthenticate/"), verb
    assert Event.objects.count() == before


def test_the_list_finds_who_lacks_something(desk: Client) -> None:
    person("Has Role", {"viewer": None})
    sure = person("Has Factor")
    signs_in_with(sure, authenticator())
    in_team = person("In Team")
    team("Crew", in_team, roles={"viewer": project("risk")})

    def names(query: str) -> set[str]:
        page = desk.get(f"/administration/?{query}").context["page"]
        return {row.person.name for row in page.rows}

    assert names("show=no-role") == {"Has Factor"}
    assert names("show=no-factor") == {"Ann", "Has Role", "In Team"}
    assert names("q=TEAM") == {"In Team"}
    assert names("show=inactive") == set()
    shown = text(desk.get("/administration/?q=factor"))
    assert "Passkey" in shown


def test_the_list_says_when_people_signed_in_last_and_finds_who_is_away(desk: Client) -> None:
    """Who uses a token is not away; what they do while they stay signed in is not written down."""
    for name, days in (("Lately", 3), ("Long Ago", 40), ("Very Long Ago", 100), ("By Token", 100)):
        who = person(name)
        User.objects.filter(pk=who.pk).update(last_login=now() - timedelta(days=days))
    token_for(who)
    ApiToken.objects.filter(person=who).update(last_used_at=now())
    gone = person("Gone")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    invited = now() - timedelta(days=100)
    User.objects.filter(pk=person("Never In").pk).update(last_login=None, created_at=invited)
    User.objects.filter(pk=person("Just Invited").pk).update(last_login=None)

    def names(show: str) -> set[str]:
        page = desk.get(f"/administration/?show={show}").context["page"]
        return {row.person.name for row in page.rows} - {"Ann"}

    assert names("away-30") == {"Long Ago", "Very Long Ago", "Never In"}
    assert names("away-90") == {"Very Long Ago", "Never In"}
    shown = text(desk.get("/administration/"))
    assert "Last sign-in or token use" in shown
    assert "Away for 30 days" in shown
    assert "Last active" not in shown


def test_who_was_let_in_again_keeps_their_last_sign_in_and_is_said_not_to_have_come_since(
    desk: Client,
) -> None:
    reader = api(User.objects.get(name="Ann"))
    ada, before = person("Ada"), now() - timedelta(days=3)
    User.objects.filter(pk=ada.pk).update(last_login=before)
    deactivate_person(ada, actor=SYSTEM)
    reactivate_person(ada, actor=SYSTEM)
    raw = desk.get(f"/people/{ada.pk}/").content.decode()
    page = text_of(raw)
    assert re.search(r"Last sign-in or token use\s+\(ago\)\s+Reactivated\s+\(ago\)", page)
    ada.refresh_from_db()
    today = f"{ada.reactivated_at:%Y-%m-%d}"
    again = f"Let in again on {today}, not signed in since"
    assert again in desk.get("/administration/?q=Ada").content.decode()
    assert f"was let in again on {today} and has not signed in since" in raw
    told = reader.get(f"/people/{ada.pk}").json()
    assert datetime.fromisoformat(told["last_sign_in_at"]) == before
    assert datetime.fromisoformat(told["reactivated_at"]) > before
    User.objects.filter(pk=ada.pk).update(last_login=now())
    assert "Active" in text(desk.get("/administration/?q=Ada"))
    assert reader.get(f"/people/{person('Bea').pk}").json()["reactivated_at"] is None


def test_many_people_and_tokens_cost_no_more_queries_and_come_in_pages(desk: Client) -> None:
    risk = project("risk")
    one = person("One", {"viewer": risk})
    token_for(one)
    pages = ["/administration/", "/administration/tokens/", "/administration/instance/"]
    pages.append(f"/people/{one.pk}/")
    before = {path: queries(desk, path) for path in pages}
    for number in range(55):
        User.objects.create(email=f"p{number}@example.com", name=f"Person {number % 9}")
    for again in range(5):
        token_for(person(f"Two {again}", {"viewer": risk}))
    assert {path: queries(desk, path) for path in pages} == before
    assert max(before.values()) <= 12
    first = desk.get("/administration/").context
    rest = desk.get(f"/administration/?after={first['key']}").context
    shown = [row.person.pk for page in (first, rest) for row in page["page"].rows]
    assert len(shown) == len(set(shown)) == User.objects.count()


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as caught:
        assert client.get(path).status_code == 200
    return len(caught)


def test_an_admin_revokes_a_token_of_somebody_else(desk: Client) -> None:
    token_for(person("Bob", {"viewer": None}))
    token = ApiToken.objects.get()
    assert "Bob" in text(desk.get("/administration/tokens/?show=unused&q=bob"))
    desk.post(f"/administration/tokens/{token.pk}/revoke")
    token.refresh_from_db()
    assert token.revoked_at
    assert "No token found" in text(desk.get("/administration/tokens/"))
    assert "Revoked" in text(desk.get("/administration/tokens/?show=ended"))


def test_the_matrix_has_every_permission_of_every_role() -> None:
    held: dict[str, set[str]] = {role: set() for role in ROLES}
    for group in permission_groups():
        for row in group.rows:
            for role, has in zip(ROLES, row.held, strict=True):
                held[role] |= {row.name} if has else set()
    assert held == ROLES
    assert set().union(*held.values()) == PERMISSIONS


def test_every_setting_is_on_the_page_once() -> None:
    named = [name for group in GROUPS.values() for name in group]
    assert sorted(named) == sorted(Config.model_fields)
    assert TRIALS.keys() <= GROUPS.keys()
    assert {trial for trial, _, _ in TRIALS.values()} == set(trials.TRIALS)


def test_no_secret_is_shown() -> None:
    assert shown_value("secret_key", SecretStr("hush")) == "Set"
    assert shown_value("oidc_client_secret", SecretStr("")) == "Not set"
    url = "postgresql://placet:hush@db.example:5432/placet?password=hush"
    assert shown_value("database_url", url) == "postgresql://db.example:5432/placet"
    assert shown_value("email_url", "smtp+tls://me:hu@sh@mail.example") == "smtp+tls://mail.example"


def test_the_store_is_tried_and_nothing_stays_there(desk: Client) -> None:
    kept = list(store().backend.listing())
    said = text(desk.post("/administration/instance/try/store", follow=True))
    assert "A probe was written to the artifact store, read and deleted." in said
    assert Event.objects.latest("index").kind == "instance.tried.v1"
    assert list(store().backend.listing()) == kept


@pytest.mark.usefixtures("mails")
def test_a_test_mail_goes_to_who_asked(desk: Client) -> None:
    desk.post("/administration/instance/try/mail", {"address": "eve@example.com"})
    assert [message.to for message in mail.outbox] == [["ann@example.com"]]


def test_what_does_not_answer_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setattr(config(), "oidc_issuer", nobody)
        monkeypatch.setattr(config(), "prometheus_url", nobody)
        for what in ("oidc", "prometheus"):
            result = tried(what, "")
            assert not result.worked
            assert "no connection" in result.said
    monkeypatch.setattr(config(), "email_url", "")
    assert "PLACET_EMAIL_URL" in tried("mail", "").said


def test_a_discovery_document_is_read_as_sign_in_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config(), "oidc_issuer", "https://id.example/realm/")
    asked: list[str] = []

    def answers(body: bytes, status: int = 200) -> str:
        def answer(url: str, **_how: Any) -> OutboundResponse:
            asked.append(url)
            return OutboundResponse(status, {}, body, 0.1)

        monkeypatch.setattr(trials, "get", answer)
        return tried("oidc", "").said

    assert "not with a document" in answers(b"<html>")
    assert "not with a document" in answers(b"{}", 500)
    assert "lacks token_endpoint, jwks_uri" in answers(b'{"authorization_endpoint": "https://x/a"}')
    where = {"authorization_endpoint": "https://id.example/a", "token_endpoint": "t"}
    whole = json.dumps(where | {"jwks_uri": "k"}).encode()
    assert answers(whole) == "Discovery answered in 0.1 s; people sign in at id.example."
    assert set(asked) == {"https://id.example/realm/.well-known/openid-configuration"}


def test_people_say_of_whom_it_is_awaited_to_sign_in_as_duties_and_members_do(
    desk: Client,
) -> None:
    """Whoever has a password has come, by the link of their invitation or by a command."""
    with_password, invited = person("Set Up", password="a long password"), person("Invited")
    for who in (with_password, invited):
        User.objects.filter(pk=who.pk).update(last_login=None)
    rows = desk.get("/administration/").context["page"].rows
    said = {row.person.name: row.state.text for row in rows}
    assert (said["Set Up"], said["Invited"]) == ("Active", "Not yet signed in")


def test_who_demands_a_second_factor_is_told_whether_they_lose_the_role_themselves(
    desk: Client,
) -> None:
    person("Bob", {"approver": project("risk")})
    said = {role.name: role for role in desk.get("/administration/roles/").context["page"].roles}
    assert said["admin"].hits == "You have none: of those who hold it, you alone lose it now"
    assert said["admin"].meanwhile.startswith("You can sign in")
    assert said["approver"].hits == "Of those who hold it, 1 person has none and loses it now"
    assert said["approver"].meanwhile.startswith("They can sign in")
    assert said["operator"].hits == "Nobody holds it"
    assert "They" not in said["operator"].meanwhile
    person("Abe", {"admin": None})
    admin = desk.get("/administration/roles/").context["page"].roles
    hits = next(role.hits for role in admin if role.name == "admin")
    assert hits == "Of those who hold it, 2 people, you among them, have none and lose it now"

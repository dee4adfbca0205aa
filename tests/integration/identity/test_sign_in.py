"""How people get in, and how they do not."""

import re
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from apps.audit.models import Event
from apps.identity import actions
from apps.identity.actions.credentials import change_credentials, set_own_password
from apps.identity.errors import HasPassword, Inactive
from apps.identity.models import User
from placet.kernel.actor import SYSTEM, Scope
from placet.kernel.problems import Forbidden
from placet_protocol.cookies import SESSION
from tests.support.factories import actor_of, browser, person

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"


def sign_in(client: Client, email: str, password: str = PASSWORD, **extra: str) -> Any:
    return client.post("/accounts/login/", {"login": email, "password": password, **extra})


def events(kind: str) -> list[Event]:
    return list(Event.objects.filter(kind=f"{kind}.v1"))


def test_a_person_signs_in_with_address_and_password_and_out_again() -> None:
    ada = person("Ada", password=PASSWORD)
    client = browser()
    assert sign_in(client, "Ada@Example.com").status_code == 302
    assert client.get("/api/v1/whoami").json()["id"] == ada.pk
    assert [e.subject for e in events("session.opened")] == [ada.pk]
    assert '"method":"password"' in events("session.opened")[0].body
    client.post("/accounts/logout/")
    assert client.get("/api/v1/whoami").status_code == 401
    assert [e.subject for e in events("session.closed")] == [ada.pk]


def test_a_failed_sign_in_is_logged_without_the_address() -> None:
    ada = person("Ada", password=PASSWORD)
    sign_in(browser(), "ada@example.com", "wrong")
    sign_in(browser(), "stranger@example.com", "wrong")
    assert [e.subject for e in events("session.refused")] == [ada.pk, ""]
    assert not any("@example.com" in e.body for e in Event.objects.all())


def test_the_answer_does_not_tell_whether_an_address_exists() -> None:
    person("Ada", password=PASSWORD)
    known = sign_in(browser(), "ada@example.com", "wrong").content.decode()
    unknown = sign_in(browser(), "bob@example.com", "wrong").content.decode()
    message = "not correct"
    assert message in known
    assert message in unknown


def test_guessing_passwords_is_stopped_even_when_the_right_one_comes_at_last() -> None:
    person("Ada", password=PASSWORD)
    for _ in range(6):
        sign_in(browser(), "ada@example.com", "wrong")
    client = browser()
    sign_in(client, "ada@example.com")
    assert client.get("/api/v1/whoami").status_code == 401


def test_signing_in_gives_a_new_session_and_a_planted_one_is_worthless() -> None:
    person("Ada", password=PASSWORD)
    client = browser()
    client.session["planted"] = "yes"
    client.session.save()
    planted = client.session.session_key
    client.cookies[SESSION] = planted or ""
    sign_in(client, "ada@example.com")
    assert client.cookies[SESSION].value != planted
    attacker = browser()
    attacker.cookies[SESSION] = planted or ""
    assert attacker.get("/api/v1/whoami").status_code == 401


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_sign_in_never_leads_to_another_site(target: str) -> None:
    person("Ada", password=PASSWORD)
    answer = sign_in(browser(), "ada@example.com", next=target)
    assert answer.status_code == 302
    assert answer["Location"] == "/"


def test_sign_in_leads_back_to_where_one_came_from() -> None:
    person("Ada", password=PASSWORD)
    assert sign_in(browser(), "ada@example.com", next="/releases")["Location"] == "/releases"


@pytest.mark.parametrize(
    "path", ["signup", "email", "3rdparty", "3rdparty/signup", "confirm-email"]
)
def test_nobody_signs_up_or_changes_the_address_that_resets_the_password(path: str) -> None:
    ada = person("Ada", password=PASSWORD)
    assert browser().get(f"/accounts/{path}/").status_code == 404
    answer = browser(ada).post(f"/accounts/{path}/", {"email": "eve@example.com"})
    assert answer.status_code == 404
    assert User.objects.count() == 1


def test_a_set_up_link_sets_the_first_password_once() -> None:
    ada = person("Ada")
    link = actions.setup_link(ada, actor=SYSTEM)
    client = browser()
    page = client.get(link, follow=True)
    assert page.status_code == 200
    form = page.redirect_chain[-1][0]
    done = client.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    assert done.status_code == 302
    assert client.get("/api/v1/whoami").json()["id"] == ada.pk
    assert b'name="password1"' not in browser().get(link, follow=True).content
    assert len(events("password.changed")) == 1


def test_an_access_admin_makes_a_set_up_link_only_for_who_has_no_password() -> None:
    ann = actor_of(person("Ann", roles={"admin": None}))
    actions.setup_link(person("Bob"), actor=ann)
    with pytest.raises(HasPassword):
        actions.setup_link(person("Ada", password=PASSWORD), actor=ann)


def test_what_somebody_sets_while_they_are_deactivated_does_not_come_back() -> None:
    ada = person("Ada")
    here = User.objects.get(pk=ada.pk)  # as a request of theirs read it a moment before
    actions.deactivate_person(ada, actor=SYSTEM)
    with pytest.raises(Inactive):
        set_own_password(here, PASSWORD)
    with pytest.raises(Inactive):
        change_credentials(here, lambda row: TOTP.activate(row, "JBSWY3DPEHPK3PXP"))
    back = actions.reactivate_person(ada, actor=SYSTEM)
    assert not back.has_usable_password()
    assert not Authenticator.objects.filter(user=back).exists()


def test_an_access_admin_never_chooses_somebodys_password() -> None:
    ann = actor_of(person("Ann", roles={"admin": None}))
    with pytest.raises(Forbidden):
        actions.create_person(email="b@example.com", name="B", password=PASSWORD, actor=ann)


def test_a_forgotten_password_is_reset_by_mail(mailoutbox: list[Any]) -> None:
    person("Ada", password=PASSWORD)
    browser().post("/accounts/password/reset/", {"email": "ada@example.com"})
    browser().post("/accounts/password/reset/", {"email": "stranger@example.com"})
    assert [m.to for m in mailoutbox] == [["ada@example.com"]]
    found = re.search(r"/accounts/password/reset/key/\S+", mailoutbox[0].body)
    assert found
    assert browser().get(found[0], follow=True).status_code == 200


def test_a_new_password_ends_the_sessions_opened_with_the_old_one() -> None:
    ada = person("Ada", password=PASSWORD)
    elsewhere = browser(ada)
    here = browser()
    here.get(actions.setup_link(ada, actor=SYSTEM), follow=True)
    link = actions.setup_link(ada, actor=SYSTEM)
    page = here.get(link, follow=True)
    here.post(
        page.redirect_chain[-1][0], {"password1": PASSWORD + "2", "password2": PASSWORD + "2"}
    )
    assert elsewhere.get("/api/v1/whoami").status_code == 401


def test_the_first_admin_is_made_on_the_server_with_a_link(settings: Any) -> None:
    out = StringIO()
    call_command("create_admin", "--email", "Root@example.com", "--name", "Root", stdout=out)
    root = User.objects.get(email="root@example.com")
    assert actor_of(root).can("access.manage")
    assert not actor_of(root).can("release.approve", Scope("prj_1"))
    found = re.search(r"http://localhost:\d+(/accounts/\S+)", out.getvalue())
    assert found
    assert browser().get(found[1], follow=True).status_code == 200
    call_command("create_admin", "--email", "root@example.com", stdout=StringIO())
    assert User.objects.count() == 1


def test_create_admin_says_what_is_wrong() -> None:
    with pytest.raises(CommandError, match="e-mail"):
        call_command("create_admin", "--email", "nonsense", "--name", "X")


def test_no_sign_in_page_has_inline_script_or_style() -> None:
    ada = person("Ada", password=PASSWORD)
    pages = ["/accounts/login/", "/accounts/password/reset/"]
    own = ["/accounts/2fa/", "/accounts/password/change/", "/accounts/reauthenticate/"]
    answers = [browser().get(p) for p in pages] + [browser(ada).get(p) for p in own]
    for answer in answers:
        text = answer.content.decode()
        assert answer.status_code in (200, 302)
        assert not re.search(r"<script(?![^>]*(src=|application/json))", text)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)
        assert "unsafe" not in answer["Content-Security-Policy"]

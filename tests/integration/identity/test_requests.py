"""Who a request is made by: sessions, tokens, CSRF."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Event
from apps.identity import actions
from apps.identity.errors import NeedsSession, NotYourToken
from apps.identity.models import ApiToken, ServiceAccount, User
from apps.identity.rules import tokens
from placet.kernel.actor import SYSTEM, Scope
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import InvalidInput
from placet_protocol.cookies import CSRF
from tests.support.factories import (
    actor_by_token,
    actor_of,
    api,
    browser,
    person,
    project,
    service_account,
    token_for,
)

pytestmark = pytest.mark.django_db


def whoami(who: Any, **headers: str) -> Any:
    return api(who).get("/whoami", **headers)


def test_a_person_in_a_session_is_themselves() -> None:
    ada = person("Ada")
    answer = whoami(ada)
    assert answer.status_code == 200
    assert answer.json()["id"] == ada.pk
    assert answer.json()["token"] is None


def test_nobody_is_told_to_sign_in() -> None:
    answer = whoami(None)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_signed_in"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_token_acts_for_its_holder_and_notes_its_use_once_a_minute() -> None:
    ada = person("Ada")
    text = token_for(ada)
    with time_machine.travel(now(), tick=False) as clock:
        first = now()
        assert whoami(text).json()["id"] == ada.pk
        clock.shift(30)
        whoami(text)
        assert ApiToken.objects.get().last_used_at == first
        clock.shift(31)
        whoami(text)
        assert ApiToken.objects.get().last_used_at == first + timedelta(seconds=61)
    assert not Event.objects.filter(kind__startswith="token.used").exists()


@pytest.mark.parametrize("host", ["evil.example", "testserver@evil.example", "a b"])
@pytest.mark.parametrize("path", ["/accounts/password/reset/", "/api/v1/models", "/agent/v1/state"])
def test_a_host_that_is_not_ours_is_refused_in_words(path: str, host: str) -> None:
    answer = Client(headers={"host": host}).get(path)
    assert answer.status_code == 400
    assert "PLACET_ALLOWED_HOSTS" in answer.content.decode()
    assert host not in answer.content.decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:8080"},
        {"host": "testserver"},
        {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"},
    ],
)
def test_a_mail_leads_to_the_public_address_whatever_was_asked(
    headers: dict[str, str], mailoutbox: list[Any]
) -> None:
    person("Ada", password="a long password of Ada's")
    Client(headers=headers).post("/accounts/password/reset/", {"email": "ada@example.com"})
    (link,) = re.findall(r"\S+/accounts/password/reset/key/", mailoutbox[0].body)
    assert link == "http://localhost:8000/accounts/password/reset/key/"
    assert "evil.example" not in mailoutbox[0].body


def test_a_link_is_as_safe_as_the_public_address_whatever_a_proxy_says(
    mailoutbox: list[Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    monkeypatch.setattr(config(), "public_url", "https://localhost/")
    person("Ada", password="a long password of Ada's")
    other = Client(headers={"x-forwarded-proto": "http"})
    other.post("/accounts/password/reset/", {"email": "ada@example.com"})
    assert "https://localhost/accounts/password/reset/key/" in mailoutbox[0].body


def with_checksum(body: str) -> str:
    """Complete a forged token so that its form is right."""
    return body + tokens._checksum(body)


def spoilt(text: str, how: str) -> str:
    """Return ``text`` mistyped, or another token that nobody ever issued."""
    if how == "token_malformed":
        return text[:-1] + ("a" if text[-1] != "a" else "b")
    return with_checksum("plc_00000000_" + "0" * 32)


@pytest.mark.parametrize("code", ["token_malformed", "token_unknown"])
def test_a_wrong_token_is_refused_with_the_reason(code: str) -> None:
    ada = person("Ada")
    answer = whoami(spoilt(token_for(ada), code))
    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_an_expired_token_is_refused_with_the_reason() -> None:
    text = token_for(person("Ada"), days=1)
    with time_machine.travel(now() + timedelta(days=2)):
        answer = whoami(text)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


def test_a_revoked_token_is_refused_and_can_revoke_itself() -> None:
    text = token_for(person("Ada"))
    token = ApiToken.objects.get()
    assert api(text).post(f"/tokens/{token.pk}/revoke").status_code == 200
    assert whoami(text).json()["code"] == "token_revoked"


def test_a_bad_token_is_refused_even_beside_a_good_session() -> None:
    ada = person("Ada")
    client = api(ada)
    assert client.get("/whoami", authorization="Bearer plc_nonsense").status_code == 401


def test_a_prefix_with_a_foreign_secret_opens_nothing() -> None:
    ada, eve = person("Ada"), person("Eve")
    own, other = token_for(ada), token_for(eve)
    body = own[:13] + other[13:-6]
    assert whoami(with_checksum(body)).json()["code"] == "token_unknown"


def test_a_deactivated_person_loses_tokens_sessions_and_their_services_tokens() -> None:
    ada = person("Ada")
    bot = service_account("bot", owner=ada)
    session, own, bots = api(ada), token_for(ada), token_for(bot)
    actions.deactivate_person(ada, actor=SYSTEM)
    assert session.get("/whoami").status_code == 401
    assert whoami(own).status_code == 401
    assert whoami(bots).status_code == 401
    actions.reactivate_person(ada, actor=SYSTEM)
    assert session.get("/whoami").status_code == 401
    assert whoami(own).json()["code"] == "token_revoked"


def test_a_service_accounts_token_stops_when_its_owner_is_inactive() -> None:
    ada = person("Ada")
    text = token_for(service_account("bot", owner=ada))
    User.objects.filter(pk=ada.pk).update(is_active=False)  # whatever the way it came about
    assert whoami(text).json()["code"] == "token_inactive"


def test_a_service_account_counts_as_its_owner() -> None:
    ada, risk = person("Ada"), project("risk")
    bot = service_account("bot", owner=ada, roles={"contributor": risk})
    actor = actor_by_token(bot)
    assert (actor.kind, actor.id, actor.accountable) == ("service", bot.pk, ada.pk)
    assert actor.can("model.create", Scope(risk.pk))


def test_a_deactivated_service_account_has_no_token_left() -> None:
    ada = person("Ada")
    text = token_for(service_account("bot", owner=ada))
    actions.deactivate_service_account(ServiceAccount.objects.get(), actor=actor_of(ada))
    assert whoami(text).json()["code"] == "token_revoked"


def test_a_session_that_writes_needs_the_csrf_token_and_a_bearer_does_not() -> None:
    ann = person("Ann", roles={"admin": None})
    body = {"slug": "risk", "name": "Risk"}
    refused = api(ann, csrf=True).post("/projects", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    text = token_for(ann)
    assert api(text, csrf=True).post("/projects", body).status_code == 201
    client = api(ann, csrf=True)
    browser_page = client.get("/whoami")
    assert browser_page.status_code == 200
    from django.middleware.csrf import _get_new_csrf_string

    secret = _get_new_csrf_string()
    client.cookies[CSRF] = secret
    assert (
        client.post("/projects", {"slug": "fraud", "name": "Fraud"}, x_csrftoken=secret).status_code
        == 201
    )


def test_where_the_pages_begin_is_no_way_around_the_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("Ann", roles={"admin": None}))
    body = {"slug": "risk", "name": "Risk"}
    refused = client.post("/api/v1/projects", body, "application/json", SCRIPT_NAME="/x")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")


def test_an_access_admin_issues_no_token_for_another_person_or_their_service() -> None:
    ann, ada = person("Ann", roles={"admin": None}), person("Ada")
    bot = service_account("bot", owner=ada)
    admin = actor_of(ann)
    later = now() + timedelta(days=1)
    for holder in ({"person": ada}, {"service_account": bot}):
        with pytest.raises(NotYourToken):
            actions.issue_token(
                name="x", scopes=["model.view"], expires_at=later, actor=admin, **holder
            )
    assert not ApiToken.objects.exists()


def test_a_token_makes_no_further_token() -> None:
    ada = person("Ada")
    actor = actor_by_token(ada)
    with pytest.raises(NeedsSession):
        actions.issue_token(
            name="x",
            scopes=["model.view"],
            expires_at=now() + timedelta(days=1),
            person=ada,
            actor=actor,
        )


@pytest.mark.parametrize(
    ("scopes", "days"),
    [
        ([], 1),
        (["release.approve"], 1),
        (["model.fly"], 1),
        (["model.view"], -1),
        (["model.view"], 900),
    ],
)
def test_a_token_that_could_decide_or_never_ends_is_refused(scopes: list[str], days: int) -> None:
    ada = person("Ada")
    with pytest.raises(InvalidInput):
        actions.issue_token(
            name="x",
            scopes=scopes,
            expires_at=now() + timedelta(days=days),
            person=ada,
            actor=actor_of(ada),
        )


def test_a_tokens_text_is_stored_nowhere() -> None:
    text = token_for(person("Ada"))
    secret = text.split("_")[2]
    token = ApiToken.objects.get()
    assert secret not in str(vars(token))
    assert not any(secret in e.body or token.secret_hash in e.body for e in Event.objects.all())


def test_finding_out_who_asks_takes_two_queries_for_a_session_or_a_token() -> None:
    ada = person("Ada", roles={"viewer": project("risk")})
    text = token_for(ada)
    whoami(text)
    with CaptureQueriesContext(
        connection,
    ) as by_token:
        whoami(text)
    assert len([q for q in by_token if "identity_" in q["sql"]]) <= 2
    with CaptureQueriesContext(connection) as nobody:
        browser().get("/accounts/login/")
    assert not [q for q in nobody if "identity_" in q["sql"]]


def test_who_asks_by_another_of_our_names_can_send_forms_and_write_to_the_api() -> None:
    ada = person("Ada", password="a long password of Ada's")
    headers = {"host": "testserver", "origin": "http://testserver"}
    client = Client(enforce_csrf_checks=True, headers=headers)
    client.get("/accounts/login/")
    form = {"login": ada.email, "password": "a long password of Ada's"}
    token = client.cookies[CSRF].value
    client.post("/accounts/login/", form | {"csrfmiddlewaretoken": token})
    assert client.get("/api/v1/whoami").json()["id"] == ada.pk
    written = client.post(
        "/api/v1/projects",
        {},
        content_type="application/json",
        headers={"x-csrftoken": client.cookies[CSRF].value},
    )
    assert written.json()["code"] == "invalid_input"
    client.defaults["HTTP_ORIGIN"] = "http://evil.example"
    refused = client.post("/api/v1/projects", {}, content_type="application/json")
    assert refused.json()["code"] == "csrf_failed"

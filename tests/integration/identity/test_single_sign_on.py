"""Single sign-on through an OpenID Connect provider."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from apps.audit.models import Event
from apps.identity import actions
from apps.identity.models import User
from apps.identity.sign_in.provider_answers import MAX_BYTES
from placet.kernel.actor import SYSTEM
from tests.integration.identity.identity_provider import PATH, Provider, come_in, stale, who
from tests.support.database import sql
from tests.support.factories import api, browser, grow_old, person

pytestmark = pytest.mark.django_db


def test_a_known_person_comes_in_by_a_verified_address_and_is_linked(provider: Provider) -> None:
    ada = person("Ada")
    client, _ = come_in(provider, email="Ada@example.com", email_verified=True)
    assert who(client) == ada.pk
    again, _ = come_in(provider, email="renamed@example.com", email_verified=True)
    assert who(again) == ada.pk
    linked = Event.objects.filter(kind="person.identity_linked.v1")
    assert [e.subject for e in linked] == [ada.pk]
    opened = Event.objects.filter(kind="session.opened.v1").first()
    assert opened
    assert '"method":"single_sign_on"' in opened.body


def test_an_address_that_the_provider_does_not_vouch_for_opens_nothing(provider: Provider) -> None:
    person("Ada")
    client, answer = come_in(provider, email="ada@example.com", email_verified=False)
    assert answer.status_code == 403
    assert who(client) is None


def test_a_stranger_with_a_verified_address_is_not_made_a_person(provider: Provider) -> None:
    person("Ada")
    client, answer = come_in(provider, email="eve@example.com", email_verified=True)
    assert answer.status_code == 403
    assert "Ask an access admin" in " ".join(answer.content.decode().split())
    assert who(client) is None
    assert User.objects.count() == 1
    assert Event.objects.filter(kind="session.refused.v1").count() == 1


@pytest.mark.parametrize("said", ["false", "true", "0", 1, [0], {"a": 1}])
def test_an_address_counts_as_verified_by_the_word_true_alone(
    provider: Provider, said: Any
) -> None:
    person("Ada")
    client, answer = come_in(provider, sub="eve", email="ada@example.com", email_verified=said)
    assert (answer.status_code, who(client)) == (403, None)


def test_nobody_makes_a_set_up_link_for_who_signs_in_by_the_provider(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, ann = person("Ada"), person("Ann", roles={"admin": None})
    come_in(provider, email="ada@example.com", email_verified=True)
    monkeypatch.setattr(User, "has_usable_password", lambda self: False)
    answer = api(ann).post(f"/people/{ada.pk}/setup-link")
    assert (answer.status_code, answer.json()["code"]) == (409, "signs_in_otherwise")


def test_a_deactivated_person_does_not_come_in_linked_or_not(provider: Provider) -> None:
    ada = person("Ada")
    come_in(provider, email="ada@example.com", email_verified=True)
    actions.deactivate_person(ada, actor=SYSTEM)
    client, _ = come_in(provider, email="ada@example.com", email_verified=True)
    assert who(client) is None
    other, _ = come_in(provider, sub="u-2", email="ada@example.com", email_verified=True)
    assert who(other) is None


def test_nobody_links_another_identity_to_themselves_by_hand(provider: Provider) -> None:
    ada, eve = person("Ada"), person("Eve")
    client = browser(eve)
    _, answer = come_in(
        provider, client, "?process=connect", sub="u-9", email="x@example.com", email_verified=True
    )
    assert answer.status_code == 403
    assert not eve.socialaccount_set.exists()
    assert ada


@pytest.mark.parametrize(
    "said", [b"{}" + b" " * MAX_BYTES, b"[]", b"{", b'{"a": NaN}', b"[" * 100_000, b"", b"\xff"]
)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/userinfo"])
def test_what_a_provider_answers_is_bounded_and_an_odd_answer_opens_nothing(
    provider: Provider, path: str, said: bytes
) -> None:
    person("Ada")
    provider.instead[path] = said
    client = browser()
    client.raise_request_exception = False
    if path.startswith("/.well-known/"):
        answer = client.post(PATH)
    else:
        client, answer = come_in(provider, client, email="ada@example.com", email_verified=True)
    assert answer.status_code == 401, answer.content
    assert b"could not complete the sign-in" in answer.content
    assert who(client) is None


def test_a_provider_that_is_away_is_said_on_a_page(provider: Provider, settings: Any) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"]["server_url"] = "http://127.0.0.1:9"  # nobody answers there
    answer = browser().post(PATH)
    assert answer.status_code == 401
    assert b"could not complete the sign-in" in answer.content


def test_a_provider_written_into_the_database_is_nobodys(provider: Provider, settings: Any) -> None:
    """Whoever writes the tables could name a provider of their own, which vouches for anybody."""
    person("Ada")
    apps = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    sql(
        "INSERT INTO socialaccount_socialapp (provider, provider_id, name, client_id, secret, key,"
        " settings) VALUES ('openid_connect', 'evil', 'Evil', 'placet', 's', '', %s)",
        json.dumps(apps[0]["settings"]),
    )
    assert browser().post("/accounts/oidc/evil/login/").status_code == 404
    assert "Evil" not in browser().get("/accounts/login/").content.decode()


def test_nobody_is_linked_by_an_address_that_was_written_in_by_hand(provider: Provider) -> None:
    ada = person("Ada")
    sql("UPDATE identity_user SET email = 'eve@example.com' WHERE id = %s", ada.pk)
    client, answer = come_in(provider, email="eve@example.com", email_verified=True)
    assert answer.status_code == 403
    assert b"changed outside Placet" in answer.content
    assert who(client) is None
    assert not ada.socialaccount_set.exists()


def test_an_identity_linked_by_hand_opens_nothing(provider: Provider) -> None:
    ada = person("Ada")
    sql(
        "INSERT INTO socialaccount_socialaccount (user_id, provider, uid, last_login, date_joined,"
        " extra_data) VALUES (%s, 'oidc', 'u-1', now(), now(), '{}')",
        ada.pk,
    )
    client, answer = come_in(provider, email="eve@example.com", email_verified=True)
    assert answer.status_code == 403
    assert who(client) is None


def test_the_sign_in_page_offers_the_provider(
    provider: Provider,
) -> None:
    page = browser().get("/accounts/login/").content.decode()
    assert "Company" in page
    assert 'action="/accounts/oidc/oidc/login/' in page


def test_who_has_only_the_provider_authenticates_again_there_and_comes_back(
    provider: Provider,
) -> None:
    person("Ada")
    ada = {"email": "ada@example.com", "email_verified": True}
    client, _ = come_in(provider, **ada)
    assert not stale(client)
    grow_old(client)
    assert stale(client)
    asked = client.get("/accounts/reauthenticate/?next=/tokens/")
    assert asked["Location"] == "/accounts/oidc/oidc/login/?next=%2Ftokens%2F"
    page = client.get(asked["Location"]).content.decode()
    assert "Confirm that it is you" in page
    assert "Go on to Company" in page
    away = parse_qs(urlsplit(client.post(asked["Location"])["Location"]).query)
    assert (away["prompt"], away["max_age"]) == (["login"], ["0"])
    client, back = come_in(provider, client, "?next=/tokens/", **ada)
    assert back["Location"] == "/tokens/"
    assert not stale(client)


def test_another_person_at_the_provider_does_not_confirm_the_session(provider: Provider) -> None:
    ada, eve = person("Ada"), person("Eve")
    client, _ = come_in(provider, email="ada@example.com", email_verified=True)
    grow_old(client)
    client, _ = come_in(provider, client, sub="u-2", email="eve@example.com", email_verified=True)
    assert who(client) == eve.pk != ada.pk


def test_first_time_at_the_provider_nobody_is_made_to_sign_in_twice(provider: Provider) -> None:
    person("Ada")
    away = parse_qs(urlsplit(browser().post(PATH)["Location"]).query)
    assert "prompt" not in away

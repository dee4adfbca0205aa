"""Whatever an identity provider says, there is a page that says what is wrong with it."""

import json
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount

from apps.audit.models import Event
from tests.integration.identity.identity_provider import (
    ABSENT,
    PATH,
    Provider,
    come_in,
    who,
)
from tests.support.factories import browser, person

pytestmark = pytest.mark.django_db
ADA = {"email": "ada@example.com", "email_verified": True}
DEEP = json.loads("[" * 100 + "]" * 100)
ODD = [
    ("sub", None, "sub is missing or empty"),
    ("sub", ABSENT, "sub is missing or empty"),
    ("sub", "", "sub is missing or empty"),
    ("sub", "  ", "sub is missing or empty"),
    ("sub", 7, "sub is a number, not a text"),
    ("sub", True, "sub is true or false, not a text"),
    ("sub", ["u-1"], "sub is a list, not a text"),
    ("sub", {"id": "u-1"}, "sub is an object, not a text"),
    ("sub", "u" * 10_000, "sub is not one of at most 191 printable characters"),
    ("sub", "u" * 192, "sub is not one of at most 191 printable characters"),
    ("sub", "u\n1", "sub is not one of at most 191 printable characters"),
    ("email", ["ada@example.com"], "email is a list, not a text"),
    ("email", ["@"], "email is a list, not a text"),
    ("email", {"@": 1}, "email is an object, not a text"),
    ("email", 7, "email is a number, not a text"),
    ("name", {"given": "Ada"}, "name is an object, not a text"),
    ("name", ["Ada"], "name is a list, not a text"),
    ("name", 7, "name is a number, not a text"),
    ("iss", ["x"], "iss is a list, not a text"),
    ("exp", "9999999999", "exp is a text, not a time"),
    ("exp", 1e300, "exp is a number, not a time"),
    ("exp", ABSENT, "exp is missing, not a time"),
    ("x", "a\x00b", "the ID token cannot be read"),
    ("x", float("nan"), "the ID token cannot be read"),
    ("x", DEEP, "the ID token cannot be read"),
]


def come(provider: Provider, **claims: Any) -> Any:
    """Come in as :func:`come_in`, and take an error for an answer."""
    client = browser()
    client.raise_request_exception = False
    return come_in(provider, client, **{**ADA, "jti": "1", **claims})


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(("name", "said", "fault"), ODD, ids=[f"{o[0]}-{o[2]}" for o in ODD])
def test_a_claim_of_another_type_opens_nothing_and_is_named(
    provider: Provider, name: str, said: Any, fault: str, linked: bool
) -> None:
    person("Ada")
    if linked:
        come_in(provider, **ADA)
    client, answer = come(provider, **{name: said})
    assert (answer.status_code, who(client)) == (401, None)
    assert fault in answer.content.decode()
    assert Event.objects.filter(kind="session.refused.v1").count() == 1
    assert SocialAccount.objects.count() == linked


@pytest.mark.parametrize("said", [None, "", {}, [True], "TRUE", 1.0, ABSENT])
def test_an_odd_word_about_an_address_links_nobody(provider: Provider, said: Any) -> None:
    person("Ada")
    client, answer = come(provider, email_verified=said)
    assert (answer.status_code, who(client)) == (403, None)
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize("said", [None, "admin", ["admin"], {"admin": True}, [{"a": []}], 7])
def test_groups_and_roles_of_the_provider_are_nobodys_here(provider: Provider, said: Any) -> None:
    ada = person("Ada")
    client, _ = come(provider, groups=said, roles=said, realm_access=said)
    assert who(client) == ada.pk
    assert client.get("/api/v1/whoami").json()["grants"] == []


def test_user_info_of_somebody_else_opens_nothing(provider: Provider) -> None:
    """OpenID Connect Core 1.0, section 5.3.2: whoever could exchange it would be let in as them."""
    person("Ada")
    provider.user_info = {"sub": "u-2"}
    client, answer = come(provider)
    assert (answer.status_code, who(client)) == (401, None)
    assert b"sub is not the same in the ID token and the user info" in answer.content


def test_an_address_counts_with_the_word_that_stands_beside_it(provider: Provider) -> None:
    person("Ada")
    provider.user_info = {"email": "ada@example.com", "email_verified": ABSENT}
    client, _ = come(provider, email="eve@example.com", email_verified=True)
    assert who(client) is None


@pytest.mark.parametrize("said", ["true", ABSENT, None])
@pytest.mark.parametrize("email", ["ada@example.com", "Ada@Example.com"])
def test_an_address_that_is_in_both_is_verified_by_either(
    provider: Provider, said: Any, email: str
) -> None:
    """Amazon Cognito says ``true`` in the ID token, and the text in the user info."""
    ada = person("Ada")
    provider.user_info = {"email": email, "email_verified": said}
    client, _ = come(provider)
    assert who(client) == ada.pk


@pytest.mark.parametrize("said", ["true", ABSENT])
def test_it_is_by_the_user_info_alone_too(provider: Provider, said: Any) -> None:
    ada = person("Ada")
    provider.user_info = {"email_verified": True}
    client, _ = come(provider, email_verified=said)
    assert who(client) == ada.pk


@pytest.mark.parametrize("said", [True, False])
def test_of_two_words_that_of_the_user_info_counts(provider: Provider, said: bool) -> None:
    ada = person("Ada")
    provider.user_info = {"email_verified": said}
    client, _ = come(provider, email_verified=not said)
    assert who(client) == (ada.pk if said else None)


def test_a_word_about_no_address_or_another_is_none_about_this_one(provider: Provider) -> None:
    person("Ada")
    for more in ({"email": ABSENT, "email_verified": True}, {"email": "", "email_verified": True}):
        provider.user_info = more
        client, _ = come(provider, email_verified="true")
        assert who(client) is None
    provider.user_info = {"email": "ada@example.com", "email_verified": "true"}
    client, _ = come(provider, email="eve@example.com")
    assert who(client) is None


def test_a_provider_without_user_info_says_it_in_the_token(provider: Provider) -> None:
    ada = person("Ada")
    provider.changed["/.well-known/openid-configuration"] = {"userinfo_endpoint": ABSENT}
    client, _ = come(provider)
    assert who(client) == ada.pk


def test_what_is_kept_beside_an_identity_is_no_name_and_no_address(provider: Provider) -> None:
    person("Ada")
    come_in(provider, **ADA, picture="https://example.com/ada")
    kept = SocialAccount.objects.get().extra_data
    assert kept.keys() == {"iss", "sub", "auth_time"}


@pytest.mark.parametrize("said", [None, 7, [], "a.b", "a.b.c", "e30.W10.", ABSENT])
def test_a_token_that_is_none_opens_nothing(provider: Provider, said: Any) -> None:
    person("Ada")
    provider.changed["/token"] = {"id_token": said}
    client, answer = come(provider)
    assert (answer.status_code, who(client)) == (401, None)


@pytest.mark.parametrize(
    "said",
    [
        {"access_token": 7},
        {"access_token": ["a"]},
        {"access_token": "é"},
        {"access_token": "\u0141"},
        {"access_token": "a\nb"},
        {"access_token": None},
        {"access_token": ""},
    ],
)
def test_an_odd_access_token_opens_nothing(provider: Provider, said: dict[str, Any]) -> None:
    person("Ada")
    provider.changed["/token"] = said
    client, answer = come(provider)
    assert (answer.status_code, who(client)) == (401, None)


@pytest.mark.parametrize("said", ["soon", [], 1e300, {}])
def test_how_long_an_access_token_lasts_is_nobodys_concern(provider: Provider, said: Any) -> None:
    ada = person("Ada")
    provider.changed["/token"] = {"expires_in": said}
    client, _ = come(provider)
    assert who(client) == ada.pk


@pytest.mark.parametrize("said", [ABSENT, None, 7, [], ""])
@pytest.mark.parametrize("name", ["issuer", "authorization_endpoint", "token_endpoint"])
def test_a_configuration_that_lacks_something_is_said_on_a_page(
    provider: Provider, name: str, said: Any
) -> None:
    provider.changed["/.well-known/openid-configuration"] = {name: said}
    client = browser()
    client.raise_request_exception = False
    answer = client.post(PATH)
    assert answer.status_code == 401
    assert f"its configuration has no {name}" in answer.content.decode()


def test_a_provider_that_goes_away_on_the_way_back_is_said_on_a_page(provider: Provider) -> None:
    person("Ada")
    client = browser()
    client.raise_request_exception = False
    state = client.post(PATH)["Location"].split("state=")[1].split("&")[0]
    provider.instead["/.well-known/openid-configuration"] = b"{"
    answer = client.get(f"{PATH}callback/", {"code": "c", "state": state})
    assert answer.status_code == 401
    assert b"could not complete the sign-in" in answer.content


def test_a_fault_in_an_answer_is_logged_without_the_answer(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    person("Ada")
    come(provider, sub=["secret-7"])
    assert "single_sign_on_failed" in caplog.text
    assert "sub is a list, not a text" in caplog.text
    assert "secret-7" not in caplog.text

"""One identity at the provider opens an account, whatever address another one comes with."""

import re
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount, SocialApp

from apps.audit.models import Event
from apps.identity import actions
from apps.identity.actions import credentials
from apps.identity.actions.credentials import change_credentials
from apps.identity.models import User
from placet.kernel.actor import SYSTEM
from tests.integration.identity.identity_provider import Provider, come_in, who
from tests.support.factories import actor_of, api, browser, person
from tests.support.meeting import Meeting, at_once

pytestmark = pytest.mark.django_db
ADA = {"email": "ada@example.com", "email_verified": True}


def uids(ada: User) -> list[str]:
    return list(SocialAccount.objects.filter(user=ada).values_list("uid", flat=True))


def link(ada: User, uid: str, **kept: Any) -> None:
    """Link one more identity, as an earlier release would have done."""
    change_credentials(
        ada,
        lambda row: SocialAccount.objects.create(
            user=row, provider="oidc", uid=uid, extra_data=kept
        ),
    )


def test_who_was_given_the_address_later_does_not_get_the_account(provider: Provider) -> None:
    ada = person("Ada")
    come_in(provider, **ADA)
    client, answer = come_in(provider, sub="u-2", **ADA)
    assert (answer.status_code, who(client)) == (403, None)
    assert "linked to another identity" in " ".join(answer.content.decode().split())
    assert uids(ada) == ["u-1"]
    refused = Event.objects.get(kind="session.refused.v1")
    assert refused.subject == ada.pk
    assert '"method":"other_identity"' in refused.body
    again, _ = come_in(provider, **ADA)
    assert who(again) == ada.pk


def test_a_second_identity_from_before_opens_nothing_any_more(provider: Provider) -> None:
    ada = person("Ada")
    link(ada, "u-1")
    link(ada, "u-2")
    client, answer = come_in(provider, sub="u-2", **ADA)
    assert (answer.status_code, who(client)) == (403, None)
    first, _ = come_in(provider, **ADA)
    assert who(first) == ada.pk


def test_an_access_admin_lets_go_of_an_identity_that_is_no_more(provider: Provider) -> None:
    ada, ann = person("Ada"), actor_of(person("Ann", roles={"admin": None}))
    come_in(provider, **ADA)
    actions.deactivate_person(ada, actor=ann)
    actions.reactivate_person(ada, actor=ann)
    client, _ = come_in(provider, sub="u-2", **ADA)
    assert who(client) == ada.pk
    assert uids(ada) == ["u-2"]
    old, answer = come_in(provider, **ADA)
    assert (answer.status_code, who(old)) == (403, None)


def test_who_is_deactivated_as_they_come_is_not_linked(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is linked behind the deactivation would let them in once they are reactivated."""
    ada, lock = person("Ada"), credentials.lock_credentials

    def locked(row: User) -> User:
        actions.deactivate_person(ada, actor=SYSTEM)
        return lock(row)

    monkeypatch.setattr(credentials, "lock_credentials", locked)
    client, answer = come_in(provider, **ADA)
    assert uids(ada) == []
    assert (answer.status_code, who(client)) == (403, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("second", "opened"), [("u-2", 1), ("u-1", 2)])
def test_of_two_that_come_at_once_one_is_linked(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, second: str, opened: int
) -> None:
    ada, meeting = person("Ada"), Meeting()
    locking = meeting.before(credentials.lock_credentials)
    monkeypatch.setattr(credentials, "lock_credentials", locking)

    def comes(sub: str) -> Any:
        client = browser()
        client.raise_request_exception = False
        came, answer = come_in(provider, client, sub=sub, **ADA)
        return answer.status_code, who(came)

    found = at_once(lambda: comes("u-1"), lambda: comes(second))
    assert len(uids(ada)) == 1
    assert Counter(found) == Counter({(302, ada.pk): opened, (403, None): 2 - opened})


def test_the_same_name_at_another_provider_is_somebody_else(provider: Provider) -> None:
    """``sub`` means something with its issuer alone (OpenID Connect Core 1.0, section 2)."""
    ada, eve = person("Ada"), person("Eve")
    link(ada, "u-1", iss="https://login.before.example")
    client, answer = come_in(provider, email="eve@example.com", email_verified=True)
    assert (answer.status_code, who(client)) == (401, None)
    again, _ = come_in(provider, email="eve@example.com", email_verified=True)
    assert who(again) is None
    assert uids(eve) == []


@pytest.mark.parametrize(
    "kept", [{"iss": "https://b.example"}, {"id_token": {"iss": "https://b.example"}}]
)
def test_a_provider_that_moved_knows_its_people_again_by_their_address(
    provider: Provider, kept: dict[str, Any]
) -> None:
    ada = person("Ada")
    link(ada, "u-1", **kept)
    client, _ = come_in(provider, **ADA)
    assert who(client) == ada.pk
    unverified, _ = come_in(provider, email="x@example.com", email_verified=True)
    assert who(unverified) == ada.pk  # it is known by now


def test_another_provider_links_its_people_anew(provider: Provider) -> None:
    ada = person("Ada")
    link(ada, "1001", iss="https://login.before.example")
    client, _ = come_in(provider, **ADA)
    assert who(client) == ada.pk
    assert uids(ada) == ["1001", "u-1"]
    other, _ = come_in(provider, sub="1001", **ADA)  # somebody else there, with their address
    assert who(other) is None
    again, _ = come_in(provider, **ADA)
    assert who(again) == ada.pk


@pytest.mark.parametrize("kept", [{}, {"id_token": None}, {"userinfo": {"sub": "u-1"}}])
def test_whom_an_earlier_release_linked_comes_in_as_before(
    provider: Provider, kept: dict[str, Any]
) -> None:
    ada = person("Ada")
    link(ada, "u-1", **kept)
    client, _ = come_in(provider, email="renamed@example.com", email_verified=True)
    assert who(client) == ada.pk


def test_whoever_has_the_address_by_now_makes_no_way_past_the_provider(
    provider: Provider, mailoutbox: list[Any]
) -> None:
    person("Ada")
    come_in(provider, **ADA)
    answer = browser().post("/accounts/password/reset/", {"email": "ada@example.com"})
    assert answer.status_code == 302  # as for an address that nobody has
    assert mailoutbox == []


def test_who_has_a_password_beside_the_provider_resets_it_by_mail(
    provider: Provider, mailoutbox: list[Any]
) -> None:
    actions.create_person(
        email="ada@example.com", name="Ada", password="correct horse battery", actor=SYSTEM
    )
    come_in(provider, **ADA)
    browser().post("/accounts/password/reset/", {"email": "ada@example.com"})
    assert [m.to for m in mailoutbox] == [["ada@example.com"]]


@pytest.fixture
def gone(provider: Provider, settings: Any) -> User:
    """Somebody who came by the provider before it was taken out of the settings."""
    ada = person("Ada")
    come_in(provider, **ADA)
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": []}}
    return ada


def test_who_came_by_a_provider_that_is_gone_gets_a_first_password_by_mail(
    gone: User, mailoutbox: list[Any]
) -> None:
    browser().post("/accounts/password/reset/", {"email": gone.email})
    assert [m.to for m in mailoutbox] == [[gone.email]]
    link = re.search(r"/accounts/password/reset/key/\S+", mailoutbox[0].body)
    assert link
    assert signed_in_by(link[0]) == gone.pk


def test_an_access_admin_makes_them_a_set_up_link(gone: User) -> None:
    ann = person("Ann", roles={"admin": None})
    # nobody comes in by one that is in the database
    SocialApp.objects.create(provider="openid_connect", provider_id="oidc", client_id="x")
    made = api(ann).post(f"/people/{gone.pk}/setup-link")
    assert made.status_code == 201, made.json()
    assert signed_in_by(urlsplit(made.json()["url"]).path) == gone.pk


def signed_in_by(link: str) -> str | None:
    """Set a first password at ``link``; return who is signed in by it."""
    client, password = browser(), "correct horse battery staple"
    page = client.get(link, follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": password, "password2": password})
    return who(client)

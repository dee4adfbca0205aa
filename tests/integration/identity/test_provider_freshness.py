"""Who comes by the identity provider is fresh by what it says, not by what it was asked."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value

from apps.identity.actions.credentials import change_credentials
from tests.integration.identity.identity_provider import (
    ABSENT,
    PATH,
    Provider,
    come_in,
    stale,
    who,
)
from tests.support.factories import browser, grow_old, person

pytestmark = pytest.mark.django_db
ADA = {"email": "ada@example.com", "email_verified": True}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NO_TIME = [ABSENT, None, "x", "", True, [], {}, -1, 0, 1e300, 1 << 70]


@pytest.mark.parametrize(
    ("seconds_ago", "too_old"),
    [(0, False), (14 * 60, False), (16 * 60, True), (-30, False), (-120, True), (-3600, True)],
)
def test_it_counts_from_when_the_provider_saw_the_person(
    provider: Provider, seconds_ago: int, too_old: bool
) -> None:
    """A session at the provider that was opened in the morning proves nothing about now; nor does
    a time to come, but for clocks that differ a little."""
    person("Ada")
    client, _ = come_in(provider, **ADA, auth_time=int(time.time()) - seconds_ago)
    assert who(client)
    assert stale(client) is too_old


@pytest.mark.parametrize("said", NO_TIME, ids=repr)
def test_without_a_time_nobody_is_fresh(provider: Provider, said: Any) -> None:
    """The browser's user can take ``max_age`` out of what is asked, and then none comes back."""
    ada = person("Ada")
    client, _ = come_in(provider, **ADA, auth_time=said)
    assert who(client) == ada.pk
    assert stale(client)


def test_a_time_as_text_is_no_time_though_it_reads_like_one(provider: Provider) -> None:
    person("Ada")
    client, _ = come_in(provider, **ADA, auth_time=str(int(time.time())))
    assert stale(client)


def test_who_takes_max_age_out_of_the_question_confirms_nothing_and_is_told(
    provider: Provider,
) -> None:
    person("Ada")
    client, _ = come_in(provider, **ADA)
    grow_old(client)
    client, back = come_in(provider, client, "?next=/tokens/", **ADA, auth_time=ABSENT)
    assert back["Location"] == "/tokens/"
    page = client.get("/tokens/").content.decode()
    assert "does not say that it has just asked for your password" in page
    assert stale(client)


def test_who_signs_in_is_not_told_of_a_time_that_nobody_asked_for(provider: Provider) -> None:
    person("Ada")
    client, _ = come_in(provider, **ADA, auth_time=ABSENT)
    assert "does not say" not in client.get("/tokens/").content.decode()


def test_a_second_factor_behind_the_provider_is_fresh_by_itself(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, began = person("Ada"), time.time()
    monkeypatch.setattr(auth, "time", SimpleNamespace(time=lambda: began))
    change_credentials(ada, lambda row: TOTP.activate(row, SECRET))
    client, back = come_in(provider, **ADA, auth_time=ABSENT)
    assert (back["Location"], who(client)) == ("/accounts/2fa/authenticate/", None)
    code = format_hotp_value(hotp_value(SECRET, int(began) // 30))
    client.post("/accounts/2fa/authenticate/", {"code": code})
    assert who(client) == ada.pk
    assert not stale(client)


@pytest.mark.parametrize("said", [ABSENT, "", "another", None])
def test_an_answer_to_another_question_opens_nothing(provider: Provider, said: Any) -> None:
    """A code that was taken from somebody else's browser is worth nothing in another session."""
    person("Ada")
    client, answer = come_in(provider, **ADA, nonce=said)
    assert who(client) is None
    assert answer.status_code == 401
    assert b"nonce is not the one that was sent" in answer.content


def test_an_answer_counts_once_and_in_the_session_that_asked(provider: Provider) -> None:
    person("Ada")
    client, _ = come_in(provider, **ADA)
    code = next(iter(provider.came))
    for other in (browser(), client):
        again = other.get(f"{PATH}callback/", {"code": code, "state": code})
        assert again.status_code == 401
    assert who(other)  # what was open stays so

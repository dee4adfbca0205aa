"""A second factor: adding it, needing it, losing it."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.test import Client

from apps.audit.models import Event
from apps.identity.models import User
from tests.support.factories import browser, grow_old, person

pytestmark = pytest.mark.django_db(transaction=True)  # the events come after commit
PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def one_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """No code runs out between its being read and its being typed."""
    began = time.time()
    monkeypatch.setattr(auth, "time", SimpleNamespace(time=lambda: began))


@pytest.fixture
def ada() -> User:
    return person("Ada", password=PASSWORD)


def sign_in(client: Client) -> Any:
    return client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})


def code(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, int(auth.time.time()) // 30))


def kinds() -> list[str]:
    return [str(e.kind) for e in Event.objects.order_by("index")]


def add_app(client: Client) -> str:
    """Add an authenticator app as the person would, who has just signed in and is not asked again
    who they are; return its secret."""
    page = client.get("/accounts/2fa/totp/activate/")
    assert page.status_code == 200, page["Location"]
    secret = str(page.context["form"].secret)
    answer = client.post("/accounts/2fa/totp/activate/", {"code": code(secret)})
    assert answer.status_code == 302, answer.content
    return secret


def test_an_authenticator_app_is_asked_for_at_the_next_sign_in(ada: User) -> None:
    here = browser()
    sign_in(here)
    assert not here.get("/api/v1/whoami").json()["second_factor"]
    secret = add_app(here)
    assert "mfa.added.v1" in kinds()
    cache.clear()
    there = browser()
    asked = sign_in(there)
    assert asked["Location"].startswith("/accounts/2fa/authenticate/")
    assert there.get("/api/v1/whoami").status_code == 401
    there.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert there.get("/api/v1/whoami").status_code == 401
    assert "session.refused.v1" in kinds()
    there.post("/accounts/2fa/authenticate/", {"code": code(secret)})
    found = there.get("/api/v1/whoami").json()
    assert (found["id"], found["second_factor"]) == (ada.pk, True)
    last = Event.objects.filter(kind="session.opened.v1").latest("index")
    assert '"method":"password+second_factor"' in last.body


def test_a_second_factor_is_removed_only_after_signing_in_again(ada: User) -> None:
    here = browser()
    sign_in(here)
    add_app(here)
    thief = browser(ada)  # a session that somebody left open a while ago
    grow_old(thief)
    answer = thief.post("/accounts/2fa/totp/deactivate/")
    assert answer["Location"].startswith("/accounts/")
    assert "reauthenticate" in answer["Location"]
    assert Authenticator.objects.filter(type="totp").exists()
    here.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.filter(type="totp").exists()
    assert "mfa.removed.v1" in kinds()


def test_new_recovery_codes_are_an_event(ada: User) -> None:
    here = browser()
    sign_in(here)
    add_app(here)
    here.post("/accounts/2fa/recovery-codes/generate/")
    assert "mfa.reset.v1" in kinds()
    assert not any("@example.com" in e.body for e in Event.objects.all())


def test_the_log_holds_no_secret_of_the_second_factor(ada: User) -> None:
    here = browser()
    sign_in(here)
    secret = add_app(here)
    assert not any(secret in e.body for e in Event.objects.all())

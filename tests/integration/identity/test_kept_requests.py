"""What is asked of somebody who has to confirm who they are first is kept nowhere in the session:
a thief who has its cookie too would have theirs carried out by its owner's password."""

import hashlib
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.core.internal.httpkit import serialize_request
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client, RequestFactory
from django.urls import get_resolver
from fido2.cose import ES256

from apps.identity.actions.credentials import change_credentials
from apps.identity.models import User
from placet_protocol.cookies import SESSION
from placet_verify.signing.webauthn import encode
from tests.integration.identity.test_passkey_answers import attested, client_data, key
from tests.support.factories import browser, grow_old, person

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
ASK, ADD = "/accounts/reauthenticate/", "/accounts/2fa/webauthn/add/"
GENERATE = "/accounts/2fa/recovery-codes/generate/"
DEACTIVATE = "/accounts/2fa/totp/deactivate/"


@pytest.fixture(autouse=True)
def as_often_as_one_likes(settings: Any) -> None:
    settings.MFA_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS = False


@pytest.fixture
def ada() -> User:
    """Somebody with one of every factor."""
    made = person("Ada", password=PASSWORD)

    def add(row: User) -> None:
        TOTP.activate(row, generate_totp_secret())
        RecoveryCodes.activate(row)
        held = {"name": "own", "credential": registration("AA"), "passwordless": False}
        Authenticator.objects.create(user=row, type="webauthn", data=held)

    change_credentials(made, add)
    return made


def registration(challenge: str) -> dict[str, Any]:
    """What a new passkey answers to ``challenge``."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    said = key(cose=dict(ES256.from_cryptography_key(public)))
    here = hashlib.sha256(b"localhost").digest() + said[32:]
    answer = attested(here, clientDataJSON=client_data("create", challenge=challenge))
    return answer | {"id": encode(b"a"), "rawId": encode(b"a")}


def left_open(of: User) -> Client:
    """A session whose person authenticated 16 minutes ago."""
    client = browser(of)
    grow_old(client)
    return client


def thief_of(client: Client) -> Client:
    """A browser with a copy of the session's cookie."""
    thief = browser()
    thief.cookies[SESSION] = client.cookies[SESSION].value
    return thief


def confirm(client: Client, path: str) -> Any:
    """Open the page at ``path`` as its person would, and give the password that it asks for."""
    asked = client.get(path)
    assert asked["Location"].startswith(ASK), asked["Location"]
    return client.post(asked["Location"], {"password": PASSWORD})


def factors(of: User) -> list[tuple[int, str]]:
    return list(Authenticator.objects.filter(user=of).order_by("pk").values_list("pk", "type"))


def routes(passkey: int) -> list[str]:
    """Return one path of each route of ours and of django-allauth below /accounts/."""
    names = {"pk": passkey, "provider_id": "oidc", "key": "k-1", "uidb36": "per_" + "0" * 32}
    entries = [entry for _, entries in get_resolver().reverse_dict.lists() for entry in entries]
    forms = [form for possibilities, *_ in entries for form in possibilities]
    return sorted(
        {
            "/" + template % {name: names[name] for name in parameters}
            for template, parameters in forms
            if template.startswith("accounts/")
        }
    )


@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "anonymous"])
def test_no_route_of_sign_in_keeps_what_is_posted_to_it(ada: User, signed_in: bool) -> None:
    paths = routes(Authenticator.objects.get(type="webauthn").pk)
    assert {ADD, GENERATE, DEACTIVATE, "/accounts/password/set/"} <= set(paths)
    keeping = []
    for path in paths:
        client = browser(ada if signed_in else None)
        client.post(path, {"name": "of-the-thief"})
        content = dict(client.session.items())
        if STATE_SESSION_KEY in content or "of-the-thief" in json.dumps(content):
            keeping.append(path)
    assert keeping == []


def test_the_owners_confirmation_adds_no_passkey_of_a_thief(ada: User) -> None:
    desk, before = left_open(ada), factors(ada)
    thief = thief_of(desk)
    page = thief.get("/accounts/2fa/webauthn/reauthenticate/").content.decode()
    challenge = re.search(r'"challenge":\s*"([^"]+)"', page)
    assert challenge
    form = {"name": "of-the-thief", "credential": json.dumps(registration(challenge[1]))}
    thief.post(ADD, form)
    back = confirm(desk, ADD)
    assert (factors(ada), back["Location"]) == (before, ADD)
    assert thief.get("/api/v1/whoami").status_code == 401


@pytest.mark.parametrize("path", [DEACTIVATE, GENERATE])
def test_nor_does_it_take_a_factor_away_or_make_codes_anew(ada: User, path: str) -> None:
    desk, before = left_open(ada), factors(ada)
    thief_of(desk).post(path)
    back = confirm(desk, path)
    assert (factors(ada), back["Location"]) == (before, path)
    desk.post(path)
    assert factors(ada) != before


def test_nor_renames_a_passkey(ada: User) -> None:
    desk, passkey = left_open(ada), Authenticator.objects.get(type="webauthn")
    path = f"/accounts/2fa/webauthn/keys/{passkey.pk}/edit/"
    thief_of(desk).post(path, {"name": "of-the-thief"})
    confirm(desk, path)
    passkey.refresh_from_db()
    assert passkey.data["name"] == "own"
    desk.post(path, {"name": "of Ada"})
    passkey.refresh_from_db()
    assert passkey.data["name"] == "of Ada"


def test_what_an_earlier_release_kept_is_not_carried_out(ada: User) -> None:
    desk, before = left_open(ada), factors(ada)
    session = desk.session
    session[STATE_SESSION_KEY] = {"request": serialize_request(RequestFactory().post(DEACTIVATE))}
    session.save()
    back = confirm(desk, DEACTIVATE)
    assert (factors(ada), back["Location"]) == (before, DEACTIVATE)


@pytest.mark.parametrize("path", [ADD, GENERATE, DEACTIVATE, "/accounts/2fa/recovery-codes/"])
def test_who_is_not_signed_in_signs_in_and_comes_back(path: str) -> None:
    for answer in (browser().get(path), browser().post(path)):
        target = urlsplit(answer["Location"])
        assert (target.path, parse_qs(target.query)) == ("/accounts/login/", {"next": [path]})

"""What anybody may send in the place of a passkey's answer: refused on the page, at little cost."""

import json
import resource
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256

from apps.identity.actions.credentials import change_credentials
from apps.identity.models import User
from placet.kernel.config import config
from placet_verify.signing.webauthn import encode
from tests.support.factories import browser, person

pytestmark = pytest.mark.django_db
LOGIN, ADD = "/accounts/2fa/webauthn/login/", "/accounts/2fa/webauthn/add/"
AGAIN = "/accounts/2fa/webauthn/reauthenticate/"
KNOWN = 0x01 | 0x04


def client_data(kind: str, **changes: Any) -> str:
    said = {"type": f"webauthn.{kind}", "challenge": "AA", "origin": config().public_origin}
    return encode(json.dumps(said | changes).encode())


def data(flags: int = KNOWN, rest: bytes = b"") -> bytes:
    """What an authenticator says of itself."""
    return bytes(32) + bytes([flags, 0, 0, 0, 1]) + rest


def asserted(**changes: Any) -> dict[str, Any]:
    """An answer of somebody who signs in."""
    parts = {
        "clientDataJSON": client_data("get"),
        "authenticatorData": encode(data()),
        "signature": "AA",
        "userHandle": encode(b"per_0"),
    }
    return {"id": "AA", "rawId": "AA", "type": "public-key", "response": parts | changes}


def attested(auth: bytes, **changes: Any) -> dict[str, Any]:
    """An answer of somebody who adds a passkey."""
    held = cbor.encode({"fmt": "none", "authData": auth, "attStmt": {}})
    parts = {"clientDataJSON": client_data("create"), "attestationObject": encode(held)}
    return {"id": "AA", "rawId": "AA", "type": "public-key", "response": parts | changes}


def key(**changes: Any) -> bytes:
    """A passkey's part of what an authenticator says."""
    cose = {1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32} | changes.get("cose", {})
    return data(KNOWN | 0x40, bytes(16) + b"\0\1a" + cbor.encode(cose))


def extended(more: bytes) -> dict[str, Any]:
    """An answer of somebody who signs in, with an extension."""
    return asserted(authenticatorData=encode(data(KNOWN | 0x80, more)))


SIGNING_IN: dict[str, Any] = {
    "nested text": "[" * 100_000,
    "no text": 1,
    "a list": [],
    "no number": '{"rawId": NaN}',
    "nothing in it": {},
    "a number for bytes": asserted(signature=10**9),
    "a number for an id": asserted() | {"rawId": 10**9},
    "an id with NUL": asserted(userHandle=encode(b"\0")),
    "half a letter": asserted(userHandle=encode(b"\xff")),
    "no base64": asserted(authenticatorData="A"),
    "too short": asserted(authenticatorData="AA"),
    "no origin": asserted(clientDataJSON=client_data("get", origin=7)),
    "an odd origin": asserted(clientDataJSON=client_data("get", origin="http://[")),
    "no client data": asserted(clientDataJSON=encode(b"[" * 20_000)),
    "CBOR without an end": extended(b"\x9b" + b"\xff" * 8),
    "deep CBOR": extended(b"\x81" * 20_000),
    "no such CBOR": extended(b"\xc0"),
    "a list as a name": extended(b"\xa1\x80\x80"),
}
ADDING: dict[str, Any] = {
    **{word: said for word, said in SIGNING_IN.items() if not isinstance(said, dict)},
    "no passkey in it": attested(data()),
    "no point of the curve": attested(key()),
    "no such algorithm": attested(key(cose={3: -999})),
    "a key without parts": attested(data(KNOWN | 0x40, bytes(18) + cbor.encode({3: -7}))),
    "a number for bytes": attested(data(), attestationObject=10**9),
    "deep CBOR": attested(data(), attestationObject=encode(b"\x81" * 20_000)),
    "empty": attested(data(), attestationObject=""),
}


def sent(client: Any, path: str, said: Any) -> Any:
    """Post an answer as the page's script does; return what comes back."""
    text = said if isinstance(said, str) else json.dumps(said)
    return client.post(path, {"credential": text, "name": "x"})


def with_passkey(name: str) -> User:
    """A person who signs in with a passkey."""
    made = person(name)
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    credential = attested(key(cose=dict(ES256.from_cryptography_key(public))))
    held = {"type": "webauthn", "data": {"name": "x", "credential": credential}}
    change_credentials(made, lambda row: Authenticator.objects.create(user=row, **held))
    return made


@pytest.fixture(autouse=True)
def as_often_as_one_likes(settings: Any) -> None:
    settings.MFA_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS = False


@pytest.mark.parametrize("word", SIGNING_IN)
def test_what_is_no_answer_of_a_passkey_opens_nothing_and_breaks_nothing(word: str) -> None:
    client = browser()
    client.get(LOGIN, headers={"x-requested-with": "XMLHttpRequest"})  # a challenge is asked for
    answer = sent(client, LOGIN, SIGNING_IN[word])
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
    signed_in = browser(with_passkey("Ada"))
    assert signed_in.get(AGAIN).status_code == 200
    again = sent(signed_in, AGAIN, SIGNING_IN[word])
    assert (again.status_code, again["Location"]) == (302, "/accounts/login/")


@pytest.mark.parametrize("word", ADDING)
def test_what_is_no_new_passkey_is_not_added(word: str) -> None:
    ada = person("Ada")
    client = browser(ada)
    client.get(ADD)
    answer = sent(client, ADD, ADDING[word])
    assert answer.status_code == 200
    assert not ada.authenticator_set.exists()
    assert b"errorlist" in answer.content or b"Incorrect code" in answer.content


def test_no_answer_costs_much() -> None:
    client, before = browser(), resource.getrusage(resource.RUSAGE_SELF)
    client.get(LOGIN, headers={"x-requested-with": "XMLHttpRequest"})
    many = b"\x9a\x00\x15\x5c\xc0" + bytes(1_400_000)  # numbers, each of which is copied past
    for said in (extended(many), asserted(authenticatorData=10**9)):
        assert sent(client, LOGIN, said).status_code == 302
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
    assert after.ru_maxrss - before.ru_maxrss < 500_000, "kB"

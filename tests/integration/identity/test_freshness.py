"""A session that was opened a while ago: what it is asked, through the API, on pages, in the
administration; and what counts as having just shown who one is."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client
from pydantic import ValidationError

from apps.audit.models import Event
from apps.governance.models import Decision
from apps.identity import actions
from apps.identity.models import ApiToken, RoleBinding, Team, User
from apps.identity.rules import is_fresh
from apps.identity.sign_in.freshness import RECORDS, WHOSE, last_proof, proofs
from apps.operations.demo.people import DemoPerson
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.config import Config
from placet_protocol.cookies import SESSION
from tests.support.factories import api, browser, grow_old, person, service_account, team, token_for
from tests.support.world import World

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
ASK = "/accounts/reauthenticate/"
Clients = Callable[..., Client]


@pytest.fixture
def ada() -> User:
    return person("Ada", password=PASSWORD)


@pytest.fixture
def ann() -> User:
    """The access admin."""
    return person("Ann", roles={"admin": None}, password=PASSWORD)


def old(client: Client) -> Client:
    """Return the client, whose person authenticated 16 minutes ago."""
    grow_old(client)
    return client


def asked(answer: Any, back_to: str) -> None:
    """Look that somebody was sent to authenticate and to come back."""
    assert answer.status_code == 302, answer.content
    target = urlsplit(answer["Location"])
    assert (target.path, parse_qs(target.query)) == (ASK, {"next": [back_to]})


def kinds() -> list[str]:
    return [str(kind) for kind in Event.objects.order_by("index").values_list("kind", flat=True)]


def token_body() -> dict[str, Any]:
    return {"name": "x", "scopes": ["model.view"], "expires_at": rfc3339(now() + timedelta(9))}


# What counts


def test_fresh_is_from_now_back_to_the_limit_and_nothing_else() -> None:
    at, limit = datetime(2026, 11, 26, 12, tzinfo=UTC), timedelta(minutes=15)
    ages = {0: True, 900: True, 901: False, -1: False, 10**6: False, -(10**6): False}
    for seconds, fresh in ages.items():
        assert is_fresh(at - timedelta(seconds=seconds), at, limit) is fresh, seconds
    assert not is_fresh(None, at, limit)


@pytest.mark.parametrize(
    "records",
    [
        None,
        [],
        {},
        "x",
        [None],
        [{}],
        [{"method": "password"}],
        [{"at": None}],
        [{"at": "now"}],
        [{"at": True}],
        [{"at": math.nan}],
        [{"at": math.inf}],
        [{"at": 1e300}],
        [{"at": -1e300}],
        [{"at": [1]}],
        [{"at": 1.0}, "x"],
        [{"at": 1.0}, {"method": "password"}],
    ],
)
def test_what_cannot_be_read_proves_nothing(records: Any) -> None:
    assert last_proof(proofs({RECORDS: records, WHOSE: "per_1"}, "per_1")) is None


def test_the_last_proof_counts_and_only_the_persons_own() -> None:
    """After the clock was set back, one who authenticates again is not held to the wrong time."""
    records = [{"at": 2e9}, {"at": 1e9}]
    session = {RECORDS: records, WHOSE: "per_1"}
    assert last_proof(proofs(session, "per_1")) == datetime.fromtimestamp(1e9, tz=UTC)
    assert proofs(session, "per_2") == []
    assert proofs({RECORDS: records}, "per_1") == []


@pytest.mark.parametrize("minutes", ["0", "-1", "721", "soon", "nan"])
def test_a_limit_that_makes_no_sense_is_refused_at_start(
    minutes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_REAUTHENTICATE_AFTER_MINUTES", minutes)
    with pytest.raises(ValidationError, match="reauthenticate_after_minutes"):
        Config()


# The API


def test_an_old_session_makes_no_token_until_its_person_authenticates_again(ada: User) -> None:
    client = old(api(ada))
    refused = client.post("/tokens", token_body())
    assert (refused.status_code, refused.json()["code"]) == (403, "reauthenticate")
    assert ASK in refused.json()["detail"]
    assert not ApiToken.objects.exists()
    client.generic("POST", ASK, "password=wrong", "application/x-www-form-urlencoded")
    assert client.post("/tokens", token_body()).status_code == 403
    form = f"password={PASSWORD.replace(' ', '+')}"
    client.generic("POST", ASK, form, "application/x-www-form-urlencoded")
    assert client.post("/tokens", token_body()).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_an_attempt_in_an_old_session_is_logged_as_other_refusals_are(ada: User) -> None:
    old(api(ada)).post("/tokens", token_body())
    denied = Event.objects.get(kind="access.denied.v1")
    assert denied.actor_id == ada.pk
    assert '"action":"reauthenticate"' in denied.body


def test_the_same_request_under_its_key_goes_through_afterwards(ada: User) -> None:
    """The refusal is not what a key replays: the person has authenticated since."""
    client, body = old(api(ada)), token_body()
    assert client.post("/tokens", body, idempotency_key="k").status_code == 403
    grow_old(client, -16)
    made = client.post("/tokens", body, idempotency_key="k")
    assert made.status_code == 201
    again = client.post("/tokens", body, idempotency_key="k")
    assert again.json() == made.json()
    late = old(client).post("/tokens", body, idempotency_key="k")
    assert (late.status_code, made.json()["secret"] in late.content.decode()) == (403, False)
    assert ApiToken.objects.count() == 1


# Pages


def test_who_decides_in_an_old_session_confirms_and_comes_back_to_the_release(world: World) -> None:
    rex = person("Rufus", roles={"reviewer": world.project}, password=PASSWORD)
    release, client = world.request("staging"), old(browser(rex))
    page = f"/releases/{release.pk}/"
    form = {"verdict": "approve", "statement_digest": release.request_digest, "next": page}
    asked(client.post(page + "decide", form), page)
    assert not Decision.objects.exists()
    back = client.post(ASK, {"password": PASSWORD, "next": page})
    assert back["Location"] == page
    assert not Decision.objects.exists()  # nothing was kept to be done behind Rex's back
    assert client.post(page + "decide", form)["Location"] == page
    assert Decision.objects.get().person == rex.pk


def test_a_form_is_not_led_to_another_site(ada: User) -> None:
    client = old(browser(ada))
    form = {"name": "x", "scopes": ["model.view"], "days": "9", "next": "https://evil.example/"}
    asked(client.post("/tokens/new", form), "/")
    answer = client.post(ASK, {"password": PASSWORD, "next": "//evil.example/"})
    assert answer["Location"] == "/"


def test_a_policy_is_drafted_by_who_has_just_shown_who_they_are(world: World) -> None:
    client = old(browser(world.people["Vera"]))
    page = f"/policies/{world.project.slug}/staging/"
    asked(client.post(page + "draft", {"source": "version: 1", "next": page}), page)


# The administration


@pytest.fixture
def desk(ann: User) -> Client:
    """The access admin's browser, which was left open."""
    return old(browser(ann))


def test_an_old_session_of_an_access_admin_gives_nobody_anything(desk: Client, ada: User) -> None:
    roles = RoleBinding.objects.count()
    add = "/admin/identity/rolebinding/add/"
    form = {"role": "viewer", "person": ada.pk, "environment": ""}
    asked(desk.post(add, form), add)
    add = "/admin/identity/user/add/"
    asked(desk.post(add, {"email": "new@example.com", "name": "New"}), add)
    assert (RoleBinding.objects.count(), User.objects.count()) == (roles, 2)


def test_it_takes_nothing_away_either(desk: Client, ann: User, ada: User) -> None:
    binding, crew = RoleBinding.objects.get(person=ann), team("Crew", ada)
    for path in (f"rolebinding/{binding.pk}", f"team/{crew.pk}"):
        page = f"/admin/identity/{path}/delete/"
        asked(desk.post(page, {"post": "yes"}), page)
    change = f"/admin/identity/user/{ada.pk}/change/"
    asked(desk.post(change, {"name": "Ada", "email": ada.email}), change)
    assert RoleBinding.objects.filter(pk=binding.pk).exists()
    assert Team.objects.exists()
    assert User.objects.get(pk=ada.pk).is_active


def test_neither_does_it_in_the_lists(desk: Client, ada: User) -> None:
    token_for(service_account("bot", owner=ada))
    new = person("New")
    token = ApiToken.objects.get()
    for path, action, row in (
        ("apitoken", "revoke", token.pk),
        ("user", "make_setup_link", new.pk),
    ):
        page = f"/admin/identity/{path}/"
        asked(desk.post(page, {"action": action, "_selected_action": [row]}), page)
    token.refresh_from_db()
    assert token.revoked_at is None
    assert "person.setup_link_made.v1" not in kinds()


def test_after_the_password_the_admin_goes_on(desk: Client, ada: User) -> None:
    page = "/admin/identity/rolebinding/add/"
    assert desk.post(ASK, {"password": PASSWORD, "next": page})["Location"] == page
    form = {"role": "viewer", "person": ada.pk, "environment": ""}
    assert desk.post(page, form)["Location"] == "/admin/identity/rolebinding/"
    assert RoleBinding.objects.get(person=ada).role == "viewer"


# A thief


def test_a_stolen_cookie_is_dead_once_its_person_authenticates_again(ada: User) -> None:
    here = old(browser(ada))
    thief = api()
    thief.cookies[SESSION] = here.cookies[SESSION].value
    assert thief.get("/whoami").status_code == 200
    assert thief.post("/tokens", token_body()).json()["code"] == "reauthenticate"
    here.post(ASK, {"password": PASSWORD})
    assert here.get("/api/v1/whoami").json()["id"] == ada.pk
    assert thief.get("/whoami").status_code == 401


def test_a_thief_does_not_guess_the_password_for_long(ada: User) -> None:
    thief = old(browser(ada))
    answers = [thief.post(ASK, {"password": f"guess {n}"}).status_code for n in range(12)]
    assert 429 in answers or thief.post(ASK, {"password": PASSWORD}).status_code != 302
    assert kinds().count("session.refused.v1") >= 1
    assert api(ada) and "session.confirmed.v1" not in kinds()


def test_a_thief_gives_the_account_no_password_and_no_factor(ada: User) -> None:
    """Who comes by the identity provider alone has none: the thief's would be the first, and could
    show at once who they are not. A token of the thief's beside the cookie changes nothing."""
    ada.set_unusable_password()
    ada.save(update_fields=["password"])
    thief = old(browser(ada))
    eve = {"authorization": f"Bearer {token_for(person('Eve'))}"}
    for headers in ({}, eve):
        for page in (
            "/accounts/password/set/",
            "/accounts/2fa/totp/activate/",
            "/accounts/2fa/webauthn/add/",
        ):
            asked(thief.get(page, headers=headers), page)
            asked(thief.post(page, {"password1": "x"}, headers=headers), page)
    assert not User.objects.get(pk=ada.pk).has_usable_password()
    assert not Authenticator.objects.exists()


def test_a_clock_that_was_set_back_does_not_make_an_old_session_young(ada: User) -> None:
    client = api(ada)
    grow_old(client, -60)  # it was opened while the clock was an hour ahead
    assert client.post("/tokens", token_body()).json()["code"] == "reauthenticate"
    form = f"password={PASSWORD.replace(' ', '+')}"
    client.generic("POST", ASK, form, "application/x-www-form-urlencoded")
    assert client.post("/tokens", token_body()).status_code == 201


# Signing in, and again


@pytest.mark.django_db(transaction=True)
def test_signing_in_is_fresh_and_authenticating_again_is_an_event(ada: User) -> None:
    client = api()
    form = f"login=ada%40example.com&password={PASSWORD.replace(' ', '+')}"
    client.generic("POST", "/accounts/login/", form, "application/x-www-form-urlencoded")
    assert client.post("/tokens", token_body()).status_code == 201
    client.generic("POST", ASK, form, "application/x-www-form-urlencoded")
    confirmed = Event.objects.get(kind="session.confirmed.v1")
    assert confirmed.subject == ada.pk
    assert '"method":"password"' in confirmed.body


def test_a_set_up_link_is_fresh(ann: User) -> None:
    new = person("New")
    client = browser()
    page = client.get(actions.setup_link(new, actor=SYSTEM), follow=True)
    client.post(page.request["PATH_INFO"], {"password1": PASSWORD, "password2": PASSWORD})
    made = client.post("/api/v1/tokens", token_body(), "application/json")
    assert made.status_code == 201, made.content
    cache.clear()
    assert time.time() - client.session[RECORDS][-1]["at"] < 60


@pytest.mark.django_db(transaction=True)
def test_who_acts_by_a_program_in_a_session_confirms_when_it_is_asked(
    ada: User, live_server: Any
) -> None:
    """As the people of the demo do, who may take longer than a quarter of an hour."""
    with DemoPerson.sign_in(
        live_server.url, role="", name="Ada", email=ada.email, password=PASSWORD
    ) as who:
        mine = Client()
        mine.cookies[SESSION] = who.http.cookies[SESSION]
        grow_old(mine)
        assert who.do("POST", "/tokens", token_body())["secret"]
    assert "session.confirmed.v1" in kinds()

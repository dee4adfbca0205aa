"""A command line gets a token that a person confirms in the browser (RFC 8628)."""

import hashlib
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, connections
from django.test import Client

from apps.audit.actions import record
from apps.audit.models import Event
from apps.identity import actions
from apps.identity.actions.credentials import set_own_password
from apps.identity.api.devices import GRANT_TYPE
from apps.identity.models import ApiToken, DeviceLogin, User
from apps.identity.rules.devices import MAX_GUESSES, MAX_OPEN_OF_ADDRESS
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.config import config
from tests.support.factories import api, browser, grow_old, person, project

pytestmark = pytest.mark.django_db
FORM = {"name": "cli", "preset": "cli", "days": "30"}


@pytest.fixture
def ada() -> User:
    """A data scientist."""
    return person("Ada", {"contributor": project("risk")})


def begin(client: str = "placet on a laptop") -> dict[str, Any]:
    """Begin as a device does, which has no token."""
    answer = api().post("/device/code", {"client": client})
    assert answer.status_code == 200, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def ask(codes: dict[str, Any]) -> tuple[int, str]:
    """Ask for the token; return the status, and the token or the reason why there is none."""
    body = {"grant_type": GRANT_TYPE, "device_code": codes["device_code"]}
    answer = api().post("/device/token", body)
    told = answer.json()
    return answer.status_code, told["access_token" if answer.status_code == 200 else "code"]


def later(seconds: float) -> Any:
    """Be so much later."""
    return time_machine.travel(now() + timedelta(seconds=seconds), tick=True)


def at_once() -> Any:
    """Have everything be done at one instant, however long it takes."""
    return time_machine.travel(now(), tick=False)


def kinds() -> list[str]:
    """Return the kinds of all events, the newest last."""
    return list(Event.objects.order_by("index").values_list("kind", flat=True))


def confirm(client: Client, codes: dict[str, Any], **changes: Any) -> Any:
    return client.post("/device/confirm", FORM | {"code": codes["user_code"]} | changes)


def test_a_person_confirms_and_the_device_gets_a_token_once(ada: User) -> None:
    codes = begin()
    assert codes["verification_uri_complete"].endswith(f"/device/?code={codes['user_code']}")
    assert ask(codes) == (400, "authorization_pending")
    client = browser(ada)
    shown = client.get(f"/device/?code={codes['user_code'].lower()}").content.decode()
    for text in (
        codes["user_code"],
        "placet on a laptop",
        "127.0.0.1",
        "started this login yourself",
    ):
        assert text in shown
    assert "Login approved" in confirm(client, codes).content.decode()
    assert not ApiToken.objects.exists()  # nothing lies about until the device comes
    with later(4):
        status, secret = ask(codes)
    assert status == 200
    assert api(secret).post("/projects/risk/models", {"name": "churn"}).status_code == 201
    token = ApiToken.objects.get()
    assert (token.name, token.person) == ("cli", ada)
    assert {"model.create", "build.start", "release.request"} <= set(token.scopes)
    with later(20):
        assert ask(codes) == (400, "invalid_grant")


def test_the_log_says_who_let_the_device_have_which_token(ada: User) -> None:
    codes = begin()
    before = Event.objects.count()
    confirm(browser(ada), codes)
    ask(codes)
    confirmed, issued = Event.objects.filter(index__gte=before).order_by("index")
    assert (confirmed.kind, issued.kind) == ("device_login.confirmed.v1", "token.issued.v1")
    assert confirmed.actor_id == issued.actor_id == ada.pk
    assert confirmed.subject in issued.body
    assert "laptop" not in confirmed.body + issued.body
    assert "127.0.0.1" not in confirmed.body + issued.body
    told, token = json.loads(confirmed.body)["data"], ApiToken.objects.get()
    assert told == {"scopes": token.scopes, "expires_at": rfc3339(token.expires_at)}


def test_no_code_and_no_token_can_be_read_from_the_database(ada: User) -> None:
    codes = begin()
    confirm(browser(ada), codes)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(d)::text FROM identity_devicelogin d")
        [(stored,)] = cursor.fetchall()
    secret = codes["device_code"].partition("_")[2].partition("_")[2]
    letters = codes["user_code"].replace("-", "")
    for text in (secret, letters, codes["user_code"], "plc_"):
        assert text not in stored
        assert hashlib.sha256(text.encode()).hexdigest() not in stored


def test_who_denies_it_gives_nothing_and_the_device_is_told(ada: User) -> None:
    codes = begin()
    client = browser(ada)
    assert "denied" in client.post("/device/deny", {"code": codes["user_code"]}).content.decode()
    with at_once():
        assert ask(codes) == (400, "access_denied")
        assert "Login denied" in confirm(client, codes).content.decode()
        assert ask(codes) == (400, "slow_down")
    assert not ApiToken.objects.exists()


def test_two_clicks_make_one_token(ada: User) -> None:
    codes, client = begin(), browser(ada)
    assert "Login approved" in confirm(client, codes).content.decode()
    assert "Login approved" in confirm(client, codes, name="again").content.decode()
    ask(codes)
    assert "Command line logged in" in confirm(client, codes).content.decode()
    assert [token.name for token in ApiToken.objects.all()] == ["cli"]


def test_what_one_person_confirmed_no_other_confirms_denies_or_sees(ada: User) -> None:
    codes = begin()
    confirm(browser(ada), codes)
    other = browser(person("Bob", {"contributor": project("other")}))
    page = other.get(f"/device/?code={codes['user_code']}").content.decode()
    assert "answered already" in page
    assert "laptop" not in page
    assert "answered already" in confirm(other, codes).content.decode()
    other.post("/device/deny", {"code": codes["user_code"]})
    status, secret = ask(codes)
    assert status == 200
    assert api(secret).get("/whoami").json()["name"] == "Ada"


def test_the_token_goes_to_the_device_that_asked_and_to_no_other(ada: User) -> None:
    mine, other = begin(), begin("somebody else's")
    confirm(browser(ada), mine)
    assert ask(other) == (400, "authorization_pending")
    login = mine["device_code"][:36]
    for forged in (login, login + "_", f"{login}_{other['device_code'][37:]}", "dev_x", "x"):
        assert ask({"device_code": forged}) == (400, "invalid_grant")
    assert ask({"device_code": mine["user_code"]}) == (400, "invalid_grant")
    assert ask(mine)[0] == 200


def test_after_ten_minutes_nothing_is_left(ada: User) -> None:
    codes, late = begin(), begin()
    confirm(browser(ada), late)
    with later(601):
        client = browser(ada)
        assert "No command line waits" in confirm(client, codes).content.decode()
        assert ask(codes) == (400, "expired_token")
        assert ask(late) == (400, "expired_token")
        assert actions.forget_device_logins() == 2
        assert ask(codes) == (400, "invalid_grant")
    assert not DeviceLogin.objects.exists()
    assert not ApiToken.objects.exists()


def test_a_device_that_asks_too_often_is_slowed_down(ada: User) -> None:
    codes = begin()
    with at_once() as clock:
        assert ask(codes)[1] == "authorization_pending"
        assert ask(codes)[1] == "slow_down"
        clock.shift(4)
        assert ask(codes)[1] == "slow_down"  # eight seconds from now on
        clock.shift(36)
        assert ask(codes)[1] == "authorization_pending"


def test_who_guesses_codes_is_stopped(ada: User) -> None:
    codes, client = begin(), browser(ada)
    for _ in range(MAX_GUESSES):
        assert "No command line waits" in client.get("/device/?code=BCDF-GHJK").content.decode()
    for answer in (client.get(f"/device/?code={codes['user_code']}"), confirm(client, codes)):
        assert "Too many wrong codes" in answer.content.decode()
    other = browser(person("Bob", {"contributor": project("other")}))
    for _ in range(2 * MAX_GUESSES):  # what is right does not count
        assert (
            codes["user_code"] in other.get(f"/device/?code={codes['user_code']}").content.decode()
        )


def test_who_was_wrong_too_often_is_told_beforehand_and_then_how_long_they_wait(ada: User) -> None:
    client = browser(ada)
    assert "After 10 wrong codes you wait up to 10 minutes." in " ".join(
        client.get("/device/").content.decode().split()
    )
    with at_once() as clock:
        told = [client.get("/device/?code=BCDF-GHJK").content.decode() for _ in range(MAX_GUESSES)]
        for shown, left in zip(told, ("9 tries left", "8 tries left"), strict=False):
            assert f"run `placet login` again. {left}" in shown
        assert "1 try left" in told[-2]
        assert "No try is left: wait 10 minutes, then run `placet login` again" in told[-1]
        clock.shift(200)
        for left in (7, 7):  # which further tries do not make longer
            shown = client.get("/device/?code=BCDF-GHJK").content.decode()
            assert f"wait {left} minutes, then run `placet login` again" in shown
        clock.shift(390)
        shown = client.get("/device/?code=BCDF-GHJK").content.decode()
        assert "wait 1 minute, then" in shown


def test_one_address_keeps_few_logins_waiting() -> None:
    for _ in range(MAX_OPEN_OF_ADDRESS):
        begin()
    answer = api().post("/device/code", {"client": "one more"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_logins")
    assert actions.begin_device_login(client="another's", address="203.0.113.5")
    with later(601):
        assert begin()


def test_strangers_send_little(ada: User) -> None:
    large = api().post("/device/code", {"client": "x" * 5000})
    assert large.status_code == 413
    for body in (
        {},
        {"client": ""},
        {"client": "x" * 121},
        {"client": "\u202ex"},
        {"client": "x\x1b"},
    ):
        assert api().post("/device/code", body).status_code == 400, body
    assert not DeviceLogin.objects.exists()


def test_strangers_ask_so_many_times_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.identity.api.devices.PER_MINUTE", 2)
    with time_machine.travel("2031-01-02T03:04:05Z", tick=False):
        answers = [api().post("/device/code", {"client": "x"}).status_code for _ in range(3)]
    assert answers == [200, 200, 429]


def test_a_name_with_markup_is_shown_as_text(ada: User) -> None:
    codes = begin('<script>alert("x")</script>')
    page = browser(ada).get(f"/device/?code={codes['user_code']}").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_token_confirms_nothing(ada: User) -> None:
    codes = begin()
    confirm(browser(ada), codes)
    secret = ask(codes)[1]
    another = begin()
    header = {"Authorization": f"Bearer {secret}"}
    answer = Client().post("/device/confirm", FORM | {"code": another["user_code"]}, headers=header)
    assert answer.status_code == 302
    assert "/accounts/login/" in answer["Location"]
    assert DeviceLogin.objects.get(pk=another["device_code"][:36]).state == "pending"


def test_who_did_not_just_show_who_they_are_is_asked_first(ada: User) -> None:
    codes, client = begin(), browser(ada)
    grow_old(client)
    here = f"/device/?code={codes['user_code']}"
    answer = confirm(client, codes, next=here)
    assert answer["Location"].startswith("/accounts/reauthenticate/?next=%2Fdevice%2F%3Fcode%3D")
    assert DeviceLogin.objects.get().state == "pending"


def test_a_confirmation_counts_no_longer_than_who_made_it_is_fresh(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "reauthenticate_after_minutes", 1)
    codes = begin()
    confirm(browser(ada), codes)
    with later(90):
        assert ask(codes) == (400, "expired_token")
    assert not ApiToken.objects.exists()


def test_who_was_deactivated_meanwhile_gives_nothing(ada: User) -> None:
    codes = begin()
    confirm(browser(ada), codes)
    actions.deactivate_person(User.objects.get(pk=ada.pk), actor=SYSTEM)
    actions.reactivate_person(User.objects.get(pk=ada.pk), actor=SYSTEM)
    assert ask(codes) == (400, "access_denied")
    assert kinds()[-3:] == [
        "person.deactivated.v1",
        "device_login.denied.v1",
        "person.reactivated.v1",
    ]


def test_who_confirmed_takes_it_back_until_the_device_has_come(ada: User) -> None:
    codes, client = begin(), browser(ada)
    shown = confirm(client, codes).content.decode()
    for text in (
        "Once the command line has picked it up",
        "Cancel login",
        f'value="{codes["user_code"]}"',
    ):
        assert text in shown
    assert "Cancel login" in client.get(f"/device/?code={codes['user_code']}").content.decode()
    grow_old(client)  # what takes away never waits for a password
    for _ in range(2):
        shown = client.post("/device/deny", {"code": codes["user_code"]}).content.decode()
        assert "Login denied" in shown
    assert kinds()[-2:] == ["device_login.confirmed.v1", "device_login.denied.v1"]
    assert ask(codes) == (400, "access_denied")
    assert not ApiToken.objects.exists()


def test_what_the_device_has_is_taken_back_as_a_token_is(ada: User) -> None:
    codes, client = begin(), browser(ada)
    confirm(client, codes)
    assert ask(codes)[0] == 200
    body = {"code": codes["user_code"], "next": f"/device/?code={codes['user_code']}"}
    shown = client.post("/device/deny", body, follow=True).content.decode()
    assert "has its token already: revoke it under API tokens" in shown
    assert "Cancel login" not in shown
    assert DeviceLogin.objects.get().state == "collected"


def test_a_new_password_denies_what_its_person_confirmed_and_nobody_elses(ada: User) -> None:
    bob = person("Bob", {"contributor": project("other")})
    mine, waiting, other = begin(), begin(), begin()
    confirm(browser(ada), mine)
    confirm(browser(bob), other)
    set_own_password(User.objects.get(pk=ada.pk), "another horse battery staple")
    assert ask(mine) == (400, "access_denied")
    assert ask(waiting) == (400, "authorization_pending")
    assert ask(other)[0] == 200


def test_when_all_sessions_end_nothing_confirmed_in_them_is_collected(ada: User) -> None:
    codes, waiting = begin(), begin()
    confirm(browser(ada), codes)
    with record(SYSTEM) as log:
        actions.close_all_sessions(log)
    assert ask(codes) == (400, "access_denied")
    assert ask(waiting) == (400, "authorization_pending")
    assert kinds()[-1] == "device_login.denied.v1"


@pytest.mark.django_db(transaction=True)
def test_a_device_that_comes_while_it_is_taken_back_gets_a_token_or_is_denied(ada: User) -> None:
    """A new password and the device at once: neither waits for what the other holds."""
    codes = begin()
    confirm(browser(ada), codes)
    answers: list[tuple[int, str]] = []
    ready = threading.Barrier(2)

    def come() -> None:
        ready.wait()
        answers.append(ask(codes))
        connections.close_all()

    thread = threading.Thread(target=come)
    thread.start()
    ready.wait()
    set_own_password(User.objects.get(pk=ada.pk), "another horse battery staple")
    thread.join()
    [(status, told)] = answers
    assert status == 200 or told == "access_denied"
    assert ApiToken.objects.count() == (status == 200)


def test_what_no_token_may_be_is_said_beside_the_form(ada: User) -> None:
    codes, client = begin(), browser(ada)
    for changes, told in (
        ({"name": ""}, "must not be empty"),
        ({"days": "999"}, "at most 366 days"),
        ({"preset": "custom"}, "at least one permission"),
        ({"preset": "custom", "scopes": "release.approve"}, "never carries"),
        ({"project": "nothing"}, "No project with this slug"),
    ):
        page = confirm(client, codes, **changes).content.decode()
        assert told in page
        assert codes["user_code"] in page
    confirm(client, codes, preset="custom", scopes=["model.view", "project.view"], project="risk")
    ask(codes)
    token = ApiToken.objects.select_related("project").get()
    assert token.scopes == ["model.view", "project.view"]
    assert token.project is not None


def test_a_person_without_a_role_confirms_nothing() -> None:
    codes, client = begin(), browser(person("Nora"))
    page = client.get(f"/device/?code={codes['user_code']}").content.decode()
    assert "You have no project role yet: ask an access administrator for one." in page
    assert "Deny ends the command in your terminal" in page and "10 minutes" in page
    assert "Run <code>placet login</code> again once you have one." in page
    assert ">Confirm<" not in page and "Allow command line access" not in page
    assert "none of these permissions" in confirm(client, codes).content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_questions_at_once_one_gets_the_token(ada: User) -> None:
    codes = begin()
    confirm(browser(ada), codes)
    answers: list[tuple[int, str]] = []

    def come() -> None:
        answers.append(ask(codes))
        connections.close_all()

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers].count(200) == 1
    assert ApiToken.objects.count() == 1

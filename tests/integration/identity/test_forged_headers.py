"""Headers that lie about where a request went and where it comes from."""

from typing import Any

import pytest

from tests.support.factories import api, browser, person

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver:x", "a b"])
def test_a_host_that_is_not_ours_is_refused(host: str) -> None:
    page = browser().get("/accounts/login/", headers={"host": host})
    assert page.status_code == 400
    answer = api().get("/whoami", host=host)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_no_mail_leads_to_a_host_that_the_request_made_up(mailoutbox: list[Any]) -> None:
    person("Ada", password=PASSWORD)
    asked = {"email": "ada@example.com"}
    refused = browser().post("/accounts/password/reset/", asked, headers={"host": "evil.example"})
    assert (refused.status_code, mailoutbox) == (400, [])
    headers = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    browser().post("/accounts/password/reset/", asked, headers=headers)
    assert "://localhost:8000/" in mailoutbox[0].body
    assert "evil.example" not in mailoutbox[0].body


def guesses(forwarded: str, count: int) -> None:
    for n in range(count):
        browser().post(
            "/accounts/login/",
            {"login": f"nobody{n}@example.com", "password": "wrong"},
            headers={"x-forwarded-for": forwarded.format(n)},
        )


def let_in(forwarded: str) -> bool:
    person("Ada", password=PASSWORD)
    client = browser()
    client.post(
        "/accounts/login/",
        {"login": "ada@example.com", "password": PASSWORD},
        headers={"x-forwarded-for": forwarded},
    )
    return client.get("/api/v1/whoami").status_code == 200


def test_a_made_up_client_address_does_not_get_around_the_limit() -> None:
    guesses("192.0.2.{}", 10)
    assert not let_in("192.0.2.200")


def test_another_port_or_case_does_not_get_around_the_limit_of_an_account() -> None:
    person("Ada", password=PASSWORD)
    typed = ("ada@example.com", "ADA@example.com", "ad\N{LATIN SMALL LETTER A}@Example.COM")
    answers = [
        browser().post(
            "/accounts/login/",
            {"login": typed[n % len(typed)], "password": f"wrong {n}"},
            REMOTE_ADDR=f"192.0.2.{n}",
            headers={"host": f"localhost:{1000 + n}"},
        )
        for n in range(6)
    ]
    assert ["Too many failed" in answer.content.decode() for answer in answers] == [False] * 5 + [
        True
    ]


@pytest.mark.usefixtures("behind_a_proxy")
class TestBehindAProxy:
    @pytest.fixture
    def behind_a_proxy(self, settings: Any) -> None:
        settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1

    def test_one_guesser_does_not_lock_the_others_out(self) -> None:
        guesses("192.0.2.1", 10)
        assert let_in("192.0.2.200")

    def test_the_guesser_is_stopped_whatever_they_say_they_came_through(self) -> None:
        guesses("198.51.100.{}, 192.0.2.1", 10)
        assert not let_in("198.51.100.99, 192.0.2.1")

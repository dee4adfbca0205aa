"""What a page at a host beside Placet's, a model's say, brings about in its reader's browser."""

import pytest
from django.test import Client

from apps.audit.models import Event
from placet_protocol.cookies import CSRF, SESSION
from tests.support.factories import browser, person
from tests.support.world import World

pytestmark = pytest.mark.django_db
IMAGE = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FRAME = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}


def name_by(cookies: str) -> str:
    """Who somebody with these cookies is; '' for nobody."""
    raw = cookies.encode().decode("latin-1")  # as a server of WSGI hands a header over
    answer = Client().get("/api/v1/whoami", HTTP_COOKIE=raw)
    return str(answer.json().get("name", ""))


@pytest.mark.parametrize("blank", ["\u00a0", "\u2000", "\u3000", "\x0b", "\x1c", "\x85"])
def test_a_cookie_with_a_blank_that_browsers_take_for_a_letter_is_not_ours(blank: str) -> None:
    own, planted = (browser(person(name)).cookies[SESSION].value for name in ("Ada", "Mallory"))

    assert name_by(f"{SESSION}={own}; {blank}{SESSION}={planted}") == "Ada"
    assert name_by(f"{SESSION}={own}; {SESSION}{blank}={planted}") == "Ada"
    assert name_by(f"{blank}{SESSION}={planted}") == ""


def test_blanks_that_are_none_for_browsers_either_change_no_name() -> None:
    own = browser(person("Ada")).cookies[SESSION].value

    assert name_by(f"theme=dark;\t {SESSION} = {own} ;; plain") == "Ada"


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize("how", [IMAGE, FRAME], ids=["image", "frame"])
def test_what_another_page_loads_is_asked_by_nobody(site: str, how: dict[str, str]) -> None:
    auditor = browser(person("Aude", {"auditor": None}))
    headers = {"Sec-Fetch-Site": site, **how}

    answer = auditor.get("/api/v1/audit/export?format=csv", headers=headers)

    assert answer.status_code == 401
    assert not Event.objects.filter(kind="audit.exported.v1").exists()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "none", **LINK},
        {"Sec-Fetch-Site": "same-origin", **IMAGE},
        {"Sec-Fetch-Site": "cross-site", **LINK},
    ],
    ids=["no browser", "typed", "own page", "a link"],
)
def test_a_link_from_another_page_leads_its_reader_here(headers: dict[str, str]) -> None:
    auditor = browser(person("Aude", {"auditor": None}))

    assert auditor.get("/audit/", headers=headers).status_code == 200


def test_what_one_was_told_no_cookie_could_tell_another(world: World) -> None:
    olga = browser(person("Olga", {"operator": None}))
    page = f"/targets/{world.target}/"

    answer = olga.post(f"{page}owner", {"next": page}, follow=True)

    assert "revision: Give a whole number" in answer.text
    assert set(olga.cookies) <= {SESSION, CSRF}

"""Every form of the pages: where it stands, and where one comes to who opens its address, or sends
it without being signed in any more. The routes are computed, so that none is forgotten."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import resolve

from apps.console.addresses import is_page
from tests.permissions.table import routes
from tests.permissions.world import World, build
from tests.support.factories import browser, person

pytestmark = pytest.mark.django_db
ELSEWHERE = ("/api/", "/agent/", "/admin/", "/accounts/", "/witness/")
TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


def pages_and_forms(method: str) -> list[str]:
    """Return the routes of the pages that answer ``method`` alone."""
    found = routes()
    mine = {route for _, route in found if not route.startswith(ELSEWHERE)}
    return sorted(r for r in mine if {m for m, route in found if route == r} == {method})


def filled(route: str) -> str:
    """Return a route with something in the place of each parameter."""
    return re.sub("{([a-z_]*number|index)}", "1", route).replace("{", "").replace("}", "")


class Form:
    """A form of a page, as it came."""

    def __init__(self, page: str, attributes: dict[str, str], dialog: str) -> None:
        self.page, self.dialog, self.typed = page, dialog, False
        self.action, self.method = attributes.get("action", ""), attributes.get("method", "get")
        self.hidden: dict[str, str] = {}


class Forms(HTMLParser):
    """Gathers the forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.dialog, self.found = page, "", list[Form]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where forms begin, and what they hold."""
        given = {name: value or "" for name, value in attrs}
        if tag == "dialog":
            self.dialog = given.get("id", "")
        if tag == "form":
            self.found.append(Form(self.page, given, self.dialog))
        if tag == "input" and given.get("type") == "hidden" and self.found:
            self.found[-1].hidden[given.get("name", "")] = given.get("value", "")
        elif tag in ("input", "select", "textarea") and self.found:
            self.found[-1].typed |= "name" in given

    def handle_endtag(self, tag: str) -> None:
        """Leave a dialog."""
        if tag == "dialog":
            self.dialog = ""


def forms_of(client: Client, world: World) -> Iterator[Form]:
    """Return the forms that are sent from every page."""
    for route in pages_and_forms("GET"):
        path = world.path(route)
        answer = client.get(path, world.bodies.get(f"GET {route}"))
        if answer.status_code != 200 or not answer["Content-Type"].startswith("text/html"):
            continue
        parser = Forms(answer.wsgi_request.get_full_path())
        parser.feed(answer.content.decode())
        yield from (form for form in parser.found if form.method == "post")


def test_who_opens_the_address_of_a_form_comes_to_its_page() -> None:
    assert len(pages_and_forms("POST")) > 60
    for route in pages_and_forms("POST"):
        path = filled(route)
        for answer in (browser().get(path), browser().head(path)):
            assert answer.status_code == 302, route
            assert is_page(answer["Location"].partition("?")[0]), f"{route}: {answer['Location']}"


def test_who_is_signed_out_meanwhile_signs_in_and_comes_to_a_page() -> None:
    for route in pages_and_forms("POST"):
        for sent in ({}, {"next": filled(route)}, {"next": "/models/"}):
            answer = browser().post(filled(route), sent)
            target = urlsplit(answer["Location"])
            assert (answer.status_code, target.path) == (302, "/accounts/login/"), route
            back = parse_qs(target.query)["next"][0]
            assert is_page(back) or browser().get(back).status_code == 302, f"{route}: {back}"


def test_every_form_names_its_page_and_is_told_from_the_others_of_it() -> None:
    world = build()
    roles = ("contributor", "reviewer", "responder", "approver", "operator", "auditor", "admin")
    eve = browser(person("Eve", roles=dict.fromkeys(roles)))
    found = [form for form in forms_of(eve, world) if not form.action.startswith(ELSEWHERE)]
    places: dict[tuple[str, str, str], int] = {}
    for form in found:
        where = f"{form.page}: {form.action}"
        assert form.hidden.get("csrfmiddlewaretoken"), where
        assert form.hidden.get("next") in (form.page, form.page.partition("?")[0]), where
        assert is_page(form.hidden["next"].partition("?")[0]), where
        if form.typed:
            place = (form.page, form.action, form.dialog)
            places[place] = places.get(place, 0) + 1
    assert {place: count for place, count in places.items() if count > 1} == {}
    sent_to = {resolve(form.action).route for form in found}
    assert len(sent_to) > 45


def test_no_form_of_a_template_forgets_its_page() -> None:
    """Those too that no page of this world shows, for what would have to have happened first."""
    top = '{% include "console/draft/top.html"'  # which has it
    assert 'name="next"' in (TEMPLATES / "console/draft/top.html").read_text()
    forgetful = [
        str(path.relative_to(TEMPLATES))
        for path in TEMPLATES.rglob("*.html")
        for form in re.findall(r"<form\b.*?</form>", path.read_text(), re.DOTALL)
        if 'method="post"' in form and "/api/" not in form
        if 'name="next"' not in form and top not in form
    ]
    assert [path for path in forgetful if path.startswith(("console/", "components/"))] == []

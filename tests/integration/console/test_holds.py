"""Who places a legal hold names people as they know them, and reads whom it holds."""

import pytest

from apps.assurance.models import LegalHold
from tests.support.factories import browser, person
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
WISH = {"name": "case-1", "reason": "Asked for by the court"}


def test_a_person_is_held_by_their_address_and_shown_by_name(world: World) -> None:
    ada = world.people["Ada"]
    eve = browser(person("Eve", {"auditor": None}))
    sent = WISH | {"scope": "person", "subject": ada.email.upper()}
    page = text_of(eve.post("/audit/holds/place", sent, follow=True).content.decode())
    assert LegalHold.objects.get().subject == ada.pk
    assert "The hold case-1 is placed" in page
    assert "Ada risk" in page


def test_a_project_is_held_by_its_short_name_and_shown_by_name(world: World) -> None:
    eve = browser(person("Eve", {"auditor": None}))
    sent = WISH | {"scope": "project", "subject": world.project.slug}
    page = eve.post("/audit/holds/place", sent, follow=True).content.decode()
    assert f'title="{world.project.pk}"' in page
    assert world.project.pk not in text_of(page)


def test_a_refused_hold_stands_on_its_own_tab(world: World) -> None:
    eve = browser(person("Eve", {"auditor": None}))
    sent = WISH | {"scope": "person", "subject": "nobody@example.com"}
    page = eve.post("/audit/holds/place", sent).content.decode()
    assert "No person has this e-mail address or ID" in page
    tab = page.split("Retention and holds</a>")[0].rpartition("<a")[2]
    assert 'aria-current="page"' in tab or "active" in tab


def test_people_are_offered_to_who_may_see_everybody(world: World) -> None:
    ada = world.people["Ada"].email
    option = f'<option value="{ada}">'
    root = browser(person("Root", {"admin": None, "auditor": None}))
    for path in ("/audit/retention/", f"/projects/{world.project.slug}/members/"):
        assert option in root.get(path).content.decode()
    theirs = browser(person("Pam", {"viewer": world.project}))
    assert option not in theirs.get(f"/projects/{world.project.slug}/members/").content.decode()

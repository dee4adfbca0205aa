"""The page on which everybody chooses what is mailed to them, and what they watch."""

import pytest

from apps.notices.actions import choose, watch_release
from apps.notices.models import Preference, Watch
from placet.kernel.config import config
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


def shown(world: World, name: str = "Rex", path: str = "/notifications/") -> str:
    return text_of(browser(world.people[name]).get(path).content.decode())


def test_without_a_mail_server_the_page_says_what_an_operator_sets(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "email_url", "")
    assert "Placet sends no mail yet" in shown(world)
    assert "PLACET_EMAIL_URL" in shown(world)
    browser(world.people["Rex"]).post("/notifications/save", {"review": "none"})
    assert Preference.objects.get().way == "none", "it is kept all the same"
    monkeypatch.setattr(config(), "email_url", "smtp://mail.example:25")
    assert "Placet sends no mail yet" not in shown(world)


def test_only_what_is_not_usual_is_a_choice(world: World) -> None:
    rex = browser(world.people["Rex"])
    rex.post("/notifications/save", {"review": "now", "watched": "now", "changes": "daily"})
    rows = Preference.objects.filter(person=world.rex.id).values_list("kind", "way")
    assert sorted(rows) == [("changes", "daily"), ("watched", "now")]
    rex.post("/notifications/save", {"review": "now", "watched": "daily", "changes": "daily"})
    assert [row.kind for row in Preference.objects.all()] == ["changes"]


def test_where_one_choice_is_wrong_none_is_kept(world: World) -> None:
    form = {"review": "none", "watched": "sometimes"}
    answer = browser(world.people["Rex"]).post("/notifications/save", form, follow=True)
    assert "One of now, daily, none, usual" in answer.content.decode()
    assert not Preference.objects.exists()


def test_a_project_can_have_a_choice_of_its_own(world: World) -> None:
    rex = browser(world.people["Rex"])
    form = {"project": "risk", "kind": "review", "way": "none"}
    rex.post("/notifications/project", form)
    page = shown(world)
    assert "Chosen for single projects" in page
    rex.post("/notifications/project", form | {"way": "usual"})
    assert not Preference.objects.exists()
    answer = rex.post("/notifications/project", form | {"way": "sometimes"}, follow=True)
    assert "One of now, daily, none, usual" in answer.content.decode()
    answer = rex.post("/notifications/project", form | {"project": ""}, follow=True)
    assert "Choose a project" in answer.content.decode()


def test_one_watches_a_project_and_a_release_where_they_are(world: World) -> None:
    release = world.request("staging")
    rex = browser(world.people["Rex"])
    at = f"/releases/{release.pk}/"
    assert "/watch" in rex.get(at).content.decode()
    rex.post(f"{at}watch")
    rex.post(f"{at}watch")
    assert f'action="{at}unwatch"' in rex.get(at).content.decode()
    rex.post("/projects/risk/watch")
    assert 'action="/projects/risk/unwatch"' in rex.get("/projects/risk/").content.decode()
    assert Watch.objects.filter(person=world.rex.id).count() == 2
    page = shown(world)
    assert "Release 1" in page
    assert "The whole project" in page
    rex.post("/projects/risk/unwatch")
    rex.post(f"{at}unwatch")
    assert "Not watched" in shown(world)
    assert "The whole project" not in shown(world)


def test_who_asked_for_a_release_watches_it_without_having_said_so(world: World) -> None:
    release = world.request("staging")
    at = f"/releases/{release.pk}/"
    ada = browser(world.people["Ada"])
    assert f'action="{at}unwatch"' in ada.get(at).content.decode()
    watch_release(release, is_on=False, actor=world.ada)
    assert f'action="{at}watch"' in ada.get(at).content.decode()


def test_nobody_sees_what_others_chose(world: World) -> None:
    choose("review", way="none", project=world.project, actor=world.rex)
    assert "Chosen for single projects" not in shown(world, "Rita")

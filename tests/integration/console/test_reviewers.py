"""What pages say of who was asked by name to review a release, and how somebody is asked there."""

import re
from datetime import timedelta

import pytest

from apps.governance.actions import request_review, update_environment
from apps.governance.models import Release, ReviewRequest
from placet.kernel.clock import now
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db


def shown(world: World, name: str, path: str) -> str:
    """Return what a page says to somebody of the world, with its times."""
    answer = browser(world.people[name]).get(path)
    assert answer.status_code == 200
    return " ".join(re.sub("<[^>]+>", " ", answer.content.decode()).split()).replace(" ,", ",")


def page_of(release: Release) -> str:
    return f"/releases/{release.pk}/"


def test_the_requester_asks_on_the_page_and_takes_it_back(world: World) -> None:
    release = world.request("staging")
    ada = browser(world.people["Ada"])
    assert "Request review… Nobody was asked by name" in shown(world, "Ada", page_of(release))
    chosen = {"reviewers": [world.rita.id], "review_days": "2"}
    answer = ada.post(page_of(release) + "reviewers/ask", chosen, follow=True)
    assert "Review requested." in answer.content.decode()
    said = shown(world, "Ada", page_of(release))
    assert "Rita risk Asked by Ada risk just now, due in 2 d" in said
    row = ReviewRequest.objects.get()
    ada.post(page_of(release) + f"reviewers/{row.pk}/remove")
    assert "Nobody was asked by name" in shown(world, "Ada", page_of(release))


def test_others_see_who_was_asked_and_choose_nobody(world: World) -> None:
    release = world.request("staging")
    assert "asked by name" not in shown(world, "Vera", page_of(release))
    request_review(release, reviewers=[world.rita.id], actor=world.ada)
    said = shown(world, "Vera", page_of(release))
    assert "Rita risk Asked by Ada risk" in said
    assert "Request review…" not in said and "Remove" not in said


def test_days_that_are_none_are_named_and_ask_nobody(world: World) -> None:
    release = world.request("staging")
    typed = {"reviewers": [world.rita.id], "review_days": "soon"}
    ada = browser(world.people["Ada"])
    answer = ada.post(page_of(release) + "reviewers/ask", typed, follow=True)
    assert 'data-fault-of="review_days"' in answer.content.decode()
    answer = ada.post(page_of(release) + "reviewers/ask", {}, follow=True)
    assert 'data-fault-of="reviewers"' in answer.content.decode()
    assert not ReviewRequest.objects.exists()


def test_who_is_overdue_is_marked_and_can_be_asked_again(world: World) -> None:
    release = world.request("staging")
    request_review(release, reviewers=[world.rita.id], review_days=1, actor=world.ada)
    ReviewRequest.objects.update(due_at=now() - timedelta(hours=3))
    said = shown(world, "Ada", page_of(release))
    assert "Review overdue" in said and "was due 3 h ago" in said and "Ask again…" in said
    assert "Ada risk asked you, was due 3 h ago" in shown(world, "Rita", "/inbox/")


def test_the_inbox_says_by_whom_one_was_asked_and_marks_nothing_else(world: World) -> None:
    release = world.request("staging")
    world.request("staging", endpoint="other")
    request_review(release, reviewers=[world.rita.id], review_days=2, actor=world.ada)
    said = shown(world, "Rita", "/inbox/")
    assert said.count("Ada risk asked you, due in 2 d") == 1
    assert "asked you" not in shown(world, "Rex", "/inbox/")


def test_the_form_of_a_request_offers_who_decides_and_keeps_what_was_chosen(world: World) -> None:
    bento = world.bento(world.version())
    said = shown(world, "Ada", f"/releases/new/?version={bento.version_id}")
    assert "Rita risk reviewer in staging" in said
    assert "Ada risk" not in said.split("Reviewers (optional)")[1].split("Submit request")[0]
    typed = {
        "version": bento.version_id,
        "environment": "staging",
        "endpoint": "churn",
        "reviewers": [world.rita.id],
        "review_days": "400",
    }
    ada = browser(world.people["Ada"])
    answer = " ".join(ada.post("/releases/request", typed).content.decode().split())
    assert "must be from 1 to 90 days" in answer
    assert f'value="{world.rita.id}" checked' in answer and 'value="400"' in answer
    ada.post("/releases/request", typed | {"review_days": "3"})
    assert ReviewRequest.objects.get().person == world.rita.id


def test_the_page_of_an_environment_says_how_long_who_is_asked_has(world: World) -> None:
    path = "/projects/risk/environments/staging/"
    assert "No due date, unless whoever asks gives one." in shown(world, "Rex", path)
    assert "Save due date" not in shown(world, "Rex", path)
    otto = browser(world.people["Otto"])
    revision = str(world.environment("staging").revision)
    typed = {"review_days": "3", "version": revision, "next": path}
    said = " ".join(otto.post(path + "reviews", typed, follow=True).content.decode().split())
    assert "Due in 3 days, unless whoever asks says otherwise." in said
    assert 'value="3"' in said and "Save due date" in said
    for wrong in ("91", "soon", "-1"):
        again = typed | {"review_days": wrong, "version": str(int(revision) + 1)}
        answer = otto.post(path + "reviews", again, follow=True)
        assert 'data-fault-of="review_days"' in answer.content.decode()
    otto.post(path + "reviews", typed | {"review_days": "7"})  # an old form
    assert world.environment("staging").review_days == 3
    otto.post(path + "reviews", typed | {"review_days": "", "version": str(int(revision) + 1)})
    assert world.environment("staging").review_days is None


def test_forms_say_until_when_people_are_asked_where_nothing_is_typed(world: World) -> None:
    release = world.request("staging")
    path = f"/releases/new/?version={release.version_id}"
    assert "Leave empty for no due date." in shown(world, "Ada", page_of(release))
    assert "the default in" not in shown(world, "Ada", path)
    update_environment(world.environment("staging"), review_days=3, actor=world.otto)
    said = "Leave empty for 3 days, the default in staging. 0 is no due date."
    assert said in shown(world, "Ada", page_of(release))
    assert said in shown(world, "Ada", path)
    ada = browser(world.people["Ada"])
    ada.post(page_of(release) + "reviewers/ask", {"reviewers": [world.rita.id]})
    assert "due in 3 d" in shown(world, "Ada", page_of(release))
    typed = {"reviewers": [world.rita.id], "review_days": "0"}
    ada.post(page_of(release) + "reviewers/ask", typed)
    assert ReviewRequest.objects.get().due_at is None


def test_the_form_of_a_request_asks_for_as_long_as_the_environment_says(world: World) -> None:
    update_environment(world.environment("staging"), review_days=3, actor=world.otto)
    bento = world.bento(world.version())
    typed = {"version": bento.version_id, "environment": "staging"}
    ada = browser(world.people["Ada"])
    asked = {"reviewers": [world.rita.id], "review_days": ""}
    ada.post("/releases/request", typed | asked | {"endpoint": "churn"})
    due = ReviewRequest.objects.get().due_at
    assert due and abs(due - now() - timedelta(days=3)) < timedelta(hours=1)
    ada.post("/releases/request", typed | {"review_days": "0", "endpoint": "other"})
    assert Release.objects.count() == 2, "no due date of nobody's review is nothing to refuse"

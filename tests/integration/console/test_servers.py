"""Whether BentoML or slim answers is said of each revision of an endpoint."""

import json
from typing import Any

import pytest

from apps.builds.models import Bento
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(story: Story) -> str:
    """An endpoint whose first revision BentoML served, the next two slim."""
    first = story.live()
    for _ in range(2):
        bento = story.world.bento(story.world.version())
        Bento.objects.filter(pk=bento.pk).update(slim=True)
        bento.refresh_from_db()
        story.live("development", bento, serving={"server": "slim"})
    return first.endpoint_id


def page(story: Story, path: str) -> str:
    """Return what a page says to Otto."""
    html = browser(story.people["Otto"]).get(path).content.decode()
    return " | ".join(text_of(html).splitlines())


def test_the_page_of_an_endpoint_says_it_of_what_runs_and_of_what_a_rollback_goes_to(
    story: Story, endpoint: str
) -> None:
    said = page(story, f"/endpoints/{endpoint}/")
    assert "| 3 | churn:3 | slim |" in said
    assert "| Server | slim" in said
    assert "2: churn:2, slim, standby" in said
    assert "1: churn:1, BentoML, " in said


def test_the_list_of_its_revisions_says_it_of_each(story: Story, endpoint: str) -> None:
    said = page(story, f"/endpoints/{endpoint}/revisions/")
    for line in ("3 | churn:3 | slim", "2 | churn:2 | slim", "1 | churn:1 | BentoML"):
        assert line in said, line


def test_the_dialog_that_goes_back_to_the_only_one_there_is_says_it(story: Story) -> None:
    first = story.live()
    story.live()
    said = page(story, f"/endpoints/{first.endpoint_id}/")
    assert "Revision 1 is served by BentoML." in said


def test_the_api_says_it(story: Story, endpoint: str) -> None:
    def asked(path: str) -> Any:
        answer = browser(story.people["Otto"]).get(f"/api/v1/endpoints/{endpoint}{path}")
        return json.loads(answer.content)

    assert asked("")["revisions"][0]["server"] == "slim"
    rows = asked("/revisions")["items"]
    assert [row["server"] for row in rows] == ["slim", "slim", "bentoml"]

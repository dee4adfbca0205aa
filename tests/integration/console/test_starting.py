"""Who starts a stopped endpoint can say why, by the page, the API and the command line alike; who
scales one is told so."""

from typing import Any

import pytest

from apps.audit.models import Event
from apps.governance.models import Release
from apps.serving.actions import stop_endpoint
from apps.serving.models import Endpoint
from placet_client.cli import main
from tests.support.commands import become
from tests.support.factories import api, browser
from tests.support.page_text import text_of
from tests.support.story import Story

WHY = "The lab has mended its units"
SAID = f"Started an endpoint by Otto risk | “{WHY}”"


@pytest.fixture
def path(story: Story, first_release: Release) -> str:
    """The path of an endpoint that Otto has stopped."""
    stop_endpoint(first_release.endpoint, reason="wrong units", actor=story.otto)
    return f"/endpoints/{first_release.endpoint_id}"


def said(story: Story, path: str) -> str:
    """Return what the page of an endpoint says, on one line."""
    answer = browser(story.people["Otto"]).get(f"{path}/")
    return " | ".join(text_of(answer.content.decode()).splitlines())


@pytest.mark.django_db
def test_the_dialog_takes_a_reason_that_stands_in_its_activity(story: Story, path: str) -> None:
    otto = browser(story.people["Otto"])
    assert 'id="start-why"' in otto.get(f"{path}/").content.decode()
    otto.post(f"{path}/do/start", {"reason": f"  {WHY} ", "next": f"{path}/"})
    row = Endpoint.objects.get()
    assert (row.state, row.reason) == ("active", WHY)
    assert SAID in said(story, path)
    assert WHY not in Event.objects.get(kind="endpoint.started.v1").body
    assert 'id="start-why"' not in otto.get(f"{path}/").content.decode(), "it is started"
    otto.post(f"{path}/do/stop", {"next": f"{path}/"})
    assert Endpoint.objects.get().reason == "", "why it was started says not why it is stopped"


@pytest.mark.django_db
def test_the_api_takes_a_reason_and_needs_none_to_start(story: Story, path: str) -> None:
    client = api(story.people["Otto"])
    assert client.post(f"{path}/start", {"why": WHY}).status_code == 400
    assert client.post(f"{path}/start", {"reason": WHY}).json()["state"] == "active"
    assert SAID in said(story, path)
    assert client.post(f"{path}/stop").status_code == 200
    assert client.post(f"{path}/start").status_code == 200
    assert Endpoint.objects.get().reason == ""


@pytest.mark.django_db(transaction=True)
def test_so_does_the_command_line(
    story: Story, path: str, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(story.world, "Otto", live_server.url, monkeypatch)
    assert main(["endpoint", "start", path.rpartition("/")[2], "--reason", WHY]) == 0
    assert SAID in said(story, path)


@pytest.mark.django_db
def test_who_scales_an_endpoint_is_told_to_how_many_replicas(
    story: Story, first_release: Release
) -> None:
    otto, path = browser(story.people["Otto"]), f"/endpoints/{first_release.endpoint_id}/"
    sent = {"replicas": "1", "next": path}
    answer = otto.post(f"{path}scale", sent, follow=True)
    assert "Scaled to 1 replica." in answer.content.decode()
    answer = otto.post(f"{path}scale", sent | {"replicas": "400"}, follow=True)
    assert "Scaled to" not in answer.content.decode()

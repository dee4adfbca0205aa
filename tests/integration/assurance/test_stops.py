"""Who had stopped an endpoint is in the API's deployments and their file, as on the page."""

import csv
import io

import pytest
from django.test import Client

from apps.assurance.actions import recall
from apps.audit.models import Event
from apps.governance.models import Release
from apps.serving.actions import start_endpoint, stop_endpoint
from placet.kernel.clock import rfc3339
from tests.support import factories
from tests.support.factories import browser
from tests.support.story import Story

pytestmark = pytest.mark.django_db


def test_the_api_and_the_csv_say_who_had_stopped_an_endpoint_as_the_page_does(
    story: Story, first_release: Release
) -> None:
    stop_endpoint(first_release.endpoint, reason="wrong units", actor=story.otto)
    event = Event.objects.get(kind="endpoint.stopped.v1")
    client = browser(story.people["Otto"])
    (row,) = client.get("/api/v1/deployments").json()["items"]
    by_hand = {"by": story.otto.id, "by_name": "Otto risk", "recalled": False, "recall": None}
    assert row["stopped"] == {"at": event.at, "event": event.index, **by_hand}
    (line,) = served_lines_of(client)
    assert (line["stopped_by"], line["stopped_event"]) == ("Otto risk", str(event.index))
    assert line["stopped_at"] and not line["stopped_by_recall"]
    start_endpoint(first_release.endpoint, actor=story.otto)
    (row,) = client.get("/api/v1/deployments").json()["items"]
    assert row["stopped"] is None


def test_the_api_and_the_csv_name_the_recall_that_stopped_an_endpoint_to_who_may_see_it(
    story: Story, first_release: Release
) -> None:
    story.people["Oda"] = factories.person("Oda", {"operator": None})
    oda = factories.actor_of(story.people["Oda"])
    wheel, runtime = "0" * 64, first_release.bento.runtime
    runtime.wheels = [{"name": "numpy-2.3.5-py3-none-any.whl", "sha256": wheel, "size": 1}]
    runtime.save()
    found = recall(kind="wheel", what=wheel, reason="CVE", actor=oda)
    story.settle()
    told = {}
    for who in ("Oda", "Otto"):
        client = browser(story.people[who])
        (row,) = client.get("/api/v1/deployments").json()["items"]
        (line,) = served_lines_of(client)
        stop = row["stopped"]
        assert (stop["by_name"], stop["recalled"], line["stopped_by"]) == ("Placet", True, "Placet")
        told[who] = (stop["recall"], line["stopped_by_recall"])
    assert told["Oda"][0] == {
        "id": found.pk,
        "by": oda.id,
        "by_name": "Oda",
        "at": rfc3339(found.created_at),
        "reason": "CVE",
        "withdrawn_at": None,
    }
    assert told["Oda"][1] == f"{found.pk} (by Oda)"
    assert told["Otto"] == (None, "a recall that is not visible to you")


def served_lines_of(client: Client) -> list[dict[str, str]]:
    """Return the lines of the file that takes away what serves now."""
    got = client.get("/api/v1/exports/deployments", {"format": "csv"})
    return list(csv.DictReader(io.StringIO(b"".join(got).decode("utf-8-sig"))))  # type: ignore[arg-type]

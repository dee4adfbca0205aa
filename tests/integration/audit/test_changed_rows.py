"""A row of the log that somebody wrote over is shown as that, and fails no page."""

import json
from typing import Any

import pytest
from django.test import Client

from apps.audit.models import Event
from apps.audit.queries.bodies import CHANGED
from apps.console.queries.object_names import object_names
from apps.governance.models import Release
from tests.integration.audit.test_tampering import sql
from tests.support.factories import actor_of, api, browser, person, project
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db

CARELESS = """
CREATE OR REPLACE FUNCTION audit_touched(body text) RETURNS text[] LANGUAGE sql IMMUTABLE
AS $$ SELECT ARRAY[body::jsonb ->> 'subject'] $$
"""  # of an index; ours would refuse states that are no object


@pytest.fixture
def release(world: World) -> Release:
    """A release on which somebody decided."""
    found = world.request("staging")
    world.decide(found, world.rex, comment="Good numbers")
    return found


def decided(release: Release) -> Event:
    return Event.objects.get(kind="release.decided.v1", subject=release.pk)


def write_over(event: Event, body: Any) -> None:
    """Put another body into the row of an event, as only a superuser can."""
    text = json.dumps(body).replace("'", "''")
    sql(CARELESS)
    sql(f"""UPDATE audit_event SET body = '{text}' WHERE "index" = {event.pk}""")


def pages(release: Release, event: Event) -> dict[str, str]:
    """Return what every page that shows an event says."""
    roles = {"auditor": None, "reviewer": release.project}
    client: Client = browser(person("Eve", roles))
    version = release.version
    return {
        path: text_of(client.get(path).content.decode())
        for path in (
            "/audit/",
            f"/audit/{event.pk}/",
            f"/releases/{release.pk}/",
            f"/models/risk/{version.model.name}/{version.number}/",
        )
        if client.get(path).status_code == 200
    }


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        "text",
        7,
        {"kind": "release.decided.v1"},
        {"kind": 7, "at": "yesterday", "data": [], "actor": None},
    ],
    ids=str,
)
def test_what_is_no_event_any_more_is_shown_as_changed(body: Any, release: Release) -> None:
    event = decided(release)
    write_over(event, body)
    said = pages(release, event)
    assert len(said) == 4
    assert CHANGED in said["/audit/"]
    assert CHANGED in said[f"/audit/{event.pk}/"]
    client = api(person("Ann", {"auditor": None}))
    items = client.get("/audit/events").json()["items"]
    assert CHANGED in [row["sentence"] for row in items]
    assert client.get(f"/audit/events/{event.pk}").status_code == 200
    for form in ("csv", "jsonl"):
        assert b"".join(client.get(f"/audit/export?format={form}"))


@pytest.mark.parametrize("after", [[], 7, "text", None, {"governance.release:x": 7}], ids=str)
def test_states_that_are_none_fail_no_page(after: Any, release: Release) -> None:
    event = decided(release)
    write_over(event, {**json.loads(event.body), "after": after})
    said = pages(release, event)
    assert len(said) == 4
    assert CHANGED in said["/audit/"]
    assert CHANGED in said[f"/audit/{event.pk}/"]


def test_one_word_that_was_changed_is_seen_in_lists_and_on_its_page(release: Release) -> None:
    event = decided(release)
    body = json.loads(event.body)
    write_over(event, {**body, "data": {**body["data"], "role": "approver"}})
    said = pages(release, event)
    assert CHANGED in said["/audit/"]
    assert CHANGED in said[f"/audit/{event.pk}/"]


def test_an_event_says_first_who_did_what_on_what_where_and_why(release: Release) -> None:
    event = decided(release)
    said = pages(release, event)[f"/audit/{event.pk}/"]
    for text in (
        "Actor\nRex risk",
        f"Object\nrelease {release.number} of churn:1 at churn · all its events",
        "Where\nRisk, staging",
        "Why\n“Good numbers”",
    ):
        assert text in said
    assert "statement" in said
    assert '"verdict": "approve"' in said
    assert "Rex risk ((id))" in said


def test_nobody_reads_names_of_what_they_may_not_see(release: Release, world: World) -> None:
    stranger = actor_of(person("Sam", {"viewer": project("other")}))
    ids = [release.pk, release.endpoint_id, release.version_id, world.target.pk]
    assert object_names(ids, stranger) == {}
    assert len(object_names(ids, actor_of(person("Eve", {"auditor": None})))) == 4

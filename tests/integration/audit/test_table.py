"""The table of the log for spreadsheets says what the pages say, to who may know it."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command

from apps.audit.actions import record, write_checkpoint
from apps.audit.models import Event
from apps.audit.queries.export import csv_lines, streamed
from apps.governance.events import RELEASE_ROLLED_BACK
from apps.identity.events import PROJECT_UPDATED
from placet.kernel.actor import SYSTEM, Actor, Grant, Scope
from tests.support.factories import actor_of, api, person
from tests.support.world import World

pytestmark = pytest.mark.django_db
TOLD = ["sentence", "actor_name", "about_name", "project_name"]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def told(world: World) -> World:
    """A release that Otto had rolled back, and a role that Vera was given."""
    release = world.request("staging")
    person("Vera & Co", {"viewer": world.project})
    with record(SYSTEM) as log:
        log.add(RELEASE_ROLLED_BACK, release, data={"number": 1, "asked_by": world.otto.id})
    return world


def test_it_ends_with_sentence_and_names_as_pages_have_them(told: World) -> None:
    client = api(person("Ed", {"auditor": told.project}))
    answer = client.get("/audit/export?format=csv", accept="text/csv")
    rows = table(b"".join(answer.streaming_content).decode())
    columns = list(rows[0])
    assert (columns[:3], columns[12:14]) == (["index", "at", "kind"], ["data", "leaf_hash"])
    assert columns[14:] == TOLD
    said = {row["kind"]: [row[name] for name in TOLD] for row in rows}
    assert said["release.rolled_back.v1"] == [
        "Release 1 was rolled back by Placet, asked by Otto risk",
        *("Placet", "release 1 of churn:1 at churn", "Risk"),
    ]
    given = "Gave Vera & Co the role viewer in Risk by Placet"
    assert given in [row["sentence"] for row in rows]


def test_who_may_not_see_a_name_does_not_get_it(told: World) -> None:
    reads = {Grant(one, Scope(told.project.pk)) for one in ("audit.view", "audit.export")}
    blind = replace(actor_of(person("Bo")), grants=frozenset(reads))
    text = "".join(csv_lines(streamed(Event.objects.all()), blind))
    assert "Vera" not in text
    rows = table(text)
    assert {row["about_name"] for row in rows} == {"", "Bo"}, "themselves they know"
    assert {row["project_name"] for row in rows} == {""}


def test_names_are_asked_for_in_batches(told: World, django_assert_num_queries: Any) -> None:
    with record(SYSTEM) as log:
        for _ in range(1100):
            log.add(PROJECT_UPDATED, told.project)
    ed: Actor = actor_of(person("Ed", {"auditor": told.project}))
    with django_assert_num_queries(1 + 3):
        assert len(list(csv_lines(streamed(Event.objects.all()), ed))) > 1100


def test_the_folder_for_outsiders_names_nobody(told: World, tmp_path: Any) -> None:
    write_checkpoint()
    call_command("audit", "export", str(tmp_path / "export"))
    text = (tmp_path / "export" / "events.csv").read_text()
    assert "Otto" not in text and not set(TOLD) & set(table(text)[0])

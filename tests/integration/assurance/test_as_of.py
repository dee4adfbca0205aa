"""Who approved what ran then: a story, asked about at every turn of it, and again afterwards."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from apps.assurance.actions import recall
from apps.audit.models import Event
from apps.governance.models import Decision, PolicyRevision, Release
from apps.rollouts import actions
from apps.serving.actions import start_endpoint, stop_endpoint
from apps.serving.models import Endpoint, Revision
from placet.kernel.clock import now, rfc3339
from placet_client.cli import main as placet
from tests.integration.audit.test_changed_rows import write_over
from tests.support import factories
from tests.support.commands import answer, become
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.story import Story

CANARY = {"strategy": "canary", "steps": [{"set_weight": 60}, {"pause": {}}]}
ONE, TWO = "churn:1", "churn:2"
Served = list[tuple[str, int, float]]  # what runs, its revision, its percentage


@dataclass
class Turns:
    """What was true at each instant of a story."""

    story: Story
    known: list[tuple[datetime, Served]] = field(default_factory=list)

    def note(self, *served: tuple[str, int, float]) -> None:
        """From now on this serves."""
        self.story.settle()
        self.known.append((now(), list(served)))


@pytest.fixture
def turns(story: Story) -> Turns:
    """Live, a canary, an abort, again and to the end, a rollback, a stop, a start, a recall."""
    told = Turns(story)
    told.known.append((now(), []))
    first = story.live("staging")
    told.note((ONE, 1, 100))
    second = story.release("staging", plan=CANARY)
    story.approve(second, by="Rita")
    told.note((TWO, 2, 60), (ONE, 1, 40))
    actions.abort(story.rollout(second), reason="worse", actor=story.otto)
    told.note((ONE, 1, 100))
    again = story.release("staging", second.bento)
    story.approve(again, by="Rita")
    told.note((TWO, 3, 100))
    actions.rollback(again.endpoint, actor=story.otto, reason="slow")
    told.note((ONE, 1, 100))
    stop_endpoint(first.endpoint, actor=story.otto)
    told.note()
    start_endpoint(first.endpoint, actor=story.otto)
    told.note((ONE, 1, 100))
    said = {"kind": "bento", "what": first.bento_id, "reason": "poisoned"}
    recall(**said, project=story.world.project, actor=story.otto)
    told.note()
    return told


def by_page(client: Client, at: datetime) -> Served:
    page = client.get("/deployments/", {"at": rfc3339(at)})
    assert page.status_code == 200
    served = re.findall(r"(\S+)\s+([\d.]+)%\s+revision (\d+)", text_of(page.content.decode()))
    return [(runs, int(number), float(share)) for runs, share, number in served]


def by_api(client: Client, at: datetime) -> Served:
    rows = client.get("/api/v1/deployments", {"at": rfc3339(at)}).json()["items"]
    found = [one for row in rows for one in row["revisions"]]
    return [(f"{r['model']}:{r['version']}", r["number"], r["percent"]) for r in found]


def by_export(client: Client, at: datetime) -> Served:
    got = client.get("/api/v1/exports/deployments", {"at": rfc3339(at), "format": "json"})
    rows = [row for row in json.loads(b"".join(got)) if row["revision"] is not None]  # type: ignore[arg-type]
    return [(f"{r['model']}:{r['version']}", r["revision"], r["percent"]) for r in rows]


def by_command(at: datetime, capsys: pytest.CaptureFixture[str]) -> Served:
    assert placet(["deployment", "list", "--at", rfc3339(at), "-o", "json"]) == 0
    found = [one for row in answer(capsys) for one in row["revisions"]]
    return [(f"{r['model']}:{r['version']}", r["number"], r["percent"]) for r in found]


def rewrite_rows() -> None:
    """Have every row of today say something else, past the actions."""
    Revision.objects.update(weight=0, state="failed", ended_at=now(), permit="{}", live_at=None)
    Endpoint.objects.update(state="stopped", stopped_at=None)
    Decision.objects.update(person="per_somebody", role="nobody", verdict="reject")
    Release.objects.update(state="failed", policy=PolicyRevision.objects.latest("pk"))


def approvals(client: Client, at: datetime) -> list[tuple[str, str, int]]:
    """Who approved what served, as what, and the policy revision that asked for it."""
    rows = client.get("/api/v1/deployments", {"at": rfc3339(at)}).json()["items"]
    served = [one for row in rows for one in row["revisions"]]
    return [(a["name"], a["role"], r["policy_number"]) for r in served for a in r["approvals"]]


@pytest.mark.django_db(transaction=True)
def test_every_instant_of_a_story_is_answered_rightly_and_the_same_everywhere(
    turns: Turns,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    django_assert_max_num_queries: Any,
) -> None:
    people = turns.story.people
    people["Eve"] = factories.person("Eve", roles={"auditor": None})
    client = browser(people["Eve"])
    become(turns.story.world, "Eve", live_server.url, monkeypatch)
    for at, served in turns.known:
        answers = [by_page(client, at), by_api(client, at), by_export(client, at)]
        assert [*answers, by_command(at, capsys)] == [served] * 4, at
    canary = turns.known[2][0]
    with django_assert_max_num_queries(12):
        by_page(client, canary)
    assert approvals(client, canary) == [("Rita risk", "reviewer", 1), ("Rex risk", "reviewer", 1)]
    before = [client.get("/api/v1/deployments", {"at": rfc3339(at)}) for at, _ in turns.known]
    rewrite_rows()
    after = [client.get("/api/v1/deployments", {"at": rfc3339(at)}) for at, _ in turns.known]
    assert [got.json() for got in after] == [got.json() for got in before]


def times_of(rows: list[dict[str, Any]]) -> list[list[Any]]:
    """Return when the share of each revision began and ended, the largest share first."""
    begun = [row["since"] for row in rows]
    return [begun, [row["until"] for row in rows], [row["started"] for row in rows]]


@pytest.mark.django_db(transaction=True)
def test_when_a_share_began_and_ended_is_said_alike_everywhere(
    turns: Turns,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    people, live, canary = turns.story.people, turns.known[1][0], turns.known[2][0]
    people["Eve"] = factories.person("Eve", roles={"auditor": None})
    client = browser(people["Eve"])
    become(turns.story.world, "Eve", live_server.url, monkeypatch)
    for at, started in ((canary, False), (turns.known[-2][0], True)):
        rows = client.get("/api/v1/deployments", {"at": rfc3339(at)}).json()["items"]
        told = times_of([one for row in rows for one in row["revisions"]])
        asked = {"at": rfc3339(at), "format": "json"}
        export = json.loads(b"".join(client.get("/api/v1/exports/deployments", asked)))  # type: ignore[arg-type]
        assert placet(["deployment", "list", "--at", rfc3339(at), "-o", "json"]) == 0
        printed = [one for row in answer(capsys) for one in row["revisions"]]
        assert [times_of(export), times_of(printed)] == [told, told]
        page = client.get("/deployments/", {"at": rfc3339(at)}).content.decode()
        (begun, over, is_started), word = told, "started" if started else "since"
        said = re.findall(
            rf"{word}\s+(\d{{4}}-\S+ \S+)\s+</div>\s+<div>until (\S+ \S+)</div>", page
        )
        assert said == [
            (a[:19].replace("T", " "), b[:19].replace("T", " "))
            for a, b in zip(begun, over, strict=True)
        ]
        assert set(is_started) == {started}
        assert all(datetime.fromisoformat(text) > live for text in begun)


def faults(client: Client, at: datetime) -> list[str]:
    """What pages and the API say is wrong with the answer."""
    page = text_of(client.get("/deployments/", {"at": rfc3339(at)}).content.decode())
    rows = client.get("/api/v1/deployments", {"at": rfc3339(at)}).json()["items"]
    said = [fault for row in rows for fault in row["faults"]]
    assert all(fault in page for fault in said)
    return said


@pytest.mark.django_db
@pytest.mark.parametrize("weight", ["0", "7000"])
def test_an_event_that_was_written_over_counts_for_nothing_and_is_named(
    story: Story, weight: str
) -> None:
    story.live("staging")
    story.settle()
    client = browser(factories.person("Eve", roles={"auditor": None}))
    at = now()
    assert (by_api(client, at), faults(client, at)) == ([(ONE, 1, 100)], [])
    moved = Event.objects.filter(kind="revision.changed.v1").latest("index")
    body = json.loads(moved.body)
    (row,) = (key for key in body["after"] if key.startswith("serving.revision:"))
    assert body["after"][row]["weight"] == 10_000
    body["after"][row]["weight"] = int(weight)
    write_over(moved, body)
    assert faults(client, at) == [f"Event {moved.pk} of revision 1 was changed after it was logged"]
    assert by_api(client, at) == by_page(client, at) == by_export(client, at)
    assert (ONE, 1, int(weight) / 100) not in by_api(client, at)


@pytest.mark.django_db
def test_a_permit_and_a_state_that_were_written_over_count_for_nothing(story: Story) -> None:
    first = story.live("staging")
    story.settle()
    client = browser(factories.person("Eve", roles={"auditor": None}))
    at = now()
    assert approvals(client, at)
    made = Event.objects.get(kind="endpoint.created.v1", subject=first.endpoint_id)
    added = Event.objects.get(kind="revision.added.v1", project=first.project_id)
    for event in (made, added):
        write_over(event, {**json.loads(event.body), "data": {"said": "otherwise"}})
    assert faults(client, at) == [
        f"Event {made.pk} of the endpoint was changed after it was logged",
        f"Event {added.pk} of revision 1 was changed after it was logged",
    ]
    assert approvals(client, at) == []
    (row,) = client.get("/api/v1/deployments", {"at": rfc3339(at)}).json()["items"]
    assert (row["state"], row["revisions"][0]["percent"]) == ("unknown", 100)

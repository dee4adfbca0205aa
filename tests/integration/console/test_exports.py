"""Every list can be taken away whole: what its reader may see, and no formula in it."""

import csv
import io
import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import lift, place_hold, recall
from apps.audit.actions.witnesses import add_witness
from apps.audit.models import Archive
from apps.console.queries.exports import TABLES
from apps.console.templatetags.placet import state_word
from apps.integrations.actions import add_stream, add_webhook
from apps.integrations.rules import StreamTerms, WebhookTerms
from apps.registry.actions import trust_signing_key
from apps.registry.models import RegisteredModel
from apps.serving.actions import allow_use, update_target
from apps.serving.models import Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support import break_glass, factories
from tests.support.database import owning_tables
from tests.support.enrolment import offered_passkey
from tests.support.factories import api, browser
from tests.support.signed_models import public_pem, signing_key
from tests.support.story import Story
from tests.support.world import World, listed

pytestmark = pytest.mark.django_db
PAGES = {
    "models": "/models/",
    "versions": "/models/risk/churn/",
    "releases": "/releases/",
    "endpoints": "/endpoints/",
    "targets": "/targets/",
    "policies": "/policies/",
    "tokens": "/tokens/",
    "passkeys": "/passkeys/",
    "streams": "/streams/",
    "webhooks": "/webhooks/",
    "duties": "/duties/",
    "recalls": "/recalls/",
    "glasses": "/break-glass/",
    "witnesses": "/audit/witnesses/",
    "holds": "/audit/retention/",
    "archives": "/audit/retention/",
    "signers": "/signing-keys/risk/",
}


def eve(world: World) -> Any:
    """Return somebody with a token who reads everything."""
    made = factories.person(
        "Eve", roles={"contributor": world.project, "auditor": None, "reviewer": None}
    )
    factories.token_for(made)
    offered_passkey(made)
    terms = StreamTerms("jsonl", "https://siem.example/in")
    add_stream(name="siem", terms=terms, actor=SYSTEM)
    add_webhook(name="hook", terms=WebhookTerms("https://hooks.example/in"), actor=SYSTEM)
    add_witness(name="shelf", kind="file", address="shelf", actor=SYSTEM)
    place_hold(name="case-1", scope="everything", reason="x", actor=SYSTEM)
    with owning_tables():
        Archive.objects.create(
            first=0,
            last=0,
            count=0,
            leaves="sha256:",
            size=1,
            file="sha256:00",
            bytes=1,
            older_than=now(),
        )
    trust_signing_key(
        world.project, label="churn-team", pem=public_pem(signing_key()), actor=SYSTEM
    )
    return made


def recalled(world: World) -> None:
    """Recall a Bento that somebody has asked for, and break the glass for another."""
    said = {"kind": "bento", "what": world.request("staging").bento_id, "reason": "x"}
    recall(**said, project=world.project, actor=world.otto)
    world.policy("staging", break_glass.POLICY + break_glass.SAID)
    break_glass.broken(world, world.request("staging", endpoint="urgent"))


def taken(who: Any, path: str) -> str:
    answer = api(who).get(path)
    assert answer.status_code == 200, path
    assert "attachment" in answer["Content-Disposition"]
    return b"".join(answer.streaming_content).decode()


def rows(who: Any, name: str, query: str = "") -> list[dict[str, Any]]:
    """Return an export, as JSON; its CSV must have the same columns and as many rows."""
    found: list[dict[str, Any]] = json.loads(taken(who, f"/exports/{name}?format=json{query}"))
    lines = list(csv.reader(io.StringIO(taken(who, f"/exports/{name}?format=csv{query}"))))
    assert lines[0] == list(TABLES[name].columns)
    assert len(lines) - 1 == len(found)
    assert all(len(line) == len(lines[0]) for line in lines)
    return found


@pytest.mark.parametrize("name", list(TABLES))
def test_each_list_holds_what_its_reader_may_see(world: World, name: str) -> None:
    world.live(bento=world.bento(world.version(), metrics={"auc": 0.9}))
    recalled(world)
    reader = eve(world)
    assert rows(reader, name)
    stranger = World("other").people["Ada"]
    assert all("churn" not in str(row) for row in rows(stranger, name))
    assert [r for r in rows(factories.person("Nina"), name) if name != "tokens"] == []


def test_rows_say_what_the_page_says(world: World) -> None:
    release = world.request("staging", world.bento(world.version(), metrics={"auc": 0.9}))
    world.decide(release, world.rex)
    reader = eve(world)
    assert rows(reader, "versions")[0]["metrics"] == {"auc": 0.9}
    assert rows(reader, "versions")[0]["artifact_digest"] == release.version.artifact_digest
    asked = rows(reader, "releases")[0]
    assert asked["decisions"] == ["Rex risk (reviewer): approve"]
    assert (asked["requested_by"], asked["bento"]) == ("Ada risk", release.bento_id)
    assert "secret_hash" not in taken(reader, "/exports/tokens?format=json")


def test_a_report_says_how_what_runs_is_kept_apart_and_who_may_use_which_target(
    story: Story,
) -> None:
    story.live(serving={"egress": ["db.example:5432"]})
    secret = factories.project("secret")
    listed(story.world.target, secret)
    olga = factories.person("Olga", roles={"operator": None})
    update_target(story.world.target, owner=olga.email, actor=SYSTEM)
    reader = story.people["Otto"]
    (found,) = rows(reader, "endpoints")
    assert (found["isolation"], found["egress"]) == ("socket", ["db.example:5432"])
    assert rows(reader, "endpoints", "&isolation=older") == []
    assert len(rows(reader, "endpoints", "&isolation=socket")) == 1
    (target,) = rows(reader, "targets")
    assert (target["network"], target["owner"]) == ("own", "Olga")
    own = ["risk", *(f"risk/{name}" for name in ("development", "production", "staging"))]
    assert (target["uses"], target["other_uses"]) == (own, 4)
    Revision.objects.update(serving={"replicas": 1, "memory_mb": 512})
    assert rows(reader, "endpoints")[0]["egress"] == ["the host's network"]
    Revision.objects.update(serving={"replicas": 1, "memory_mb": 512, "egress": []})
    assert rows(reader, "endpoints")[0]["egress"] == ["nothing"]
    for number in range(8):
        allow_use(story.world.target, project=secret, environment=f"later-{number}", actor=SYSTEM)
    everything = rows(factories.person("Vic", {"viewer": None}), "targets")[0]
    assert len(everything["uses"]) == 16, "all of them, not the first that the page shows"


def test_the_filters_of_the_page_hold(world: World) -> None:
    for place in (world, World("other")):
        place.live(bento=place.bento(place.version()))
        place.request("staging", place.bento(place.version("fraud")), endpoint="fraud")
    reader = factories.person("Eve", roles={"viewer": None})
    assert len(rows(reader, "models")) == 4
    assert {r["project"] for r in rows(reader, "models", "&project=risk")} == {"risk"}
    assert {r["model"] for r in rows(reader, "models", "&q=frau")} == {"fraud"}
    assert len(rows(reader, "versions", "&project=risk&model=fraud")) == 1
    assert {r["state"] for r in rows(reader, "releases", "&state=live")} == {"live"}
    assert {r["project"] for r in rows(reader, "endpoints", "&project=other")} == {"other"}
    assert {r["project"] for r in rows(reader, "policies", "&project=other")} == {"other"}
    assert api(reader).get("/exports/models?state=live").status_code == 400
    assert api(reader).get("/exports/models?format=xlsx").status_code == 400


def test_recalls_are_taken_away_by_the_state_that_the_page_has_chosen(world: World) -> None:
    kept = {"kind": "bento", "what": world.request("staging").bento_id, "reason": "x"}
    withdrawn = {**kept, "what": world.request("development").bento_id}
    made = [recall(**one, project=world.project, actor=world.otto) for one in (kept, withdrawn)]
    lift(made[1], reason="sound", actor=world.vera)
    reader = eve(world)
    words = {"standing": "recalled", "lifted": "withdrawn"}
    for row, (state, word) in zip(made, words.items(), strict=True):
        for asked in (state, word):
            found = rows(reader, "recalls", f"&state={asked}")
            assert {(one["recall"], one["state"]) for one in found} == {(row.pk, word)}
        assert state_word(state).lower() == word, "as the page has it"
        shown = browser(reader).get(f"/recalls/?state={state}").content.decode()
        assert f"exports/recalls?format=csv&amp;state={state}" in shown
    assert {one["recall"] for one in rows(reader, "recalls")} == {row.pk for row in made}
    assert api(reader).get("/exports/recalls?state=over").status_code == 400


def test_a_recall_that_reached_nothing_is_a_row_with_empty_columns(world: World) -> None:
    idle = {"kind": "version", "what": world.version("idle").pk, "reason": "x"}
    first = recall(**idle, project=world.project, actor=world.otto)
    used = {"kind": "bento", "what": world.request("staging").bento_id, "reason": "x"}
    second = recall(**used, project=world.project, actor=world.otto)
    person = {"kind": "person", "what": world.people["Vito"].pk, "reason": "x"}
    everywhere = recall(**person, actor=SYSTEM)
    reader = eve(world)
    found = {one["recall"]: one for one in rows(reader, "recalls")}
    assert list(found) == [everywhere.pk, second.pk, first.pk], "the newest first"
    assert (found[first.pk]["project"], found[everywhere.pk]["project"]) == ("risk", "")
    assert found[second.pk]["endpoint"] and not found[first.pk]["endpoint"]
    columns = list(found[first.pk])
    reached = columns[columns.index("project") + 1 :]
    assert [found[first.pk][name] for name in reached] == [None] * len(reached)
    assert [one["recall"] for one in rows(reader, "recalls", "&project=risk")] == [
        second.pk,
        first.pk,
    ]
    assert [one["recall"] for one in rows(reader, "recalls", f"&recall={first.pk}")] == [first.pk]
    assert rows(World("other").people["Ada"], "recalls") == []


def test_no_cell_is_a_formula(world: World) -> None:
    world.version()
    RegisteredModel.objects.update(description='=HYPERLINK("http://evil.example")')
    lines = list(csv.reader(io.StringIO(taken(eve(world), "/exports/models"))))
    assert lines[1][2] == '\'=HYPERLINK("http://evil.example")'
    assert not any(re.match(r"[=+\-@\t\r\n]", cell) for line in lines for cell in line)


def test_a_long_list_takes_as_many_queries_as_a_short_one(world: World) -> None:
    reader = api(eve(world))

    def queries(name: str) -> int:
        with CaptureQueriesContext(connection) as caught:
            b"".join(reader.get(f"/exports/{name}").streaming_content)
        return len(caught)

    world.live(bento=world.bento(world.version(), metrics={"auc": 0.9}))
    before = {name: queries(name) for name in TABLES}
    for number in range(4):
        world.request(
            "staging", world.bento(world.version(f"m{number}")), endpoint=f"waits-{number}"
        )
    assert {name: queries(name) for name in TABLES} == before
    assert max(before.values()) <= 12


def test_every_list_page_has_the_button_with_its_filters(world: World) -> None:
    world.live()
    recalled(world)
    client = browser(eve(world))
    for name, page in PAGES.items():
        shown = client.get(page).content.decode()
        assert f'href="/api/v1/exports/{name}?format=csv' in shown, page
        assert f'href="/api/v1/exports/{name}?format=json' in shown, page
    shown = client.get("/models/?q=churn&project=risk").content.decode()
    assert "format=csv&amp;project=risk&amp;q=churn" in shown
    shown = client.get("/audit/?kind=release&since=2026-11-01&people=1").content.decode()
    asked = "kind=release&amp;by_people=true&amp;since=2026-11-01T00%3A00%3A00%2B00%3A00"
    assert f"format=csv&amp;{asked}" in shown
    shown = client.get("/audit/?since=2026-11-01T08:30&until=2026-11-01").content.decode()
    assert 'value="2026-11-01T08:30:00"' in shown and 'value="2026-11-02T00:00:00"' in shown
    shown = client.get("/releases/?state=live").content.decode()
    assert "format=csv&amp;state=live" in shown


def test_long_lists_come_in_pages(world: World) -> None:
    for number in range(52):
        world.version(f"model-{number:02}")
    for _ in range(52):
        world.version("churn")
    client = browser(eve(world))

    def shown(path: str) -> list[str]:
        content = client.get(path).content.decode()
        return re.findall(r'<a\s+class="fw-medium[^"]*"\s+href="([^"]+)"', content)

    first = shown("/models/")
    following = re.search(
        r'href="(\?after=[^"]+)">\s*Next page', client.get("/models/").content.decode()
    )
    assert following
    second = shown("/models/" + following[1].replace("&amp;", "&"))
    assert (len(first), len(second)) == (50, 3)
    assert sorted(first + second) == first + second
    newest = shown("/models/risk/churn/")
    assert (newest[0], len(newest)) == ("/models/risk/churn/52/", 50)
    assert shown("/models/risk/churn/?after=3") == [
        "/models/risk/churn/2/",
        "/models/risk/churn/1/",
    ]
    for odd in ("?after=x", "?after=a/b/c", "?after=%27/%22"):
        assert client.get(f"/models/{odd}").status_code == 200
    assert client.get("/models/risk/churn/?after=x").status_code == 200

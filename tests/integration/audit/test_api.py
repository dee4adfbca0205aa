"""The log over REST: what an auditor reads, and what everybody may check."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.audit.actions import record, write_checkpoint
from apps.audit.events import event_kind
from apps.audit.models import Event
from apps.identity.models import Project, User
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.keystore import ring
from placet_verify.log import checkpoint, merkle, tlog_proof
from placet_verify.log.merkle import leaf_hash
from tests.support.factories import api, browser, person, project

CHANGED = event_kind("test.api_changed", "Changed the description")
pytestmark = pytest.mark.django_db


@pytest.fixture
def risk() -> Project:
    """A project whose description changed once."""
    risk = project("risk")
    with record(SYSTEM) as log:
        risk.description = "=cmd|' /C calc'!A0"
        risk.save()
        log.add(CHANGED, risk, data={"why": "=1+1"})
    return risk


@pytest.fixture
def auditor() -> User:
    return person("Audra", {"auditor": None})


@pytest.fixture
def local_auditor(risk: Project) -> User:
    """An auditor of the project ``risk`` alone."""
    return person("Lou", {"auditor": risk})


def leaves(client: Any) -> Iterator[dict[str, Any]]:
    start: int | None = 0
    while start is not None:
        page = client.get(f"/audit/leaves?from={start}&limit=3").json()
        yield from page["items"]
        start = page["next"]


def test_an_auditor_reads_every_event_and_filters_them(risk: Project, auditor: User) -> None:
    client = api(auditor)
    everything = client.get("/audit/events?limit=500").json()["items"]
    assert [e["index"] for e in everything] == list(range(Event.objects.count()))[::-1]
    changed = client.get(f"/audit/events?subject={risk.pk}&kind=test.api_changed").json()["items"]
    assert [e["sentence"] for e in changed] == ["Changed the description"]
    assert changed[0]["actor"]["kind"] == "system"
    hour = (now() + timedelta(hours=1)).isoformat().replace("+", "%2B")
    assert client.get(f"/audit/events?since={hour}").json()["items"] == []
    assert len(client.get(f"/audit/events?until={hour}&limit=1").json()["items"]) == 1
    assert client.get("/audit/events?actor=per_nobody").json()["items"] == []
    staging = f"/audit/events?subject=per_nobody&project={risk.pk}&environment=staging"
    assert client.get(staging).json()["items"] == []


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=2026-11-25T00:00:00", "page=2", "limit=0", "cursor=x"]
)
def test_a_filter_that_makes_no_sense_is_refused(auditor: User, query: str) -> None:
    assert api(auditor).get(f"/audit/events?{query}").status_code == 400


def test_pages_follow_each_other(risk: Project, auditor: User) -> None:
    client, seen, path = api(auditor), [], "/audit/events?limit=2"
    while path:
        page = client.get(path).json()
        seen += [e["index"] for e in page["items"]]
        cursor = page["next_cursor"]
        path = f"/audit/events?limit=2&cursor={cursor}" if cursor else ""
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == Event.objects.count()


def test_an_auditor_of_one_project_reads_that_project_alone(
    risk: Project, local_auditor: User
) -> None:
    project("other")
    client = api(local_auditor)
    found = client.get("/audit/events").json()["items"]
    assert {e["project"] for e in found} == {risk.pk}
    hidden = Event.objects.exclude(project=risk.pk).values_list("index", flat=True)[0]
    assert client.get(f"/audit/events/{hidden}").status_code == 404
    assert client.get(f"/audit/events/{hidden}/proof").status_code == 404


def test_who_audits_nothing_is_refused(risk: Project) -> None:
    viewer = api(person("Vera", {"viewer": risk}))
    assert viewer.get("/audit/events").status_code == 403
    assert viewer.get("/audit/export").status_code == 403
    assert viewer.get("/audit/events/0").status_code == 404


def test_an_event_shows_before_and_after(risk: Project, auditor: User) -> None:
    index = Event.objects.get(kind="test.api_changed.v1").index
    found = api(auditor).get(f"/audit/events/{index}").json()
    assert leaf_hash(found["body"].encode()).hex() == found["leaf_hash"]
    (change,) = found["changes"]
    assert change["key"] == f"identity.project:{risk.pk}"
    assert change["changed"] == ["description"]
    assert change["before"]["description"] == ""
    assert found["texts"][change["after"]["description"]] == "=cmd|' /C calc'!A0"
    assert api(auditor).get("/audit/events/99999999999999999999999").status_code == 404


def test_an_event_is_proven_once_a_checkpoint_covers_it(risk: Project, auditor: User) -> None:
    client = api(auditor)
    early = client.get("/audit/events/0/proof")
    assert (early.status_code, early.json()["code"]) == (409, "not_yet_signed")
    assert client.get("/audit/checkpoint").status_code == 404
    write_checkpoint()
    head = client.get("/audit/checkpoint").json()
    proof = client.get("/audit/events/0/proof").json()
    assert proof["note"] == head["note"]
    steps = [bytes.fromhex(h) for h in proof["hashes"]]
    leaf, root = bytes.fromhex(proof["leaf_hash"]), bytes.fromhex(head["root"])
    assert merkle.verify_inclusion(leaf, 0, proof["size"], steps, root)


def test_everybody_signed_in_can_check_the_tree_and_reads_only_what_they_may(
    risk: Project, local_auditor: User
) -> None:
    write_checkpoint()
    viewer = api(person("Vera", {"viewer": risk}))
    hidden = list(leaves(viewer))
    assert {leaf["body"] for leaf in hidden} == {None}
    hashes = [bytes.fromhex(leaf["leaf_hash"]) for leaf in hidden]
    size = viewer.get("/audit/checkpoint").json()["size"]
    root = viewer.get("/audit/checkpoint").json()["root"]
    assert merkle.root(hashes[:size]).hex() == root
    mine = [leaf for leaf in leaves(api(local_auditor)) if leaf["body"]]
    assert {json.loads(leaf["body"])["project"] for leaf in mine} == {risk.pk}
    grown = viewer.get(f"/audit/consistency?old=1&new={size}").json()
    steps = [bytes.fromhex(h) for h in grown["hashes"]]
    assert merkle.verify_consistency(1, size, hashes[0], bytes.fromhex(root), steps)


@pytest.mark.parametrize("query", ["", "?old=5&new=1", "?old=0&new=99999", "?old=-1", "?old=1e3"])
def test_sizes_that_make_no_sense_are_refused(risk: Project, query: str) -> None:
    viewer = api(person("Vera", {"viewer": risk}))
    assert viewer.get(f"/audit/consistency{query}").status_code == 400


def test_full_tiles_are_served(auditor: User) -> None:
    with record(SYSTEM) as log:
        for _ in range(256):
            log.add(CHANGED, subject="s")
    assert api(auditor).get("/audit/tiles/0/0").status_code == 404
    write_checkpoint()
    tile = api(auditor).get("/audit/tiles/0/0")
    assert tile.content[:32] == bytes(Event.objects.get(pk=0).leaf_hash)
    assert len(tile.content) == 256 * 32
    assert api(auditor).get("/audit/tiles/0/1").status_code == 404
    assert api(auditor).get("/audit/tiles/63/99999999999999999999").status_code == 404


def test_the_public_keys_are_served(risk: Project) -> None:
    viewer = api(person("Vera", {"viewer": risk}))
    envelope = viewer.get("/keys").json()
    assert envelope["payloadType"] == "application/vnd.placet.keys+json"


def test_an_export_holds_the_very_bytes_and_is_itself_an_event(
    risk: Project, auditor: User
) -> None:
    before = Event.objects.count()
    answer = api(auditor).get("/audit/export")
    lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert [line["index"] for line in lines] == list(range(before))
    assert all(leaf_hash(x["body"].encode()).hex() == x["leaf_hash"] for x in lines)
    last = Event.objects.order_by("-index")[0]
    assert (last.kind, last.actor_id) == ("audit.exported.v1", auditor.pk)
    assert json.loads(last.body)["data"] == {"format": "jsonl", "count": before}


def test_an_export_is_logged_where_its_events_are_of_and_says_nothing_that_was_asked(
    risk: Project, auditor: User
) -> None:
    toys = project("toys")
    eve = api(person("Eve", {"auditor": risk}))
    last = Event.objects.order_by("-index").values_list("index", flat=True)[0]

    eve.get(f"/audit/export?subject={toys.pk}")
    eve.get("/audit/export?person=Jane%20Doe")
    eve.get("/audit/export?project=toys")
    eve.get("/audit/export")
    api(auditor).get("/audit/export?kind=project.created")
    both = Event.objects.count()
    api(auditor).get("/audit/export")

    taken = Event.objects.filter(kind="audit.exported.v1", index__gt=last).order_by("index")
    said = [(one.project, json.loads(one.body)["data"]["count"]) for one in taken]
    own = Event.objects.filter(project=risk.pk, index__lte=last).count()
    created = sorted([(risk.pk, 1), (toys.pk, 1)])
    assert said[:3] == [(None, 0), (None, 0), (risk.pk, own)]
    assert sorted(said[3:5]) == created and said[5:] == [(None, both)]
    assert not Event.objects.filter(body__contains="Jane").exists()


def test_no_cell_of_a_csv_export_is_a_formula(risk: Project, auditor: User) -> None:
    from placet.kernel.csv_cells import cell

    with record(SYSTEM) as log:
        log.add(CHANGED, subject="=HYPERLINK(1)", data={})
        log.add(CHANGED, subject="@sum", data={})
    answer = api(auditor).get("/audit/export?format=csv&kind=test.api_changed", accept="text/csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [row["subject"] for row in rows] == [risk.pk, "'=HYPERLINK(1)", "'@sum"]
    for start in ("=", "+", "-", "@", "\t", "\r"):
        assert cell(f"{start}x") == f"'{start}x"
    assert (cell("x=1"), cell(None), cell(-1)) == ("x=1", "", "'-1")
    assert api(auditor).get("/audit/export?format=xls").status_code == 400


def test_a_refused_write_is_logged_with_its_route_and_nothing_the_client_wrote(
    risk: Project,
) -> None:
    vera = person("Vera", {"viewer": risk})
    before = Event.objects.count()
    assert api(vera).post("/projects", {"slug": "secret-words", "name": "n"}).status_code == 403
    assert api(vera).get("/audit/events").status_code == 403
    (event,) = Event.objects.filter(index__gte=before)
    body = json.loads(event.body)
    assert (event.kind, event.actor_id) == ("access.denied.v1", vera.pk)
    assert body["data"] == {"action": "forbidden", "route": "api/v1/projects", "method": "POST"}
    assert "secret-words" not in event.body


def test_a_write_that_a_page_refuses_is_logged_too(risk: Project) -> None:
    """Its answer is no 403: it leads back to the form, with a message."""
    vera = person("Vera", {"viewer": risk})
    before = Event.objects.count()
    answer = browser(vera).post("/targets/new", {"name": "mine", "capacity_mb": "100"})
    assert answer.status_code == 302
    (event,) = Event.objects.filter(index__gte=before, kind="access.denied.v1")
    data = {"action": "forbidden", "route": "targets/new", "method": "POST"}
    assert (event.actor_id, json.loads(event.body)["data"]) == (vera.pk, data)


def test_a_program_that_is_refused_in_a_loop_does_not_flood_the_log(risk: Project) -> None:
    vera = person("Vera", {"viewer": risk})
    client = api(vera)
    for _ in range(40):
        assert client.post("/projects", {"slug": "x", "name": "n"}).status_code == 403
    assert Event.objects.filter(kind="access.denied.v1").count() == 30


def test_the_log_and_the_jobs_are_shown_at_metrics(client: Any, auditor: User) -> None:
    from apps.jobs.actions import enqueue

    enqueue("t.metrics", queue="build")
    write_checkpoint()
    text = client.get("/metrics").content.decode()
    size = Event.objects.count()
    assert f"placet_audit_events {float(size)}" in text
    assert f"placet_audit_signed_events {float(size)}" in text
    assert 'placet_jobs_open{queue="build",state="queued"} 1.0' in text
    assert 'placet_jobs_oldest_due_seconds{queue="build"}' in text


def test_times_are_the_logs_own(risk: Project, auditor: User) -> None:
    newest = api(auditor).get("/audit/events?limit=1").json()["items"][0]
    assert newest["at"] <= rfc3339(now() + timedelta(seconds=5))


def test_an_event_is_taken_away_with_its_proof_in_one_file(risk: Project, auditor: User) -> None:
    with record(SYSTEM) as log:
        log.add(CHANGED, subject="s")
    index = Event.objects.order_by("-index")[0].index
    path = f"/audit/events/{index}/tlog-proof"
    assert api(auditor).get(path).json()["code"] == "not_yet_signed"
    write_checkpoint()
    answer = api(auditor).get(path)
    assert f'filename="{index}.tlog-proof"' in answer["Content-Disposition"]
    proof = tlog_proof.parse(answer.content.decode())
    signed = tlog_proof.verify(proof, checkpoint.log_keys(ring()), proof.extra)
    assert (proof.index, signed.size) == (index, Event.objects.count())
    assert proof.extra.decode() == Event.objects.get(pk=index).body
    assert api(person("Vera", {"viewer": risk})).get(path).status_code == 404


def test_a_page_of_leaves_ends_where_its_bodies_grow_long(
    risk: Project, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.audit.queries.leaves.MOST_BYTES", 5000)
    with record(SYSTEM) as log:
        for number in range(4):
            log.add(CHANGED, subject="s", project=risk.pk, data={"long": f"{number}" * 4000})
    size = Event.objects.count()
    page = api(auditor).get(f"/audit/leaves?from={size - 4}&limit=4").json()
    assert [leaf["index"] for leaf in page["items"]] == [size - 4, size - 3]
    assert page["next"] == size - 2
    found = list(leaves(api(auditor)))
    assert [leaf["index"] for leaf in found] == list(range(size))
    assert [leaf["body"] for leaf in found] == list(Event.objects.values_list("body", flat=True))
    hidden = api(person("Vera", {"viewer": risk})).get("/audit/leaves?limit=500").json()
    assert len(hidden["items"]) == size + 2, "bodies that nobody is shown take no room"


def test_a_list_of_events_reads_no_states_of_rows(risk: Project, auditor: User) -> None:
    """Hundreds of them may have megabytes each."""
    with record(SYSTEM) as log:
        for number in range(20):
            log.add(CHANGED, risk, data={"size": 1e22, "number": number})
            log.entries[-1].after["identity.project:x"] = {"long": "x" * 500_000}
    client = api(auditor)
    tracemalloc.start()
    try:
        items = client.get("/audit/events?kind=test.api_changed&limit=20").json()["items"]
        used = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [item["data"]["number"] for item in items] == list(range(20))[::-1]
    assert {item["data"]["size"] for item in items} == {10**22}
    assert used < 4_000_000

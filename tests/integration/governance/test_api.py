"""Governance over HTTP: what each person gets, from the request to the export of a decision."""

import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.governance.models import Decision, Release
from placet.kernel.keystore import ring
from placet_verify.permit.permit import Expected, permit
from tests.support import factories
from tests.support.factories import ApiClient, api
from tests.support.world import World

pytestmark = pytest.mark.django_db
STAGING = "/projects/risk/environments/staging"


def client(world: World, name: str) -> ApiClient:
    return api(world.people[name])


def ask(world: World, **changes: object) -> Release:
    bento = world.bento(world.version(), metrics={"auc": 0.95})
    body = {
        "model": "churn",
        "version": bento.version.number,
        "environment": "staging",
        "endpoint": "churn",
    }
    answer = client(world, "Ada").post("/projects/risk/releases", body | changes)
    assert answer.status_code == 201, answer.content
    assert answer["Location"] == f"/api/v1/releases/{answer.json()['id']}"
    return Release.objects.get(pk=answer.json()["id"])


def test_from_the_request_to_the_permit(world: World) -> None:
    release = ask(world, serving={"replicas": 2, "memory_mb": 512}, reason="Better on churn")
    rex = client(world, "Rex")
    assert [r["id"] for r in rex.get("/inbox").json()["items"]] == [release.pk]
    page = rex.get(f"/releases/{release.pk}").json()
    assert (page["can_decide"], page["you_decide_as"]) == (True, "reviewer")
    assert page["changes"]["metrics"][0]["proposed"] == 0.95
    body = {
        "verdict": "approve",
        "statement_digest": page["bound"]["request"],
        "comment": "Checked the gap",
    }
    made = rex.post(f"/releases/{release.pk}/decisions", body)
    assert (made.status_code, made.json()["comment"]) == (201, "Checked the gap")
    assert rex.get("/inbox").json()["items"] == []
    read = client(world, "Ada").get(f"/releases/{release.pk}/decisions").json()["items"]
    assert [(d["name"], d["role"], d["verdict"]) for d in read] == [
        ("Rex risk", "reviewer", "approve")
    ]
    document = client(world, "Otto").get(f"/releases/{release.pk}/permit")
    assert document["Content-Type"] == "application/json"
    release.refresh_from_db()
    expect = Expected(
        project=world.project.pk,
        environment="staging",
        endpoint=release.endpoint_id,
        bento_digest=release.bento_id,
        serving=release.serving,
        release=release.pk,
    )
    found = permit(document.content.decode(), ring(), expect=expect, starting_at=release.created_at)
    assert [d.person for d in found.decisions] == [world.people["Rex"].pk]
    listed = rex.get("/projects/risk/releases?state=approved&environment=staging").json()["items"]
    assert [r["id"] for r in listed] == [release.pk]


def test_openssl_alone_verifies_an_exported_decision(world: World, tmp_path: Path) -> None:
    release = ask(world)
    decision = world.decide(release, world.rex, comment="Checked")
    answer = client(world, "Ada").get(f"/decisions/{decision.pk}/export", accept="application/zip")
    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert sorted(archive.namelist()) == [
            "README.txt",
            "envelope.json",
            "key.pem",
            "pae.bin",
            "sig.bin",
            "statement.json",
        ]
        archive.extractall(tmp_path)
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "pae.bin",
        "-sigfile",
        "sig.bin",
    ]
    good = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Signature Verified Successfully" in good.stdout
    statement = json.loads((tmp_path / "statement.json").read_text())
    assert statement["predicate"]["person"] == world.people["Rex"].pk
    assert statement["predicate"]["request_digest"] == release.request_digest
    pae = bytearray((tmp_path / "pae.bin").read_bytes())
    pae[-10] ^= 1
    (tmp_path / "pae.bin").write_bytes(pae)
    bad = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert bad.returncode != 0


def test_a_token_asks_and_reads_but_never_decides(world: World) -> None:
    release = ask(world)
    rex = api(factories.token_for(world.people["Rex"]))
    assert rex.get(f"/releases/{release.pk}").json()["can_decide"] is False
    body = {"verdict": "approve", "statement_digest": release.request_digest}
    answer = rex.post(f"/releases/{release.pk}/decisions", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "needs_session")
    assert not Decision.objects.exists()


@pytest.mark.parametrize(
    "name,change,status,code",
    [
        ("Ada", {}, 403, "no_role"),
        ("Rex", {"statement_digest": "sha256:" + "0" * 64}, 409, "changed"),
        ("Rex", {"verdict": "maybe"}, 400, "invalid_input"),
        ("Rex", {"role": "approver"}, 400, "invalid_input"),
        ("Otto", {}, 403, "no_role"),
    ],
)
def test_a_decision_that_may_not_be_is_refused_with_its_code(
    world: World, name: str, change: dict[str, str], status: int, code: str
) -> None:
    release = ask(world)
    body = {"verdict": "approve", "statement_digest": release.request_digest} | change
    answer = client(world, name).post(f"/releases/{release.pk}/decisions", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"


def paths(world: World) -> list[tuple[str, str]]:
    release = ask(world)
    decision = world.decide(release, world.rex)
    freeze = client(world, "Vera").post(f"{STAGING}/freezes", {"reason": "x"}).json()["id"]
    one = f"/releases/{release.pk}"
    return [
        ("GET", one),
        ("GET", f"{one}/decisions"),
        ("POST", f"{one}/decisions"),
        ("GET", f"{one}/comments"),
        ("POST", f"{one}/comments"),
        ("POST", f"{one}/withdraw"),
        ("GET", f"{one}/permit"),
        ("GET", f"/decisions/{decision.pk}/export"),
        ("GET", STAGING),
        ("PATCH", STAGING),
        ("GET", f"{STAGING}/policies"),
        ("POST", f"{STAGING}/policies"),
        ("GET", f"{STAGING}/policies/1"),
        ("POST", f"{STAGING}/policies/1/publish"),
        ("POST", f"{STAGING}/policies/1/withdraw"),
        ("POST", f"{STAGING}/policies/1/dry-run"),
        ("POST", f"{STAGING}/policies/dry-run"),
        ("GET", f"{STAGING}/freezes"),
        ("POST", f"{STAGING}/freezes"),
        ("POST", f"{STAGING}/freezes/{freeze}/lift"),
        ("GET", "/projects/risk/releases"),
        ("POST", "/projects/risk/releases"),
        ("GET", "/projects/risk/environments"),
        ("POST", "/projects/risk/environments"),
    ]


def test_to_a_stranger_everything_of_another_project_is_404(world: World) -> None:
    other = factories.project("other")
    sam = factories.person("Sam", roles={"reviewer": other, "operator": other})
    stranger = api(sam)
    for method, path in paths(world):
        answer = stranger.call(method, path, {} if method != "GET" else None)
        assert (path, answer.status_code) == (path, 404)
    assert stranger.get("/releases").json()["items"] == []


def test_names_in_a_request_that_are_not_there_are_refused(world: World) -> None:
    other = World("other")
    foreign = other.bento(other.version())
    mine = world.bento(world.version())
    ada = client(world, "Ada")
    body = {"model": "churn", "version": 1, "environment": "staging", "endpoint": "churn"}
    for change, pointer in [
        ({"model": "nope"}, "/version"),
        ({"version": 9}, "/version"),
        ({"environment": "moon"}, "/environment"),
        ({"bento": foreign.digest}, "/bento"),
    ]:
        answer = ada.post("/projects/risk/releases", body | change)
        named = [error["pointer"] for error in answer.json()["errors"]]
        assert (change, answer.status_code, named) == (change, 400, [pointer])
    for change, status in [
        ({"endpoint": "end_" + "0" * 32}, 404),
        ({"target": "nope"}, 400),
        ({"plan": {"strategy": "x"}}, 400),
        ({"serving": {"gpu": 1}}, 400),
        ({"surprise": 1}, 400),
        ({"reason": "bell \u0007"}, 400),
    ]:
        answer = ada.post("/projects/risk/releases", body | change)
        assert (change, answer.status_code) == (change, status), answer.content
    assert ada.post("/projects/risk/releases", body | {"bento": mine.digest}).status_code == 201


def test_a_policy_is_tried_drafted_and_published_by_two_people(world: World) -> None:
    vera, vito = client(world, "Vera"), client(world, "Vito")
    ask(world)
    source = "version: 1\ngates: [{gate: expression, that: 'evidence.metrics.auc >= 0.9'}]\n"
    tried = vera.post(f"{STAGING}/policies/dry-run", {"source": source}).json()
    assert [(i["passes_now"], i["passes_then"]) for i in tried["items"]] == [(False, True)]
    assert tried["items"][0]["gates"][0]["reason"] == "0.95 ≥ 0.9"
    draft = vera.post(f"{STAGING}/policies", {"source": source})
    assert (draft.status_code, draft.json()["number"]) == (201, 2)
    path = draft["Location"].removeprefix("/api/v1")
    assert vera.post(f"{path}/publish").json()["code"] == "own_draft"
    assert vito.post(f"{path}/dry-run").json()["digest"] == draft.json()["digest"]
    assert vito.post(f"{path}/publish").json()["state"] == "published"
    assert vera.get(STAGING).json()["policy"] == 2
    assert vera.get(f"{path}").json()["document"]["gates"][0]["gate"] == "expression"


def test_mistakes_in_a_policy_come_back_with_their_lines(world: World) -> None:
    source = "version: 1\ngates:\n  - {gate: approvals, role: boss}\n"
    answer = client(world, "Vera").post(f"{STAGING}/policies", {"source": source})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_policy")
    assert answer.json()["errors"] == [
        {
            "pointer": "/source",
            "detail": "Line 3: gates[1].role must be one of: reviewer, "
            "product-reviewer, security-reviewer, approver",
        }
    ]


def test_where_requests_open_by_themselves_is_set_and_taken_back(world: World) -> None:
    otto, setting = client(world, "Otto"), {"after": "soaked", "to": "production"}
    read = otto.get(STAGING)
    assert read.json()["promote"] == {}
    refused = otto.patch(STAGING, {"promote": {"to": "production"}}, if_match=read["ETag"])
    assert refused.json()["errors"] == [{"pointer": "/promote/after", "detail": "must be soaked"}]
    changed = otto.patch(STAGING, {"promote": setting}, if_match=read["ETag"])
    assert (changed.status_code, changed.json()["promote"]) == (200, setting)
    listed = otto.get("/projects/risk/environments").json()["items"]
    assert [row["promote"] for row in listed if row["promote"]] == [setting]
    none = otto.patch(STAGING, {"promote": {}}, if_match=changed["ETag"])
    assert none.json()["promote"] == {}


def test_an_environment_is_changed_only_by_whoever_read_it_last(world: World) -> None:
    otto = client(world, "Otto")
    read = otto.get(STAGING)
    assert otto.patch(STAGING, {"position": 15}).status_code == 428
    changed = otto.patch(STAGING, {"position": 15}, if_match=read["ETag"])
    assert (changed.status_code, changed.json()["position"]) == (200, 15)
    stale = otto.patch(STAGING, {"position": 16}, if_match=read["ETag"])
    assert stale.status_code == 412
    made = otto.post("/projects/risk/environments", {"name": "edge", "targets": ["local"]})
    assert (made.status_code, made.json()["policy"]) == (201, None)
    assert otto.post("/projects/risk/environments", {"name": "edge"}).status_code == 409
    names = [e["name"] for e in otto.get("/projects/risk/environments").json()["items"]]
    assert names == ["development", "edge", "production", "staging"]


def test_a_freeze_is_set_and_lifted(world: World) -> None:
    vera, ada = client(world, "Vera"), client(world, "Ada")
    assert ada.post(f"{STAGING}/freezes", {"reason": "x"}).status_code == 403
    past = vera.post(f"{STAGING}/freezes", {"reason": "x", "ends_at": "2020-01-01T00:00:00Z"})
    assert past.status_code == 400
    freeze = vera.post(f"{STAGING}/freezes", {"reason": "Year end"}).json()
    assert ada.get(f"{STAGING}/freezes").json()["items"][0]["reason"] == "Year end"
    lifted = vera.post(f"{STAGING}/freezes/{freeze['id']}/lift")
    assert lifted.json()["lifted_at"] is not None
    assert vera.post(f"{STAGING}/freezes/{freeze['id']}/lift").status_code == 409


def test_a_comment_is_read_by_everybody_who_sees_the_release(world: World) -> None:
    release = ask(world)
    text = "<script>alert(1)</script> Is it & was it?"
    made = client(world, "Rita").post(f"/releases/{release.pk}/comments", {"text": text})
    assert made.status_code == 201
    read = client(world, "Ada").get(f"/releases/{release.pk}/comments").json()["items"]
    assert [(c["name"], c["text"]) for c in read] == [("Rita risk", text)]


def test_who_names_somebody_in_a_comment_on_a_release_reads_that_it_mentions_nobody(
    world: World,
) -> None:
    text = "@ada.risk, `@cache` and @nobody@example.com: mail me@example.com"
    made = client(world, "Rita").post(f"/releases/{ask(world).pk}/comments", {"text": text})
    told = made.json()["unmentioned"]
    assert [each["handle"] for each in told] == ["ada.risk", "nobody@example.com"]
    assert told[0]["reason"] == (
        "@ada.risk was not told: only a comment in a discussion mentions people"
    )


def test_the_requester_withdraws(world: World) -> None:
    release = ask(world)
    assert client(world, "Rex").post(f"/releases/{release.pk}/withdraw").status_code == 403
    answer = client(world, "Ada").post(f"/releases/{release.pk}/withdraw")
    assert answer.json()["state"] == "withdrawn"
    again = client(world, "Ada").post(f"/releases/{release.pk}/withdraw")
    assert (again.status_code, again.json()["code"]) == (409, "release_state")


def test_odd_filters_are_refused(world: World) -> None:
    ada = client(world, "Ada")
    assert ada.get("/releases?state=lively").status_code == 400
    assert ada.get("/releases?colour=red").status_code == 400
    assert ada.get("/releases?state=live&state=failed").status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        lambda r: "/releases",
        lambda r: "/inbox",
        lambda r: "/projects/risk/environments",
        lambda r: f"{STAGING}/policies",
        lambda r: f"{STAGING}/freezes",
        lambda r: f"/releases/{r.pk}",
        lambda r: f"/releases/{r.pk}/decisions",
        lambda r: f"/releases/{r.pk}/comments",
    ],
)
def test_no_page_needs_more_than_twelve_queries(
    world: World, path: Callable[[Release], str]
) -> None:
    world.policy("staging", "version: 1\ngates: [{gate: approvals, role: reviewer, count: 2}]\n")
    release = ask(world)
    for _ in range(2):
        ask(world)
        client(world, "Rita").post(f"/releases/{release.pk}/comments", {"text": "?"})
    world.decide(release, world.rex, comment="Yes")
    rita = client(world, "Rita")
    with CaptureQueriesContext(connection) as caught:
        assert rita.get(path(release)).status_code == 200
    assert len(caught) <= 12, "\n".join(q["sql"][:150] for q in caught)

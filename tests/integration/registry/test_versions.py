"""Models, versions, tags, cards, aliases: what a data scientist does all day."""

import threading

import pytest
from django.db import connections

from apps.audit.models import Event
from apps.audit.queries import unseal
from apps.registry import actions
from apps.registry.models import Alias, Hold, ModelVersion
from placet.kernel.actor import SYSTEM
from placet.kernel.problems import Forbidden, Stale
from tests.integration.registry.helpers import EXAMPLE, FACTS, SIGNATURE, Lab
from tests.support.factories import actor_of, api, grant, person, service_account, token_for

LONG = {f"p{n}": "x" * 9000 for n in range(200)}
CARD = "---\nlicense: apache-2.0\n---\n# Churn <script>x</script>\n"


def test_ada_registers_a_model_and_victor_reads_it(lab: Lab) -> None:
    answer = lab.api.post("/projects/risk/models", {"name": "fraud", "description": "Cards"})
    assert answer.status_code == 201
    assert answer["Location"] == "/api/v1/projects/risk/models/fraud"
    body = answer.json()
    assert (body["name"], body["project"], body["version_count"]) == ("fraud", "risk", 0)
    listed = api(lab.victor).get("/projects/risk/models").json()["items"]
    assert [item["name"] for item in listed] == ["fraud", "churn"]
    event = Event.objects.get(kind="model.created.v1", subject=body["id"])
    assert "Cards" not in event.body


def test_a_draft_says_no_more_in_two_requests_than_in_one(lab: Lab) -> None:
    at = lab.at(lab.draft())
    tag = lab.api.get(at)["ETag"]
    tag = lab.api.patch(at, {"parameters": LONG}, if_match=tag)["ETag"]
    columns = [{"name": f"{n}".rjust(190, "c"), "type": "double"} for n in range(2000)]
    wide = {
        "signature": {"inputs": columns, "outputs": columns},
        "example": None,
        "expected": None,
    }
    answer = lab.api.patch(at, wide, if_match=tag)
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["pointer"] == "/parameters"
    assert "may have 2 MiB together as JSON" in error["detail"]
    answer = lab.api.patch(at, wide | {"parameters": {}}, if_match=tag)
    assert answer.status_code == 200  # as many columns as a signature has, with long names


def test_a_draft_that_was_larger_before_is_still_read_and_tagged(lab: Lab) -> None:
    draft = lab.draft()
    at = lab.at(draft)
    ModelVersion.objects.filter(pk=draft.pk).update(parameters={"p": "x" * 3_000_000})
    shown = lab.api.get(at)
    assert len(shown.json()["parameters"]["p"]) == 3_000_000
    tagged = lab.api.put(f"{at}/tags", {"tags": {"team": "a"}}, if_match=shown["ETag"])
    assert tagged.status_code == 200
    answer = lab.api.patch(at, {"python_version": "3.13"}, if_match=tagged["ETag"])
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/parameters"]
    assert lab.api.patch(at, {"parameters": {}}, if_match=tagged["ETag"]).status_code == 200


def test_a_name_is_taken_once_per_project(lab: Lab) -> None:
    answer = lab.api.post("/projects/risk/models", {"name": "churn"})
    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")
    assert lab.api.post("/projects/risk/models", {"name": "Churn!"}).status_code == 400


@pytest.mark.parametrize("value", [0, 1.5, True])
def test_a_number_is_no_text(lab: Lab, value: object) -> None:
    answer = lab.api.post("/projects/risk/models", {"name": "n", "description": value})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/description"]


def test_victor_may_look_but_not_register(lab: Lab) -> None:
    client = api(lab.victor)
    assert client.post("/projects/risk/models", {"name": "x"}).status_code == 403
    assert client.post(f"{lab.address}/versions", {}).status_code == 403
    version = lab.draft()
    assert client.post(f"{lab.at(version)}/finalise").status_code == 403
    assert (
        client.post(
            f"{lab.at(version)}/evidence", {"kind": "metrics", "data": {"auc": 1}}
        ).status_code
        == 403
    )


def test_an_access_admin_sees_the_project_but_no_model(lab: Lab) -> None:
    admin = person("Ivan", roles={"admin": None})
    assert api(admin).get("/projects/risk/models").status_code == 403
    assert api(admin).get(lab.address).status_code == 404


def test_a_reviewer_of_one_environment_reads_the_models_of_the_project(lab: Lab) -> None:
    rex = person("Rex", roles={"reviewer": (lab.project, "production")})
    assert api(rex).get(lab.address).status_code == 200
    assert api(rex).get(lab.at(lab.draft())).status_code == 200


def test_a_description_changes_under_if_match(lab: Lab) -> None:
    first = lab.api.get(lab.address)
    assert lab.api.patch(lab.address, {"description": "a"}).status_code == 428
    changed = lab.api.patch(lab.address, {"description": "a"}, if_match=first["ETag"])
    assert changed.status_code == 200
    assert changed.json()["description"] == "a"
    assert changed["ETag"] != first["ETag"]
    stale = lab.api.patch(lab.address, {"description": "b"}, if_match=first["ETag"])
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")


def test_versions_are_numbered_and_start_as_drafts(lab: Lab) -> None:
    answer = lab.api.post(f"{lab.address}/versions", {**FACTS, "tags": {"team": "risk"}})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["number"], body["state"], body["files"]) == (1, "draft", [])
    assert body["signature"] == SIGNATURE
    assert body["author"] == lab.ada.pk
    assert lab.api.post(f"{lab.address}/versions", {}).json()["number"] == 2
    listed = lab.api.get(f"{lab.address}/versions").json()["items"]
    assert [item["number"] for item in listed] == [2, 1]
    assert lab.api.get(f"{lab.address}/versions?state=finalised").json()["items"] == []
    assert lab.api.get(f"{lab.address}/versions?state=odd").status_code == 400


def test_a_service_account_counts_as_its_owner(lab: Lab) -> None:
    robot = service_account("ci", lab.ada, roles={"contributor": lab.project})
    answer = api(token_for(robot)).post(f"{lab.address}/versions", {})
    assert answer.json()["author"] == lab.ada.pk
    assert answer.json()["created_by"] == robot.pk


@pytest.mark.django_db(transaction=True)
def test_ten_people_at_once_get_ten_numbers() -> None:
    lab = Lab()
    meet = threading.Barrier(10, timeout=30)

    def create() -> None:
        meet.wait()
        actions.create_version(lab.model, actor=lab.actor)
        connections.close_all()

    threads = [threading.Thread(target=create) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = ModelVersion.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 11))
    assert Event.objects.filter(kind="version.created.v1").count() == 10


def test_a_draft_is_edited_under_if_match_and_keeps_what_is_not_named(lab: Lab) -> None:
    version = lab.draft()
    tag = lab.api.get(lab.at(version))["ETag"]
    answer = lab.api.patch(lab.at(version), {"parameters": {"depth": 3}}, if_match=tag)
    assert answer.status_code == 200
    assert answer.json()["parameters"] == {"depth": 3}
    assert answer.json()["signature"] == SIGNATURE
    assert lab.api.patch(lab.at(version), {"parameters": {}}, if_match=tag).status_code == 412
    assert lab.api.patch(lab.at(version), {"parameters": {}}).status_code == 428


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("requirements", ["evil @ https://example.com/x.whl"], "/requirements/0"),
        ("requirements", ["numpy==2", "-r x"], "/requirements/1"),
        ("requirements", "numpy", "/requirements"),
        ("variables", ["MODE", "mode"], "/variables/1"),
        ("variables", ["MODE\n"], "/variables/0"),
        ("variables", ["LD_PRELOAD"], "/variables/0"),
        ("variables", ["MODE", "MODE"], "/variables/1"),
        ("variables", [f"M{n}" for n in range(51)], "/variables"),
        ("variables", "MODE", "/variables"),
        ("requirements", [["numpy"]], "/requirements/0"),
        ("signature", {"inputs": []}, "/signature"),
        ("signature", 7, "/signature"),
        ("example", [{"age": "old", "income": 1}], "/example/0/age"),
        ("example", [{"age": 2**53, "income": 1}], "/example/0/age"),
        ("expected", [1, 2], "/expected"),
        ("parameters", [1], "/parameters"),
        ("lineage", {"parent": "ver_" + "0" * 32}, "/lineage/parent"),
        ("format", "keras", "/format"),
        ("python_version", "2.7", "/python_version"),
        ("colour", "red", "/colour"),
    ],
)
def test_a_field_that_makes_no_sense_is_named(
    lab: Lab, field: str, value: object, pointer: str
) -> None:
    answer = lab.api.post(f"{lab.address}/versions", {**FACTS, field: value})
    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert not ModelVersion.objects.exists()


def test_a_parent_is_a_version_of_the_same_project(lab: Lab) -> None:
    parent = lab.draft()
    child = lab.draft(lineage={"parent": parent.pk})
    assert child.lineage == {"parent": parent.pk}


def test_tags_and_card_stay_editable_after_finalising(lab: Lab) -> None:
    version = lab.finalised()
    tag = lab.api.get(lab.at(version))["ETag"]
    address = lab.at(version)
    tagged = lab.api.put(f"{address}/tags", {"tags": {"team": "risk"}}, if_match=tag)
    assert tagged.json()["tags"] == {"team": "risk"}
    assert lab.api.put(f"{address}/card", {"card": CARD}, if_match=tag).status_code == 412
    carded = lab.api.put(f"{address}/card", {"card": CARD}, if_match=tagged["ETag"])
    assert carded.status_code == 200
    shown = lab.api.get(f"{address}/card").json()
    assert shown["card"] == CARD
    assert shown["data"] == {"license": "apache-2.0"}
    assert "<script" not in shown["html"]
    frozen = lab.api.patch(address, {"parameters": {}}, if_match=carded["ETag"])
    assert (frozen.status_code, frozen.json()["code"]) == (409, "not_draft")


def test_a_card_with_broken_front_matter_names_its_line(lab: Lab) -> None:
    version = lab.draft()
    tag = lab.api.get(lab.at(version))["ETag"]
    answer = lab.api.put(f"{lab.at(version)}/card", {"card": "---\na: [\n---\n"}, if_match=tag)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"].startswith("Line 2")


def test_the_log_holds_a_commitment_to_the_card_and_not_the_card(lab: Lab) -> None:
    version = lab.draft()
    actions.set_card(version, card="# About Jane Doe", actor=lab.actor)
    event = Event.objects.get(kind="version.card_changed.v1")
    assert "Jane" not in event.body
    import json

    state = json.loads(event.body)["after"][f"registry.modelversion:{version.pk}"]
    assert unseal(state["card"]) == "# About Jane Doe"


def test_an_alias_is_made_moved_and_deleted(lab: Lab) -> None:
    lab.finalised(b"one")
    lab.finalised(b"two")
    address = f"{lab.address}/aliases/champion"
    made = lab.api.put(address, {"version": 1})
    assert made.status_code == 201
    assert lab.api.put(address, {"version": 2}).status_code == 428
    moved = lab.api.put(address, {"version": 2}, if_match=made["ETag"])
    assert (moved.status_code, moved.json()["version"]) == (200, 2)
    assert lab.api.put(address, {"version": 1}, if_match=made["ETag"]).status_code == 412
    assert lab.api.get(f"{lab.address}/aliases").json()["items"][0]["name"] == "champion"
    assert lab.api.delete(address, if_match=moved["ETag"]).status_code == 204
    assert lab.api.get(address).status_code == 404
    assert lab.api.put(address, {"version": 1}, if_match=made["ETag"]).status_code == 412


def test_an_alias_names_a_finalised_version_of_its_model(lab: Lab) -> None:
    lab.draft()
    draft = lab.api.put(f"{lab.address}/aliases/champion", {"version": 1})
    assert draft.status_code == 422
    assert lab.api.put(f"{lab.address}/aliases/champion", {"version": 9}).status_code == 404
    lab.finalised()
    assert lab.api.put(f"{lab.address}/aliases/latest", {"version": 2}).status_code == 400


def test_an_alias_that_an_endpoint_manages_is_moved_by_releases_alone(lab: Lab) -> None:
    version, other = lab.finalised(b"one"), lab.finalised(b"two")
    actions.set_alias(lab.model, name="live", version=version, managed_by="end_1", actor=SYSTEM)
    address = f"{lab.address}/aliases/live"
    tag = lab.api.get(address)["ETag"]
    for answer in (
        lab.api.put(address, {"version": 2}, if_match=tag),
        lab.api.delete(address, if_match=tag),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "alias_managed")
    actions.set_alias(lab.model, name="live", version=other, actor=SYSTEM)
    alias = Alias.objects.get()
    assert (alias.version_id, alias.managed_by) == (other.pk, "end_1")
    with pytest.raises(Forbidden):
        actions.set_alias(
            lab.model, name="mine", version=other, managed_by="end_2", actor=lab.actor
        )


def test_two_people_who_saw_the_same_alias_move_it_once(lab: Lab) -> None:
    one, two = lab.finalised(b"one"), lab.finalised(b"two")
    actions.set_alias(lab.model, name="a", version=one, actor=lab.actor, if_version="")
    with pytest.raises(Stale):
        actions.set_alias(lab.model, name="a", version=two, actor=lab.actor, if_version="")


def test_holds_are_placed_once_and_by_the_system(lab: Lab) -> None:
    version = lab.finalised()
    for _ in range(2):
        actions.place_hold(version, reason="live", holder="end_1", actor=SYSTEM)
    assert [hold.reason for hold in Hold.objects.filter(version=version)] == ["live"]
    with pytest.raises(Forbidden):
        actions.place_hold(version, reason="live", holder="end_2", actor=lab.actor)
    actions.release_hold(version, reason="live", holder="end_1", actor=SYSTEM)
    actions.release_hold(version, reason="live", holder="end_1", actor=SYSTEM)
    assert not Hold.objects.exists()
    assert Event.objects.filter(kind__startswith="hold.").count() == 2


def test_two_versions_are_compared(lab: Lab) -> None:
    one = lab.finalised(b"one", parameters={"depth": 3}, card="a\nb")
    actions.add_evidence(one, kind="metrics", data={"auc": 0.75}, actor=lab.actor)
    two = lab.finalised(
        b"two",
        parameters={"depth": 4},
        card="a\nc",
        requirements=["scikit-learn==1.8.0"],
        signature={**SIGNATURE, "outputs": [{"name": "prediction", "type": "double"}]},
    )
    actions.add_evidence(two, kind="metrics", data={"auc": 1.0}, actor=lab.actor)
    answer = api(lab.victor).get(f"{lab.address}/versions/1/compare/2")
    assert answer.status_code == 200
    body = answer.json()
    assert body["metrics"] == [
        {"name": "auc", "before": 0.75, "after": 1.0, "state": "changed", "change": 0.25}
    ]
    assert body["parameters"][0]["after"] == 4
    assert body["requirements"][0]["before"] == "==1.7.2"
    assert body["outputs"][0]["after"] == "double"
    assert body["files"][0]["state"] == "changed"
    assert body["card"][-2:] == ["-b", "+c"]
    assert (body["datasets"], body["code"]) == ([], [])
    assert (body["a"]["label"], body["b"]["label"]) == ("churn:1", "churn:2")
    assert lab.api.get(f"{lab.address}/versions/1/compare/9").status_code == 404


def test_everything_of_another_project_is_hidden(lab: Lab) -> None:
    version = lab.finalised()
    evidence = actions.add_evidence(version, kind="metrics", data={"a": 1}, actor=lab.actor)
    actions.set_alias(lab.model, name="champion", version=version, actor=lab.actor)
    upload = lab.start(lab.draft(), "x.pkl", b"x")
    client, at = api(lab.stranger), lab.at(version)
    tag = {"if_match": '"x"'}
    answers = {
        "models": client.get("/projects/risk/models"),
        "create model": client.post("/projects/risk/models", {"name": "x"}),
        "model": client.get(lab.address),
        "edit model": client.patch(lab.address, {"description": "x"}, **tag),
        "versions": client.get(f"{lab.address}/versions"),
        "create version": client.post(f"{lab.address}/versions", {}),
        "version": client.get(at),
        "edit version": client.patch(at, {"parameters": {}}, **tag),
        "finalise": client.post(f"{at}/finalise"),
        "tags": client.put(f"{at}/tags", {"tags": {}}, **tag),
        "card": client.get(f"{at}/card"),
        "set card": client.put(f"{at}/card", {"card": ""}, **tag),
        "file": client.get(f"{at}/files/model.joblib"),
        "delete file": client.delete(f"{at}/files/model.joblib", **tag),
        "uploads": client.get(f"{at}/uploads"),
        "start upload": client.post(f"{at}/uploads", {"path": "a", "size": 1, "sha256": "0" * 64}),
        "upload": client.get(f"/uploads/{upload.pk}"),
        "chunk": client.patch(
            f"/uploads/{upload.pk}",
            raw=b"x",
            upload_offset="0",
            content_type="application/offset+octet-stream",
        ),
        "finish": client.post(f"/uploads/{upload.pk}/finish"),
        "cancel": client.delete(f"/uploads/{upload.pk}", **tag),
        "evidence": client.get(f"{at}/evidence"),
        "one evidence": client.get(f"{at}/evidence/{evidence.pk}"),
        "add evidence": client.post(f"{at}/evidence", {"kind": "metrics", "data": {"a": 1}}),
        "aliases": client.get(f"{lab.address}/aliases"),
        "alias": client.get(f"{lab.address}/aliases/champion"),
        "set alias": client.put(f"{lab.address}/aliases/champion", {"version": 1}, **tag),
        "delete alias": client.delete(f"{lab.address}/aliases/champion", **tag),
        "compare": client.get(f"{lab.address}/versions/1/compare/1"),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        answers, 404
    )
    assert upload.version.files.count() == 0


def test_ids_of_another_project_do_not_work_through_ones_own(lab: Lab) -> None:
    version = lab.finalised()
    evidence = actions.add_evidence(version, kind="metrics", data={"a": 1}, actor=lab.actor)
    actor = actor_of(lab.stranger)
    theirs = next(g.scope.project for g in actor.grants if g.scope.project)
    model = actions.create_model(
        type(lab.project).objects.get(pk=theirs), name="churn", actor=actor
    )
    actions.create_version(model, actor=actor)
    client = api(lab.stranger)
    base = "/projects/elsewhere/models/churn/versions/1"
    assert client.get(base).status_code == 200
    assert client.get(f"{base}/evidence/{evidence.pk}").status_code == 404
    answer = client.post(
        "/projects/elsewhere/models/churn/versions", {"lineage": {"parent": version.pk}}
    )
    assert answer.json()["errors"][0]["pointer"] == "/lineage/parent"


def test_ada_without_the_role_can_neither_write_nor_read_any_more(lab: Lab) -> None:
    from apps.identity.models import RoleBinding

    version = lab.draft()
    RoleBinding.objects.filter(person=lab.ada).delete()
    assert lab.api.get(lab.at(version)).status_code == 404
    grant(lab.ada, {"viewer": lab.project})
    assert lab.api.post(f"{lab.at(version)}/finalise").status_code == 403


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff\xfe",
        b'{"name": "a", "name": "b"}',
        b'{"name": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"name": NaN}',
        b"[]",
        b'"text"',
    ],
)
def test_json_that_readers_disagree_about_is_refused(lab: Lab, raw: bytes) -> None:
    answer = lab.api.post("/projects/risk/models", raw=raw)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_a_huge_body_is_refused(lab: Lab) -> None:
    raw = b'{"name": "a", "description": "' + b"x" * (3 * 1024**2) + b'"}'
    assert lab.api.post("/projects/risk/models", raw=raw).status_code == 413


def test_an_example_waits_for_the_signature_of_the_files(lab: Lab) -> None:
    version = lab.draft(signature=None, example=EXAMPLE, expected=None)
    assert version.example == EXAMPLE

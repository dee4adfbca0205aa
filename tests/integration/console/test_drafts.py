"""A version made by upload in the browser: each part of a draft, and what is refused of it."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import escape

from apps.audit.models import Event
from apps.builds.models import Build
from apps.console.queries.draft.forms import card_template
from apps.registry.actions import (
    add_evidence,
    copy_facts,
    create_version,
    discard_draft,
    edit_draft,
    receive_chunk,
    set_card,
    start_upload,
)
from apps.registry.models import ArtifactFile, Evidence, ModelVersion, Upload
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from placet.kernel.problems import NotFound
from tests.support import factories
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db
TREES = (
    b"tree\nversion=v4\nnum_class=1\nmax_feature_idx=1\nobjective=regression\n"
    b"feature_names=age income\n\n"
)
COLUMNS = {
    "inputs.name": ["age", "note"],
    "inputs.type": ["long", "string"],
    "inputs.shape": ["", ""],
    "inputs.required": ["yes", "no"],
    "inputs.tags": ["personal", ""],
    "inputs.example": ["41", "likes tea"],
    "outputs.name": ["prediction"],
    "outputs.type": ["double"],
    "outputs.shape": [""],
    "outputs.tags": [""],
    "expected": "0.25",
}


@pytest.fixture
def draft(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelVersion:
    """A draft that Ada has just begun, in a store of its own."""
    monkeypatch.setattr(config(), "data_dir", tmp_path)
    return create_version(world.version().model, actor=world.ada)


@pytest.fixture
def ada(world: World) -> Client:
    """A data scientist's browser."""
    return browser(world.people["Ada"])


def place(version: ModelVersion, rest: str = "") -> str:
    return f"/models/{version.project.slug}/{version.model.name}/{version.number}/draft/{rest}"


def send(client: Client, version: ModelVersion, part: str, data: dict[str, Any]) -> str:
    """Save a part; return the page behind it, without the rows that scripts add."""
    answer = client.post(place(version, f"save/{part}"), data, follow=True)
    assert answer.status_code == 200
    return re.sub(r"(?s)<template>.*?</template>", "", answer.content.decode())


def test_that_data_needs_its_digest_is_said_before_it_is_typed(
    draft: ModelVersion, ada: Client
) -> None:
    shown = " ".join(ada.get(place(draft)).content.decode().split())
    hint = re.search(r'aria-describedby="(datasets-hint)".*?id="\1">(.*?)</div>', shown)
    assert hint is not None
    assert "Each needs a name or address, and the SHA-256 of the data" in hint[2]


@pytest.mark.parametrize("side", ["inputs", "outputs"])
@pytest.mark.parametrize("typed", [{}, COLUMNS])
def test_a_row_is_added_to_either_side(
    draft: ModelVersion, ada: Client, side: str, typed: dict[str, Any]
) -> None:
    shown = send(ada, draft, "signature", typed | {"more": side})
    assert shown.count(f'name="{side}.name"') == len(typed.get(f"{side}.name", ())) + 1


def add(client: Client, version: ModelVersion, name: str, content: bytes) -> str:
    """Send one file as a form without a script does; return the page behind it."""
    file = SimpleUploadedFile(name, content)
    data = {"files": [file], "next": place(version)}
    return client.post(place(version, "files"), data, follow=True).content.decode()


def test_a_contributor_begins_a_version_and_comes_back_to_it(world: World, ada: Client) -> None:
    model = world.version().model
    answer = ada.post(f"/models/{model.project.slug}/{model.name}/new")
    version = model.versions.get(state="draft")
    assert answer["Location"] == place(version)
    assert version.author == world.people["Ada"].pk
    shown = ada.get(place(version)).content.decode()
    assert "Upload at least one file" in shown
    assert Event.objects.filter(kind="version.created.v1", subject=version.pk).exists()
    assert place(version) in ada.get(place(version).removesuffix("draft/")).content.decode()


def test_who_may_not_is_told_why(world: World, draft: ModelVersion) -> None:
    reader = browser(world.people["Rex"])
    model = reader.get(f"/models/{draft.project.slug}/{draft.model.name}/").content.decode()
    assert "can register versions" in model
    assert "New version" not in model
    shown = reader.get(place(draft)).content.decode()
    assert "You can't edit this draft" in shown
    assert "Finalise and build" not in shown
    send(reader, draft, "card", {"card": "# Mine", "next": place(draft)})
    draft.refresh_from_db()
    assert draft.card == ""


def test_a_thief_of_another_project_finds_nothing(world: World, draft: ModelVersion) -> None:
    upload = start_upload(draft, path="a.onnx", size=3, sha256="a" * 64, actor=world.ada)
    there = factories.project("elsewhere")
    thief = browser(factories.person("Thea", {"contributor": there}))
    for rest in ("files", "files/remove", "finish", "save/card"):
        assert thief.post(place(draft, rest)).status_code == 404, rest
    assert thief.get(place(draft)).status_code == 404
    assert thief.post(f"/uploads/{upload.pk}/cancel").status_code == 404
    assert Upload.objects.get().pk == upload.pk


def test_an_upload_is_given_up(world: World, draft: ModelVersion, ada: Client) -> None:
    upload = start_upload(draft, path="a.onnx", size=3, sha256="a" * 64, actor=world.ada)
    browser(world.people["Rex"]).post(f"/uploads/{upload.pk}/cancel")
    assert Upload.objects.exists()
    ada.post(f"/uploads/{upload.pk}/cancel")
    assert not Upload.objects.exists()


def test_a_plain_form_sends_small_files(world: World, draft: ModelVersion, ada: Client) -> None:
    shown = add(ada, draft, "model.txt", TREES)
    assert ArtifactFile.objects.get(version=draft).path == "model.txt"
    assert "lightgbm" in shown
    assert 'value="income"' in shown  # the signature as the file tells it
    assert "another file at model.txt" in add(ada, draft, "model.txt", b"tree\nother")
    assert "Choose at least one file" in (
        ada.post(place(draft, "files"), {"next": place(draft)}, follow=True).content.decode()
    )
    ada.post(place(draft, "files/remove"), {"path": "model.txt"})
    assert not ArtifactFile.objects.filter(version=draft).exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mod:el.txt", "may not hold any of"),
        ("con.txt", "choose another"),
        ("a<b>.txt", "a&lt;b&gt;.txt: "),
    ],
)
def test_an_odd_name_is_refused_in_the_sentence_of_the_server(
    draft: ModelVersion, ada: Client, name: str, why: str
) -> None:
    shown = add(ada, draft, name, TREES)
    assert why in shown
    assert "&lt;div" not in shown
    assert not ArtifactFile.objects.filter(version=draft).exists()


def test_what_is_too_large_is_said_before_and_refused(
    world: World, draft: ModelVersion, ada: Client
) -> None:
    world.project.artifact_quota = 1000
    world.project.save(update_fields=["artifact_quota"])
    shown = ada.get(place(draft)).content.decode()
    assert "uses 0 B of 1" in shown
    assert 'data-room="1000"' in shown
    assert "may keep 1,000 bytes" in add(ada, draft, "model.txt", b"x" * 1001)
    large = SimpleUploadedFile("model.txt", b"x" * (config().max_body_bytes + 1))
    assert ada.post(place(draft, "files"), {"files": [large]}).status_code == 413


def test_a_file_that_was_cut_is_shown_with_what_is_here(
    world: World, draft: ModelVersion, ada: Client
) -> None:
    upload = start_upload(draft, path="m.onnx", size=3000, sha256="a" * 64, actor=world.ada)
    receive_chunk(upload, offset=0, stream=BytesIO(b"x" * 1000), length=1000, actor=world.ada)
    shown = ada.get(place(draft)).content.decode()
    assert "1.0 kB of 3.0 kB uploaded" in shown or "1 kB of 3 kB uploaded" in shown
    assert "m.onnx: Its upload has 1000 of 3000 bytes" in shown


def test_a_signature_is_typed_into_a_table(draft: ModelVersion, ada: Client) -> None:
    assert "Saved." in send(ada, draft, "signature", COLUMNS)
    draft.refresh_from_db()
    assert draft.signature == {
        "inputs": [
            {"name": "age", "type": "long", "tags": ["personal"]},
            {"name": "note", "type": "string", "required": False},
        ],
        "outputs": [{"name": "prediction", "type": "double"}],
    }
    assert draft.example == [{"age": 41, "note": "likes tea"}]
    assert draft.expected == [0.25]
    shown = ada.get(place(draft)).content.decode()
    assert 'value="likes tea"' in shown
    assert 'value="personal"' in shown


TWO = COLUMNS | {
    "outputs.name": ["label", "chances"],
    "outputs.type": ["long", "double"],
    "outputs.shape": ["", "2"],
    "outputs.tags": ["", ""],
}


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("2", '{"label": 1, "chances": [0.5, 0.5]}'),
        ('{"label": 2}', "chances: This output is missing, such as [0.5, 0.5]"),
        ('{"label": 2, "chances": 0.5}', "chances: Must be a list of shape [2] in brackets"),
        ('{"label": "two", "chances": [0, 1]}', "label: Must be a long, such as 1"),
        ('{"label": 2, "chances": [0, 1], "x": 1}', "x: The signature has no such output"),
    ],
)
def test_an_expected_output_that_no_service_gives_is_refused_in_its_right_form(
    draft: ModelVersion, ada: Client, expected: str, said: str
) -> None:
    add(ada, draft, "model.txt", TREES)
    shown = send(ada, draft, "signature", TWO | {"expected": expected})
    draft.refresh_from_db()
    assert draft.expected is None
    assert escape(said) in shown
    right = {"expected": '{"label": 2, "chances": [0, 1]}'}
    assert "Saved." in send(ada, draft, "signature", TWO | right)


def test_a_list_may_be_typed_without_its_brackets(draft: ModelVersion, ada: Client) -> None:
    shape = {"inputs.shape": ["3", ""], "inputs.type": ["float", "string"], "outputs.shape": ["2"]}
    typed = {"inputs.example": ["5.8, 2.8, 5", "tea"], "expected": "1, 0.5"}
    assert "Saved." in send(ada, draft, "signature", COLUMNS | shape | typed)
    draft.refresh_from_db()
    assert draft.example == [{"age": [5.8, 2.8, 5], "note": "tea"}]
    assert draft.expected == [[1, 0.5]]


def test_what_is_wrong_with_a_column_stands_beside_it_and_the_text_stays(
    draft: ModelVersion, ada: Client
) -> None:
    wrong = COLUMNS | {"inputs.shape": ["wide", ""], "outputs.name": [""], "outputs.shape": ["3"]}
    shown = send(ada, draft, "signature", wrong)
    assert "Not saved yet." in shown
    assert 'id="inputs-0-shape-fault"' in shown
    assert 'id="outputs-0-name-fault"' in shown
    assert 'value="wide"' in shown
    assert 'value="likes &lt;tea&gt;"' not in shown
    old = send(ada, draft, "signature", COLUMNS | {"inputs.example": ["<old>", "tea"]})
    assert 'id="inputs-0-example-fault"' in old
    assert 'value="&lt;old&gt;"' in old
    draft.refresh_from_db()
    assert draft.signature is None


def test_rows_come_and_go_without_a_script(draft: ModelVersion, ada: Client) -> None:
    more = send(ada, draft, "signature", COLUMNS | {"more": "inputs"})
    assert more.count('aria-label="input name"') == 3
    less = send(ada, draft, "signature", COLUMNS | {"drop": "inputs.0"})
    assert less.count('aria-label="input name"') == 1
    assert 'value="likes tea"' in less
    draft.refresh_from_db()
    assert draft.signature is None


@pytest.mark.parametrize("position", ["9" * 5000, "٣", "-1", ""])
def test_a_row_that_cannot_be_is_not_taken_away(
    draft: ModelVersion, ada: Client, position: str
) -> None:
    typed = {"metrics.name": ["auc"], "metrics.value": ["0.9"], "drop": f"metrics.{position}"}
    assert 'value="auc"' in send(ada, draft, "metrics", typed)


def seen(client: Client, version: ModelVersion, part: str) -> dict[str, str]:
    """Open a draft; return what the form of a part carries along."""
    shown = client.get(place(version)).content.decode()
    found = re.search(rf'<form\s+id="{part}".*?name="seen" value="(\w+)"', shown, re.DOTALL)
    assert found
    return {"seen": found[1]}


def test_what_a_colleague_saved_meanwhile_is_not_replaced_unasked(
    world: World, draft: ModelVersion, ada: Client
) -> None:
    parts: dict[str, dict[str, Any]] = {
        "runtime": {"requirements": "numpy\n"},
        "signature": dict(COLUMNS),
        "origin": {"repository": "https://git.example/risk", "commit": "abcdef1"},
        "metrics": {"metrics.name": ["auc"], "metrics.value": ["0.93"]},
        "card": {"card": "# Mine"},
    }
    read = {part: seen(ada, draft, part) for part in parts}
    edit_draft(draft, requirements=["pandas"], actor=world.ada)
    edit_draft(draft, signature=None, example=[{"age": 1}], actor=world.ada)
    edit_draft(draft, parameters={"depth": 4}, actor=world.ada)
    add_evidence(draft, kind="metrics", data={"auc": 0.5}, actor=world.ada)
    set_card(draft, card="# Theirs", actor=world.ada)
    for part, typed in parts.items():
        shown = send(ada, draft, part, typed | read[part])
        assert "It was changed in the meantime: reload it" in shown, part
        assert "Saved." not in shown, part
    draft.refresh_from_db()
    assert (draft.requirements, draft.signature, draft.lineage) == (["pandas"], None, {})
    assert draft.card == "# Theirs"
    assert Evidence.objects.get(version=draft).data == {"auc": 0.5}


def test_who_was_told_of_a_change_keeps_the_text_and_may_save_it_all_the_same(
    world: World, draft: ModelVersion, ada: Client
) -> None:
    read = seen(ada, draft, "card")
    edit_draft(draft, requirements=["pandas"], actor=world.ada)  # another part
    for _ in range(2):  # and a second click
        assert "Saved." in send(ada, draft, "card", {"card": "# Mine"} | read)
    shown = send(ada, draft, "card", {"card": "# Newer"} | read)
    assert "# Newer</textarea>" in shown
    now = re.search(r'id="card".*?name="seen" value="(\w+)"', shown, re.DOTALL)
    assert now
    assert "Saved." in send(ada, draft, "card", {"card": "# Newer", "seen": now[1]})
    draft.refresh_from_db()
    assert draft.card == "# Newer"


def test_examples_that_the_form_does_not_show_are_kept(
    world: World, draft: ModelVersion, ada: Client
) -> None:
    signature = {
        "inputs": [{"name": "age", "type": "long"}],
        "outputs": [{"name": "prediction", "type": "double"}],
    }
    rows: Any = [{"age": 1}, {"age": 2}]
    edit_draft(draft, signature=signature, example=rows, expected=[1, 2], actor=world.ada)
    typed = {k: v[:1] if k.startswith("inputs") else v for k, v in COLUMNS.items()}
    assert "Keep 1 further example row " in ada.get(place(draft)).content.decode()
    send(ada, draft, "signature", typed | {"keep": "yes"})
    draft.refresh_from_db()
    assert (draft.example, draft.expected) == ([{"age": 41}, {"age": 2}], [0.25, 2])
    send(ada, draft, "signature", typed)
    draft.refresh_from_db()
    assert (draft.example, draft.expected) == ([{"age": 41}], [0.25])


def test_packages_data_code_and_parameters_are_kept_and_refused_in_place(
    draft: ModelVersion, ada: Client
) -> None:
    typed = {"python_version": "3.13", "requirements": "numpy\nhttp://x\n", "variables": "LIMIT"}
    shown = send(ada, draft, "runtime", typed)
    assert "http://x: URLs, paths and repositories are refused" in shown
    send(ada, draft, "runtime", typed | {"requirements": "numpy\n"})
    origin = {
        "datasets.name": ["claims"],
        "datasets.digest": ["ab" * 32],
        "repository": "https://git.example/risk",
        "commit": "HEAD",
        "parameters.name": ["depth", "kind"],
        "parameters.value": ["4", "gini"],
    }
    shown = send(ada, draft, "origin", origin)
    assert "The hash of a commit" in shown
    assert 'value="HEAD"' in shown
    twice = send(ada, draft, "origin", origin | {"commit": "", "parameters.name": ["a", "a"]})
    assert "stands twice" in twice
    send(ada, draft, "origin", origin | {"commit": "abcdef1"})
    draft.refresh_from_db()
    assert (draft.python_version, draft.requirements, draft.variables) == (
        "3.13",
        ["numpy"],
        ["LIMIT"],
    )
    assert draft.parameters == {"depth": 4, "kind": "gini"}
    assert draft.lineage == {
        "datasets": [{"name": "claims", "digest": "sha256:" + "ab" * 32}],
        "code": {"repository": "https://git.example/risk", "commit": "abcdef1"},
    }


def test_metrics_are_reported_once_however_often_they_are_saved(
    draft: ModelVersion, ada: Client
) -> None:
    typed = {"metrics.name": ["auc"], "metrics.value": ["0.93"]}
    for _ in range(2):
        assert "Saved." in send(ada, draft, "metrics", typed)
    assert Evidence.objects.get(version=draft).data == {"auc": 0.93}


def test_a_card_is_begun_from_the_template_and_looked_at_before_it_is_kept(
    draft: ModelVersion, ada: Client
) -> None:
    assert "## Intended use" in ada.get(place(draft)).content.decode()
    shown = send(ada, draft, "card", {"card": "# Claims\n<script>x</script>", "preview": "yes"})
    assert "<h2>Claims</h2>" in shown
    assert "<script>x" not in shown
    send(ada, draft, "card", {"card": card_template().replace("\n", "\r\n")})
    draft.refresh_from_db()
    assert draft.card == ""
    send(ada, draft, "card", {"card": "# Claims"})
    draft.refresh_from_db()
    assert draft.card == "# Claims"


def test_two_clicks_on_finalise_make_one_build(draft: ModelVersion, ada: Client) -> None:
    early = ada.post(place(draft, "finish"))
    assert "not ready to be finalised" in early.content.decode()
    add(ada, draft, "model.txt", TREES)
    first, second = (ada.post(place(draft, "finish")) for _ in range(2))
    build = Build.objects.get(version=draft)
    assert first["Location"] == second["Location"] == f"/builds/{build.pk}/"
    assert ada.get(place(draft))["Location"] == place(draft).removesuffix("draft/")
    shown = send(ada, draft, "runtime", {"python_version": "3.12"})
    assert "finalised and cannot be changed" in shown


def test_files_that_were_registered_before_name_the_version_they_are_of(
    draft: ModelVersion, ada: Client
) -> None:
    def names(path: str, version: ModelVersion) -> bool:
        shown = " ".join(ada.get(path).content.decode().split())
        said = f'<a href="{place(version).removesuffix("draft/")}" >{version}</a>'
        return "ame files as" in shown and said in shown

    add(ada, draft, "model.txt", TREES)
    again = create_version(draft.model, actor=SYSTEM)
    add(ada, again, "model.txt", TREES)
    assert not names(place(again), draft), "a draft may still change"
    ada.post(place(draft, "finish"))
    assert names(place(again), draft)
    ada.post(place(again, "finish"))
    for one, other in ((draft, again), (again, draft)):
        assert names(place(one).removesuffix("draft/"), other)
    other = create_version(draft.model, actor=SYSTEM)
    add(ada, other, "model.txt", TREES.replace(b"age", b"sex"))
    assert not names(place(other), again)


def test_an_empty_draft_takes_over_what_the_last_version_said(
    world: World, draft: ModelVersion, ada: Client
) -> None:
    source = draft.model.versions.exclude(pk=draft.pk).get()
    source.card, source.requirements = "# Card", ["numpy==2.3.5"]
    source.save(update_fields=["card", "requirements"])
    offered = f"Copy from version {source.number}"
    assert offered in ada.get(place(draft)).content.decode()
    copied = {"from": source.number, "next": place(draft)}
    shown = ada.post(place(draft, "copy"), copied, follow=True).content.decode()
    draft.refresh_from_db()
    assert (draft.card, draft.requirements) == ("# Card", ["numpy==2.3.5"])
    assert draft.signature == source.signature
    assert draft.expected is None
    assert offered not in shown
    assert "Typed in or copied, not read from the files" in shown, "nobody typed it in"
    of_draft = ada.get(place(draft).removesuffix("draft/")).content.decode()
    assert "started by" in of_draft and "registered by" not in of_draft
    assert Event.objects.filter(kind="version.edited.v1", subject=draft.pk).exists()
    set_card(draft, card="# Mine", actor=world.ada)
    assert "of its own" in (ada.post(place(draft, "copy"), copied, follow=True).content.decode())
    draft.refresh_from_db()
    assert draft.card == "# Mine"


def test_another_models_version_is_not_copied(
    world: World, draft: ModelVersion, ada: Client
) -> None:
    for number in ("", "x", "99"):
        assert ada.post(place(draft, "copy"), {"from": number}).status_code == 404
    with pytest.raises(NotFound):
        copy_facts(draft, source=world.version("other"), actor=world.ada)


def test_a_draft_is_discarded_on_its_page_and_what_somebody_saved_meanwhile_is_not(
    draft: ModelVersion, ada: Client
) -> None:
    path = f"/models/risk/churn/{draft.number}/draft/"
    assert f"Discard the draft churn:{draft.number}?" in ada.get(path).content.decode()
    sent = {"generation": str(draft.generation), "next": path}
    set_card(draft, card="# Mine", actor=SYSTEM)
    kept = ada.post(path + "discard", sent, follow=True).content.decode()
    assert "It was changed in the meantime: reload it" in kept
    gone = ada.post(path + "discard", sent | {"generation": "1"}, follow=True)
    assert gone.redirect_chain[-1][0] == "/models/risk/churn/"
    assert f"Discarded the draft churn:{draft.number}." in gone.content.decode()
    assert not ModelVersion.objects.filter(pk=draft.pk).exists()
    twice = ada.post(path + "discard", sent, follow=True)
    assert twice.redirect_chain[-1][0] == "/models/risk/churn/"
    assert f"There is no churn:{draft.number}: it was discarded" in twice.content.decode()


def test_who_goes_on_with_a_draft_that_was_discarded_elsewhere_is_told_so_and_led_to_its_model(
    draft: ModelVersion, ada: Client, world: World
) -> None:
    discard_draft(draft, actor=world.ada)
    overview = place(draft).removesuffix("draft/")
    answers = [
        ada.get(place(draft), follow=True),
        ada.get(overview, follow=True),
        ada.post(place(draft, "finish"), {"next": place(draft)}, follow=True),
        ada.post(overview + "finalise", {"next": overview}, follow=True),
        ada.post(place(draft, "save/card"), {"card": "# Mine"}, follow=True),
    ]
    for answer in answers:
        assert answer.redirect_chain[-1][0] == "/models/risk/churn/"
        assert f"There is no churn:{draft.number}: it was discarded." in answer.content.decode()
    never = place(draft).replace(f"/{draft.number}/", f"/{draft.number + 1}/")
    assert ada.get(never).status_code == 404
    stranger = browser(factories.person("Mallory"))
    assert stranger.get(place(draft)).status_code == 404


def hidden(page: str, name: str) -> str:
    """Return what stands in a hidden input of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


def test_a_draft_is_not_discarded_with_what_others_reported_or_began_to_send_since(
    world: World, draft: ModelVersion, ada: Client
) -> None:
    path = f"/models/risk/churn/{draft.number}/draft/"

    def discarded(page: str) -> bool:
        sent = {name: hidden(page, name) for name in ("generation", "beside")}
        said = ada.post(path + "discard", sent | {"next": path}, follow=True).content.decode()
        kept = "It was changed in the meantime" in said
        assert kept != ("Discarded the draft" in said)
        return not kept

    page = ada.get(path).content.decode()
    add_evidence(draft, kind="metrics", data={"auc": 0.9}, actor=world.alan)
    assert not discarded(page)
    page = ada.get(path).content.decode()
    start_upload(draft, path="weights.bin", size=4, sha256="a" * 64, actor=world.alan)
    assert not discarded(page)
    assert draft.evidence.count() == draft.uploads.count() == 1
    assert discarded(ada.get(path).content.decode())


def test_a_file_that_was_replaced_since_is_not_taken_out_by_who_saw_the_one_before(
    world: World, draft: ModelVersion, ada: Client
) -> None:
    path = f"/models/risk/churn/{draft.number}/draft/"
    row = {"version": draft, "project": draft.project, "path": "model.bin", "size": 4}
    ArtifactFile.objects.create(**row, sha256="a" * 64)
    sent = {"path": "model.bin", "sha256": hidden(ada.get(path).content.decode(), "sha256")}
    ArtifactFile.objects.filter(version=draft).update(sha256="b" * 64)
    kept = ada.post(path + "files/remove", sent | {"next": path}, follow=True).content.decode()
    assert "It was changed in the meantime: reload it" in kept
    assert draft.files.get().sha256 == "b" * 64
    sent["sha256"] = hidden(kept, "sha256")
    ada.post(path + "files/remove", sent | {"next": path})
    assert not draft.files.exists()


@pytest.mark.parametrize(
    ("part", "table", "one"),
    [("metrics", "metrics", "metric"), ("origin", "parameters", "parameter")],
)
def test_rows_stay_as_they_were_typed_while_others_are_added_and_removed(
    draft: ModelVersion, ada: Client, part: str, table: str, one: str
) -> None:
    typed = {f"{table}.name": ["", "auc"], f"{table}.value": ["", "0.9"]}
    more = send(ada, draft, part, typed | {"more": table})
    names = re.findall(rf'(?s)name="{table}.name"\s+value="([^"]*)"[^>]*', more)
    assert names == ["", "auc", ""]
    fields = re.findall(r"(?s)<input[^>]*>", more)
    assert [f"{table}.name" in field for field in fields if "autofocus" in field] == [True]
    assert "autofocus" in [field for field in fields if f"{table}.name" in field][-1]
    less = send(ada, draft, part, typed | {"drop": f"{table}.0"})
    assert re.findall(rf'(?s)name="{table}.name"\s+value="([^"]*)"', less) == ["auc"]
    assert f"Remove {one} auc" in less


def test_the_type_of_an_unnamed_input_is_kept_when_another_is_added(
    draft: ModelVersion, ada: Client
) -> None:
    typed = COLUMNS | {"inputs.name": ["", ""], "inputs.tags": ["", ""], "inputs.example": ["", ""]}
    more = send(ada, draft, "signature", typed | {"more": "inputs"})
    assert more.count('aria-label="input name"') == 3
    chosen = re.findall(r'<option value="(\w+)" selected', more)
    assert chosen[:3:2] == ["long", "string"]


def test_who_keeps_further_rows_without_outputs_reads_what_to_do_and_that_works(
    draft: ModelVersion, ada: Client, world: World
) -> None:
    signature = {
        "inputs": [{"name": "age", "type": "long"}],
        "outputs": [{"name": "prediction", "type": "long"}],
    }
    edit_draft(
        draft, signature=signature, example=[{"age": n} for n in (41, 2, 3)], actor=world.ada
    )
    said = "“Keep 2 further example rows” is ticked, and every row needs an output: untick that"
    one = {k: v[:1] if k.startswith("inputs") else v for k, v in COLUMNS.items()}
    one |= {"outputs.type": ["long"]}
    for typed in ("0", "[0, 1, 2]", "0, 1, 2"):
        shown = send(ada, draft, "signature", one | {"keep": "yes", "expected": typed})
        draft.refresh_from_db()
        assert draft.expected is None, typed
        if typed == "0":
            assert said in shown
            assert "type the output of this row, such as " in shown
    assert "Saved." in send(ada, draft, "signature", one | {"expected": "0"})
    draft.refresh_from_db()
    assert (draft.example, draft.expected) == ([{"age": 41}], [0])

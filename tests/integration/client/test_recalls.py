"""A recall's report is taken from the command line, and checked by the verifier."""

import json
from pathlib import Path
from typing import Any

import pytest

from apps.assurance.actions import lift, recall
from apps.assurance.models import Recall
from apps.audit.actions import write_checkpoint
from apps.governance.models import Release
from apps.serving.actions import stop_endpoint
from placet.kernel.keystore import root_public
from placet_client.cli import main
from placet_verify.__main__ import main as verifier
from tests.support import factories
from tests.support.commands import become
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_report_is_written_and_verified(
    world: World,
    live_server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = world.request("development")
    said = {"kind": "bento", "what": release.bento_id, "reason": "x"}
    found = recall(**said, project=world.project, actor=world.otto)
    world.people["Alma"] = factories.person("Alma", roles={"auditor": None})
    become(world, "Alma", live_server.url, monkeypatch)
    write_checkpoint()
    file = tmp_path / "recall.zip"
    assert main(["recall", "report", found.pk, str(file)]) == 0
    capsys.readouterr()
    assert verifier(["recall", str(file), "--confirmed"]) == 0
    told = capsys.readouterr().out
    assert f"never ran: release {release.pk}" in told
    assert "ok: signatures hold among themselves; whose they are is not shown" in told
    root = tmp_path / "root.pub"
    root.write_bytes(root_public().to_pem())
    assert verifier(["recall", str(file), "--root", str(root)]) == 0
    told = capsys.readouterr().out
    assert told.rstrip().endswith("ok: recall.zip is genuine: this is what was signed")


def test_a_version_is_named_as_on_the_page_and_tables_have_the_words_of_the_page(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = world.request("development")
    name = f"{world.project.slug}/{release.version}"
    become(world, "Otto", live_server.url, monkeypatch)
    assert main(["recall", "preview", "version", name]) == 0
    foreseen = capsys.readouterr()
    assert "\nrevoke " in foreseen.out
    assert "A recall affects 1 Bento and 1 release." in foreseen.out
    assert main(["recall", "preview", "version", "next-door/churn:1"]) != 0
    assert "There is no such version here" in capsys.readouterr().err
    assert main(["recall", "preview", "version", "churn"]) != 0
    assert "PROJECT/MODEL:NUMBER" in capsys.readouterr().err
    assert main(["recall", "create", "version", name, "--reason", "leak"]) == 0
    row = Recall.objects.get()
    assert row.what == release.version_id and row.project == world.project
    made = capsys.readouterr().out
    assert name in made and release.version_id not in made
    capsys.readouterr()
    assert main(["recall", "list", "--state", "recalled"]) == 0
    listed = capsys.readouterr().out
    assert name in listed and release.version_id not in listed
    assert row.pk in listed and " recalled " in listed and "standing" not in listed
    assert main(["recall", "show", row.pk, "-o", "json"]) == 0
    assert '"standing"' in capsys.readouterr().out
    assert main(["recall", "effects", row.pk]) == 0
    assert "Revoked (was not running)" in capsys.readouterr().out
    Release.objects.filter(pk=release.pk).update(state="rolled_back")
    assert main(["recall", "effects", row.pk]) == 0
    assert "Already rolled back" in capsys.readouterr().out
    lift(row, reason="sound", actor=world.vera)
    assert main(["recall", "preview", "version", name]) == 0
    foreseen = capsys.readouterr()
    assert "A recall affects 1 Bento and 0 releases" in foreseen.out
    assert main(["recall", "show", row.pk]) == 0
    assert "withdrawn" in capsys.readouterr().out


def test_a_recall_that_reached_nothing_says_so(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bento = world.bento(world.version())
    found = recall(kind="bento", what=bento.pk, reason="x", project=world.project, actor=world.otto)
    become(world, "Otto", live_server.url, monkeypatch)
    assert main(["recall", "effects", found.pk]) == 0
    assert capsys.readouterr().out == "It reached no release.\n"


def test_whose_decisions_were_recalled_is_named_wherever_recalls_are_listed(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served = story.release("staging")
    story.approve(served, by="Rita")
    story.settle()
    waiting = story.world.request("staging", endpoint="other")
    story.world.decide(waiting, story.rita)
    story.people["Olga"] = factories.person("Olga", {"operator": None})
    become(story.world, "Olga", live_server.url, monkeypatch)
    stop_endpoint(served.endpoint, actor=story.otto)
    assert main(["recall", "preview", "person", story.rita.id]) == 0
    of = f"what was decided on release {waiting.number} of risk to staging."
    foreseen = capsys.readouterr().out
    assert f"It voids {of}" in foreseen
    assert " stopped " in foreseen and " live " not in foreseen, "its endpoint is stopped"
    assert main(["recall", "create", "person", story.rita.id, "--reason", "coerced"]) == 0
    assert f"Rita risk ({story.rita.id})" in capsys.readouterr().out
    assert main(["recall", "list"]) == 0
    assert "Rita risk" in capsys.readouterr().out
    for asked in ("show", "effects"):
        assert main(["recall", asked, Recall.objects.get().pk]) == 0
        assert f"It voided {of}" in capsys.readouterr().out, asked
    table: Any = factories.api(story.people["Olga"]).get("/exports/recalls?format=json")
    rows = json.loads(b"".join(table.streaming_content))
    assert {(row["what"], row["what_name"]) for row in rows} == {(story.rita.id, "Rita risk")}
    assert {row["recalled_by"] for row in rows} == {"Olga"}
    assert [row["voided"] for row in rows] == [[f"Risk release {waiting.number}: decision void"]]


def test_a_recall_that_counts_everywhere_is_listed_for_each_project_where_it_reached_something(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served = story.release("staging")
    story.approve(served)
    story.settle()
    factories.project("untouched")
    olga = story.world.people["Olga"] = factories.person("Olga", {"operator": None})
    recall(kind="person", what=story.rex.id, reason="coerced", actor=factories.actor_of(olga))
    become(story.world, "Olga", live_server.url, monkeypatch)
    desk = factories.browser(olga)
    for project, listed in (("risk", True), ("untouched", False)):
        assert main(["recall", "list", project]) == 0
        assert ("Rex risk" in capsys.readouterr().out) is listed
        assert ("Rex risk" in desk.get(f"/recalls/?project={project}").content.decode()) is listed
        table: Any = factories.api(olga).get(f"/exports/recalls?format=json&project={project}")
        assert bool(json.loads(b"".join(table.streaming_content))) is listed


def test_a_revision_that_a_recall_ended_is_told_as_its_page_tells_it(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = story.release("staging")
    story.approve(release)
    story.settle()
    olga = story.world.people["Olga"] = factories.person("Olga", {"operator": None})
    found = recall(
        kind="person", what=story.rex.id, reason="coerced", actor=factories.actor_of(olga)
    )
    become(story.world, "Olga", live_server.url, monkeypatch)
    assert main(["endpoint", "revisions", release.endpoint_id]) == 0
    said = capsys.readouterr().out
    assert " stopped by a recall " in said and "failed" not in said
    assert "Revision 1: stopped by a recall by Olga at " in said
    assert f"({found.pk}): “coerced”" in said
    assert main(["release", "show", release.pk]) == 0
    assert f"Recalled by Olga ({found.pk}): “coerced”" in " ".join(capsys.readouterr().out.split())
    become(story.world, "Ada", live_server.url, monkeypatch)
    assert main(["endpoint", "revisions", release.endpoint_id]) == 0
    said = capsys.readouterr().out
    assert "Revision 1: stopped by a recall of all projects, not visible to you" in said
    assert "Olga" not in said and "coerced" not in said
    assert main(["release", "show", release.pk]) == 0
    said = capsys.readouterr().out
    assert "Recalled: a person's decisions" in said and "coerced" not in said
    assert main(["endpoint", "revisions", release.endpoint_id, "-o", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["state"], row["recalled"], row["recall"]) == ("failed", True, None)


def test_a_decision_that_a_recall_voided_is_shown_as_void_with_its_release(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = story.release("staging")
    story.approve(release)
    become(story.world, "Ada", live_server.url, monkeypatch)
    assert main(["release", "show", release.pk]) == 0
    assert "VOIDED" not in capsys.readouterr().out
    olga = factories.actor_of(factories.person("Olga", {"operator": None}))
    recall(kind="person", what=story.rex.id, reason="coerced", actor=olga)
    assert main(["release", "show", release.pk]) == 0
    head, row = capsys.readouterr().out.splitlines()[-2:]
    assert head.endswith(" VOIDED REASON") and row.endswith(" recalled")


def test_who_starts_what_a_recall_stopped_is_told_that_nothing_is_left_to_run(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = story.live()
    become(story.world, "Otto", live_server.url, monkeypatch)
    assert main(["endpoint", "stop", release.endpoint_id]) == 0
    assert "nothing was changed" not in capsys.readouterr().err
    assert main(["endpoint", "stop", release.endpoint_id]) == 0
    assert "Already stopped: nothing was changed." in capsys.readouterr().err
    assert main(["endpoint", "start", release.endpoint_id]) == 0
    assert "Nothing is live" not in "".join(capsys.readouterr())
    what = {"kind": "version", "what": release.version_id, "reason": "leak"}
    recall(**what, project=release.project, actor=story.otto)
    assert main(["endpoint", "start", release.endpoint_id]) == 0
    said = capsys.readouterr().err
    assert "Started. Nothing serves there until a version is released to it." in said


def test_who_may_not_recall_a_version_is_told_that_and_not_that_there_is_none(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = f"{world.project.slug}/{world.version()}"
    become(world, "Ada", live_server.url, monkeypatch)
    for words in (["preview", "version", name], ["create", "version", name, "--reason", "x"]):
        assert main(["recall", *words]) == 3
        assert "Create recalls" in capsys.readouterr().err


def test_who_recalled_and_withdrew_is_named_and_the_export_names_versions_too(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = world.request("development")
    program = factories.service_account(
        "watchdog", world.people["Otto"], {"operator": world.project}
    )
    of = {"project": world.project, "reason": "leak"}
    recall(kind="bento", what=release.bento_id, **of, actor=factories.actor_of(program))
    found = recall(kind="version", what=release.version_id, **of, actor=world.otto)
    lift(found, reason="sound", actor=world.vera)
    become(world, "Otto", live_server.url, monkeypatch)
    assert main(["recall", "list"]) == 0
    listed = capsys.readouterr().out
    assert "Otto risk" in listed and "watchdog" in listed and "svc_" not in listed
    assert main(["recall", "show", found.pk]) == 0
    shown = capsys.readouterr().out
    assert "Otto risk" in shown and "Vera risk" in shown and "per_" not in shown
    table: Any = factories.api(world.people["Otto"]).get("/exports/recalls?format=json")
    rows = json.loads(b"".join(table.streaming_content))
    name = f"risk/{release.version}"
    told = [(row["what_name"], row["recalled_by"], row["withdrawn_by"]) for row in rows]
    assert told == [(name, "Otto risk", "Vera risk"), (name, "watchdog", "")]
    assert [bool(row["withdrawn_at"]) for row in rows] == [True, False]

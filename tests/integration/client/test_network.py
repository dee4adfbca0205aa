"""What a release may reach, asked for and listed from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from apps.governance.models import Release
from apps.registry.models import ModelVersion
from apps.serving.models import Revision
from placet_client.cli import main
from tests.support.commands import answer, become
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_release_names_destinations_and_declared_variables(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    version = world.bento(world.version(variables=["MODE"])).version
    ask = ["release", "request", f"risk/churn:{version.number}", "--environment", "development"]
    assert main([*ask, "--egress", "db.example:5432", "--egress", "[2001:db8::1]:443"]) == 0
    assert Release.objects.get().serving["egress"] == ["db.example:5432", "[2001:db8::1]:443"]
    capsys.readouterr()
    assert main([*ask, "--egress", "db.example"]) == 1
    assert "/serving/egress/0" in capsys.readouterr().err
    assert main([*ask, "--variable", "LEVEL=1"]) == 1
    said = capsys.readouterr().err
    assert "/serving/variables/LEVEL" in said
    assert "register a version that names it" in said
    assert main([*ask, "--variable", "MODE=a", "--variable", "MODE=b"]) == 2
    assert "given twice" in capsys.readouterr().err


def test_a_release_is_asked_for_that_its_node_scales_by_load(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    version = world.bento(world.version()).version
    ask = ["release", "request", f"risk/churn:{version.number}", "--environment", "development"]
    assert main([*ask, "--min-replicas", "1"]) == 1
    assert "/serving/min_replicas: needs target_inflight" in capsys.readouterr().err
    sizes = ["--replicas", "2", "--max-replicas", "4", "--min-replicas", "1"]
    assert main([*ask, *sizes, "--target-inflight", "8"]) == 0
    serving = Release.objects.get().serving
    assert [serving[name] for name in ("replicas", "max_replicas")] == [2, 4]
    assert [serving[name] for name in ("min_replicas", "target_inflight")] == [1, 8]


def test_a_command_says_where_a_release_would_run_and_what_keeps_nobody_from_the_network(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    release = world.request("staging", serving={"egress": ["10.0.0.5:5432"]})
    assert main(["release", "show", release.pk]) == 0
    said = capsys.readouterr()
    assert "target" in said.out
    assert "local" in said.out
    assert "no node of the target local has said yet" in said.err
    assert "It may reach: 10.0.0.5:5432 is a private address" in said.err


def test_version_json_declares_the_variables(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    facts = {
        "requirements": ["scikit-learn==1.7.2"],
        "variables": ["MODE"],
        "signature": {
            "inputs": [{"name": "a", "type": "double"}],
            "outputs": [{"name": "p", "type": "long"}],
        },
    }
    (folder / "version.json").write_text(json.dumps(facts))
    (folder / "model.joblib").write_bytes(b"a model")
    register = ["model", "register", "--project", "risk", "--name", "age", "--from", str(folder)]
    assert main(register) == 0
    assert main(register) == 0
    assert [v.variables for v in ModelVersion.objects.all()] == [["MODE"]]


def test_a_command_lists_what_runs_from_before(
    story: Story,
    capsys: pytest.CaptureFixture[str],
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story.live()
    become(story.world, "Otto", live_server.url, monkeypatch)
    capsys.readouterr()
    older = ["endpoint", "list", "--isolation", "older"]
    assert main(older) == 0
    assert capsys.readouterr().out == "No results that you may see.\n"
    story.node.apart[Revision.objects.get().pk] = {"isolation": "bwrap"}
    story.node.report()
    assert main(older) == 0
    printed = capsys.readouterr().out
    assert "older (older isolation: the host's network)" in printed
    assert "development" in printed
    assert main(["endpoint", "list", "risk/development", "--isolation", "older", "-o", "json"]) == 0
    assert [row["isolation"] for row in answer(capsys)] == ["older"]
    for verb in ("show", "stop", "start"):
        assert main(["endpoint", verb, "risk/development/churn"]) == 0
        assert "older isolation: the host's network" in capsys.readouterr().out
    assert main(["endpoint", "list", "risk/staging", "--isolation", "older"]) == 0
    assert capsys.readouterr().out == "No results that you may see.\n"

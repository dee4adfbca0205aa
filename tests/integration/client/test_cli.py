"""The command line against a running server, as people and pipelines use it."""

import json
import stat
from pathlib import Path
from typing import Any

import joblib
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression

from apps.audit.actions import write_checkpoint
from apps.registry.models import ModelVersion
from placet_client import PlacetError, login
from placet_client import log as copies
from placet_client.cli import audit, main
from placet_client.cli.command import Ended, connected
from tests import factories
from tests.governed import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own, with no login."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("PLACET_URL", raising=False)
    monkeypatch.delenv("PLACET_TOKEN", raising=False)
    return tmp_path


@pytest.fixture
def world(home: Path, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """A project whose data scientist, Ada, has logged in."""
    made = World()
    become(made, "Ada", live_server.url, monkeypatch)
    return made


def become(world: World, name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a token of ``name`` from now on."""
    monkeypatch.setenv("PLACET_URL", url)
    monkeypatch.setenv("PLACET_TOKEN", factories.token_for(world.people[name]))


def folder(home: Path) -> Path:
    """A folder as a training job leaves it."""
    out = home / "out"
    (out / "extra").mkdir(parents=True)
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    joblib.dump(model, out / "model.joblib")
    version = {
        "format": "sklearn",
        "requirements": [f"scikit-learn=={sklearn.__version__}"],
        "signature": {
            "inputs": [{"name": "age", "type": "double", "required": True}],
            "outputs": [{"name": "prediction", "type": "long"}],
        },
        "example": [{"age": 0.5}],
        "expected": [1],
        "metrics": {"auc": 0.9},
    }
    (out / "version.json").write_text(json.dumps(version))
    (out / "extra").rmdir()
    return out


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what was printed as JSON."""
    return json.loads(capsys.readouterr().out)


def test_a_folder_becomes_a_finalised_version(
    world: World, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["model", "register", "--project", "risk", "--name", "age", "--from"]
    assert main([*command, str(folder(home)), "-o", "json"]) == 0
    made = answer(capsys)
    assert (made["number"], made["state"]) == (1, "finalised")
    assert main(["version", "show", "risk/age:1", "-o", "json"]) == 0
    shown = answer(capsys)
    assert [f["path"] for f in shown["files"]] == ["model.joblib"]
    assert main(["evidence", "list", "risk/age:1", "-o", "json"]) == 0
    assert [e["kind"] for e in answer(capsys)] == ["metrics"]
    assert main(["version", "tag", "risk/age:1", "team=risk"]) == 0
    assert main(["version", "alias", "risk/age:1", "champion"]) == 0
    assert main(["version", "alias", "risk/age:1", "champion"]) == 0
    assert ModelVersion.objects.get().tags == {"team": "risk"}


def test_a_folder_that_says_too_little_makes_nothing(
    world: World, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = home / "empty"
    empty.mkdir()
    command = ["model", "register", "--project", "risk", "--name", "age", "--from", str(empty)]
    assert main(command) == 1
    assert "version.json" in capsys.readouterr().err
    assert not ModelVersion.objects.exists()


def test_programs_are_told_by_the_exit_code(
    world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["model", "create", "risk", "age"]) == 0
    assert main(["model", "create", "risk", "age"]) == 6
    assert main(["model", "show", "risk/nothing"]) == 1
    assert main(["model", "show", "not a reference"]) == 2
    assert main(["release", "approve", "rel_1"]) == 2
    become(world, "Rex", live_server.url, monkeypatch)
    assert main(["model", "create", "risk", "other"]) == 3
    monkeypatch.setenv("PLACET_URL", "http://127.0.0.1:9")
    assert main(["whoami"]) == 1


def test_waiting_for_people_and_for_machines_differs(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    bento = world.bento(world.version())
    reference = f"risk/{bento.version.model.name}:{bento.version.number}"
    wanted = ["release", "request", reference, "--environment", "production", "--wait"]
    assert main([*wanted, "--timeout", "0.2"]) == 4
    assert "Still waiting" in capsys.readouterr().err
    build = ["build", "start", reference, "--accelerate", "-o", "json"]
    capsys.readouterr()
    assert main(build) == 0
    assert answer(capsys)["accelerate"] is True
    assert main(["build", "start", reference]) == 6, "one of the other choice is open"
    assert main([*build, "--wait", "--timeout", "0.2"]) == 5


def test_a_release_is_asked_for_as_the_readme_says(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    bento = world.bento(world.version())
    wanted = ["--project", "risk", "--model", bento.version.model.name, "--version", "1"]
    where = ["--environment", "staging", "--endpoint", "churn"]
    assert main(["release", "request", *wanted, *where, "-o", "json"]) == 0
    made = answer(capsys)
    assert (made["model"], made["version"], made["endpoint"]) == ("churn", 1, "churn")
    assert main(["release", "request", *where]) == 2


def test_an_api_key_is_printed_once_and_text_with_brackets_as_it_is(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.live()
    assert main(["model", "create", "risk", "odd", "--description", "see [/red]"]) == 0
    assert "see [/red]" in capsys.readouterr().out
    become(world, "Otto", live_server.url, monkeypatch)
    place = "risk/development/churn"
    assert main(["endpoint", "key", "new", place, "shop"]) == 0
    key = capsys.readouterr().out.strip()
    assert len(key) > 20
    assert main(["endpoint", "key", "list", place, "-o", "json"]) == 0
    printed = capsys.readouterr().out
    assert [k["name"] for k in json.loads(printed)] == ["shop"]
    assert key not in printed


def test_a_login_is_remembered_for_its_owner_alone(
    world: World, home: Path, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = factories.token_for(world.people["Ada"])
    monkeypatch.delenv("PLACET_URL")
    monkeypatch.delenv("PLACET_TOKEN")
    assert main(["whoami"]) == 1
    monkeypatch.setattr("sys.stdin", type("Input", (), {"readline": lambda self: token + "\n"})())
    assert main(["login", live_server.url, "--token-stdin"]) == 0
    path = home / "config" / "placet" / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["whoami"]) == 0
    assert main(["logout"]) == 0
    assert main(["whoami"]) == 1


def test_an_auditor_checks_the_log_and_remembers_how_far(
    world: World,
    home: Path,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.people["Aude"] = factories.person("Aude", roles={"auditor": None})
    become(world, "Aude", live_server.url, monkeypatch)
    write_checkpoint()
    assert main(["audit", "verify"]) == 0
    assert "ok:" in capsys.readouterr().out
    assert main(["project", "list", "-o", "json"]) == 0
    capsys.readouterr()
    assert main(["audit", "verify"]) == 0
    assert "from the checkpoint over" in capsys.readouterr().out


def test_a_changed_leaf_is_named(
    world: World, home: Path, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.people["Aude"] = factories.person("Aude", roles={"auditor": None})
    become(world, "Aude", live_server.url, monkeypatch)
    write_checkpoint()
    copy = home / "copy"
    with connected() as client:
        copies.download(client, copy)
    lines = (copy / "events.jsonl").read_text().splitlines()
    assert '\\"kind' in lines[3]
    lines[3] = lines[3].replace('\\"kind', '\\"kinb', 1)
    (copy / "events.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(Ended, match="leaf 3"):
        audit.check(copy, [])


def test_a_remembered_token_goes_to_no_other_server(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login.remember(login.Login("http://localhost:8000", "secret"))
    assert login.current().token == "secret"
    monkeypatch.setenv("PLACET_URL", "http://localhost:9999")
    with pytest.raises(PlacetError):
        login.current()


def test_the_search_prints_what_it_found(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.live()
    assert main(["search", "churn:1", "-o", "json"]) == 0
    assert [(hit["kind"], hit["title"]) for hit in answer(capsys)] == [("version", "churn:1")]
    assert main(["search", "nothing-like-it"]) == 0
    assert "nothing" in capsys.readouterr().out

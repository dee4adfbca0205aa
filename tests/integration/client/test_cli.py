"""The command line against a running server, as people and pipelines use it."""

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from apps.governance.actions import draft_policy, publish_policy
from apps.governance.models import Release
from apps.identity.actions import revoke_role
from apps.identity.models import ApiToken, RoleBinding, User
from apps.registry.models import ModelVersion
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet_client import PlacetError, login
from placet_client.cli import main
from tests.support import break_glass, factories
from tests.support.commands import answer, become, folder
from tests.support.factories import api, browser
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


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
    assert main(["alias", "set", "risk/age:1", "champion"]) == 0
    assert main(["alias", "set", "risk/age:1", "champion"]) == 0
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


@pytest.mark.parametrize("words", [["--token-stdin"], []], ids=["said so", "piped"])
def test_a_login_is_remembered_for_its_owner_alone(
    world: World,
    home: Path,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    token = factories.token_for(world.people["Ada"])
    monkeypatch.delenv("PLACET_URL")
    monkeypatch.delenv("PLACET_TOKEN")
    assert main(["whoami"]) == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{token}\n"))
    assert main(["login", live_server.url, *words]) == 0
    path = home / "config" / "placet" / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["whoami"]) == 0
    capsys.readouterr()
    assert main(["logout"]) == 0
    told = f"Signed out of {live_server.url} on this machine. The token stays valid"
    assert told in capsys.readouterr().err
    assert main(["whoami"]) == 1
    assert main(["logout"]) == 0
    assert "No login was remembered on this machine" in capsys.readouterr().err


def test_who_logs_out_is_told_of_a_token_that_goes_on_being_used(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLACET_TOKEN", "secret")
    assert main(["logout"]) == 0
    assert "PLACET_TOKEN is set: commands go on using that token" in capsys.readouterr().err


def test_a_list_takes_its_project_as_an_argument_and_as_an_option(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.live()
    lists = ["model", "environment", "declaration", "signing-key", "release", "recall"]
    for noun in [*lists, "break-glass", "deployment", "endpoint"]:
        said = []
        for project in (["risk"], ["--project", "risk"], ["risk", "--project", "risk"]):
            assert main([noun, "list", *project, "-o", "json"]) == 0, noun
            rows = answer(capsys)
            said.append([{name: row[name] for name in row.keys() - {"at"}} for row in rows])
        assert said[0] == said[1] == said[2], noun
        assert main([noun, "list", "risk", "--project", "other"]) == 2, noun
        assert "PROJECT is risk, and --project other" in capsys.readouterr().err
    for noun in lists[:4]:
        assert main([noun, "list"]) == 2, noun
        assert "Say of which project" in capsys.readouterr().err


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
    found = [(hit["kind"], hit["title"]) for hit in answer(capsys)]
    assert found == [("version", "churn:1"), ("build", "Build of churn:1")]
    assert main(["search", "nothing-like-it"]) == 0
    assert "No results" in capsys.readouterr().out


def test_a_list_is_written_to_a_file(world: World, home: Path) -> None:
    world.live()
    narrowed = ["--filter", "project=risk"]
    file = home / "models.json"
    assert main(["export", "models", str(file), "--format", "json", *narrowed]) == 0
    assert json.loads(file.read_text())[0]["model"] == "churn"
    assert main(["export", "models", str(home / "models.csv"), *narrowed]) == 0
    assert (home / "models.csv").read_text().startswith("project,model,")
    for wrong in ("project", "nothing=1", "=x"):
        assert main(["export", "models", str(home / "x"), "--filter", wrong]) == 2
    assert not (home / "x").exists()


def test_break_glasses_are_listed_and_shown(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    break_glass.responder(world)
    world.policy("staging", break_glass.POLICY + break_glass.SAID)
    made = break_glass.broken(world, world.request("staging"), reason="It burns")
    assert main(["break-glass", "list", "--review", "open", "-o", "json"]) == 0
    assert [(g["id"], g["state"]) for g in answer(capsys)] == [(made.pk, "confirmed")]
    assert main(["break-glass", "list", "--review", "closed", "-o", "json"]) == 0
    assert answer(capsys) == []
    assert main(["break-glass", "show", made.pk, "-o", "json"]) == 0
    assert answer(capsys)["reason"] == "It burns"
    assert main(["break-glass", "show", made.pk]) == 0
    assert "Vera risk as approver" in capsys.readouterr().out
    assert main(["duty", "list", "-o", "json"]) == 0


def test_who_manages_targets_says_who_may_use_one_and_who_answers_for_it(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["target", "allow", "local", "risk/production"]) == 3
    factories.grant(world.people["Otto"], {"operator": None})
    become(world, "Otto", live_server.url, monkeypatch)
    assert main(["target", "create", "edge", "--owner", "vera.risk@example.com", "-o", "json"]) == 0
    assert answer(capsys)["owner"] == world.people["Vera"].pk
    for whom in ("risk/production", "risk/production", "risk"):
        assert main(["target", "allow", "edge", whom]) == 0
    capsys.readouterr()
    assert main(["target", "uses", "edge", "-o", "json"]) == 0
    assert sorted(row["environment"] for row in answer(capsys)) == ["", "production"]
    assert main(["target", "disallow", "edge", "risk"]) == 0
    assert main(["target", "disallow", "edge", "risk"]) == 1
    assert main(["target", "disallow", "edge", "a/b/c"]) == 2
    assert main(["target", "edit", "edge", "--owner", "nobody@example.com"]) == 1
    command = ["target", "uses", "edge", "-o", "json"]
    capsys.readouterr()
    assert main(command) == 0
    assert [row["environment"] for row in answer(capsys)] == ["production"]


def test_tables_name_people_and_projects_and_json_keeps_their_ids(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = world.people["Ada"]
    assert main(["role", "list"]) == 0
    table = capsys.readouterr().out
    assert ada.name in table and ada.pk not in table
    assert main(["role", "list", "-o", "json"]) == 0
    assert {row["person"] for row in answer(capsys)} == {ada.pk}
    assert main(["whoami"]) == 0
    me = capsys.readouterr().out
    assert world.project.pk not in me
    header = next(line for line in me.splitlines() if line.startswith("PERMISSION"))
    assert header.split() == ["PERMISSION", "PROJECT", "ENVIRONMENT"], "a token holds no role"


def test_who_registers_a_folder_gets_five_lines(
    world: World, home: Path, live_server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["model", "register", "--project", "risk", "--name", "age", "--from"]
    command.append(str(folder(home)))
    assert main(command) == 0
    said = capsys.readouterr()
    version, digest, metrics, build = (line.split(maxsplit=1)[1] for line in said.out.splitlines())
    assert (version, metrics) == ("risk/age:1", "auc 0.9") and digest.startswith("sha256:")
    assert build == "none yet (placet build start risk/age:1)"
    assert said.err.endswith(f"→ {live_server.url}/models/risk/age/1/\n")
    assert main([*command, "--build"]) == 0
    assert capsys.readouterr().out.splitlines()[3].endswith(" is queued")
    world.bento(ModelVersion.objects.get())
    assert main(command) == 0
    assert "  Bento sha256:" in capsys.readouterr().out.splitlines()[3]


def test_a_release_is_shown_with_who_may_still_decide(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    release = world.request("staging")
    assert main(["release", "show", release.pk]) == 0
    shown = capsys.readouterr().out
    assert "Rex risk, Rita risk" in shown and "No results" not in shown


def test_nobody_waits_for_who_was_invited_and_never_signed_in(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = api(world.people["Ada"])
    release = world.request("staging")
    revoke_role(RoleBinding.objects.get(person=world.people["Rex"]), actor=SYSTEM)
    User.objects.filter(pk=world.people["Rita"].pk).update(last_login=None)
    (told,) = ada.get(f"/releases/{release.pk}").json()["may_still_decide"]
    assert (told["name"], told["needs"]) == ("Rita risk", "cannot decide yet")
    page = browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content.decode()
    assert "Nobody can decide yet" in page
    assert main(["release", "show", release.pk]) == 0
    assert "Rita risk (cannot decide yet)" in " ".join(capsys.readouterr().out.split())
    assert main(["release", "wait", release.pk, "--timeout", "0"]) == 4
    said = " ".join(capsys.readouterr().err.split())
    assert "and nobody can decide yet: Rita risk (cannot decide yet)" in said
    world.people["Rita"].refresh_from_db()
    auditor = api(factories.person("Eve", roles={"auditor": world.project}))
    (told,) = auditor.get(f"/releases/{release.pk}").json()["may_still_decide"]
    assert told["needs"] == "has not signed in yet"


def test_a_release_that_too_few_people_can_approve_says_so(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    roles = dict.fromkeys(["product-reviewer", "security-reviewer"], world.project)
    factories.person("Olga", roles=roles)
    asks = ", ".join(f"{{gate: approvals, role: {role}, count: 1}}" for role in roles)
    source = f"version: 1\ngates: [{asks}]\n"
    draft = draft_policy(world.environment("staging"), source=source, actor=world.vera)
    publish_policy(draft, actor=SYSTEM)  # as roles stood once
    version = world.bento(world.version()).version
    said = "Needs two people, and only Olga could decide as product-reviewer or security-reviewer"
    where = ["--environment", "staging", "--endpoint", "churn"]
    assert main(["release", "request", f"risk/churn:{version.number}", *where]) == 0
    assert said in " ".join(capsys.readouterr().err.split())
    name = Release.objects.get().pk
    assert main(["release", "show", name]) == 0
    assert said in " ".join(capsys.readouterr().err.split())
    assert main(["release", "wait", name, "--timeout", "0"]) == 4
    told = " ".join(capsys.readouterr().err.split())
    assert "Still waiting" in told and told.split("Still waiting")[1].count(said) == 1


def test_a_release_is_shown_with_the_worst_of_the_attempts_before_it_first(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    first = world.request("staging")
    world.decide(first, world.rex, verdict="reject", comment="No fairness report")
    again = world.request("staging", first.bento)
    assert main(["release", "show", again.pk]) == 0
    said = capsys.readouterr()
    worst = said.err.splitlines()[0]
    assert worst.startswith("An earlier release of this version to staging was rejected by Rex")
    assert worst.endswith(": “No fairness report”")
    assert "Earlier attempts to release this version:" in said.out.splitlines()
    last = said.out.splitlines()[-1]
    assert last.split()[:4] == ["1", "staging", "churn", "rejected"]
    assert main(["release", "show", again.pk, "-o", "json"]) == 0
    told = answer(capsys)["earlier_attempts"]
    assert (told["worst"], len(told["items"])) == (worst, 1)
    assert main(["release", "show", first.pk]) == 0
    assert "attempt" not in capsys.readouterr().err


def test_the_gates_of_a_release_that_started_are_not_said_to_be_those_of_now(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    waits, live = world.request("staging"), world.live()
    for release, said in ((waits, False), (live, True)):
        assert main(["release", "show", release.pk]) == 0
        assert ("They said last, at its start or its end:" in capsys.readouterr().out) == said


def test_a_release_is_listed_with_its_project_and_named_by_that_and_its_number(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    first = world.request("staging")
    second = world.request("staging", endpoint="other")
    assert main(["release", "list"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["ID", "PROJECT", "NUMBER"]
    assert [row.split()[1:3] for row in rows if row.startswith("rel_")] == [
        ["risk", "2"],
        ["risk", "1"],
    ]
    for number, release in ((1, first), (2, second)):
        assert main(["release", "show", f"risk/{number}", "-o", "json"]) == 0
        assert answer(capsys)["release"]["id"] == release.pk
    for strange in ("risk/9", "elsewhere/1"):
        assert main(["release", "show", strange]) == 1
    capsys.readouterr()
    assert main(["release", "show", "risk/x"]) == 2
    assert "'risk/x' is not of the form PROJECT/NUMBER" in capsys.readouterr().err


def test_who_waits_for_a_release_is_told_where_it_is_seen_and_for_whom(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    release = world.request("staging")
    assert main(["release", "wait", "risk/1", "--timeout", "0"]) == 4
    said = capsys.readouterr().err
    assert f"/releases/{release.pk}/" in said.splitlines()[0]
    assert "Waiting for one reviewer: Rex risk, Rita risk" in said


def test_who_has_a_revoked_token_is_told_to_log_in_again(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ApiToken.objects.update(revoked_at=now())
    assert main(["inbox"]) == 1
    said = capsys.readouterr().err
    assert "The token was revoked" in said
    assert f"It is the one in PLACET_TOKEN: create another one at {live_server.url}/tokens/" in said
    remembered = factories.token_for(world.people["Ada"])
    monkeypatch.delenv("PLACET_TOKEN")
    monkeypatch.delenv("PLACET_URL")
    login.remember(login.Login(live_server.url, remembered))
    ApiToken.objects.update(revoked_at=now())
    assert main(["inbox"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == ["The token was revoked", f"Log in again: placet login {live_server.url}"]

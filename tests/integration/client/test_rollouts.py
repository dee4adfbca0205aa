"""A canary asked for and steered from the command line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from apps.governance.models import Release
from apps.monitoring.models import MetricWindow
from apps.rollouts.actions import pause
from apps.rollouts.models import Rollout
from apps.serving.actions import create_endpoint, start_endpoint, stop_endpoint
from placet_client.cli import main
from tests.support import factories
from tests.support.commands import answer, become
from tests.support.story import Story
from tests.support.world import World

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("first_release"),
]


def ask(world: World, *plan: str) -> Release:
    """Ask for a release of one more version."""
    version = world.bento(world.version()).version
    reference = f"risk/churn:{version.number}"
    asked = ["release", "request", reference, "--environment", "development", *plan]
    assert main(asked) == 0
    return Release.objects.get(version=version)


def test_a_plan_is_a_preset_by_name_or_a_file(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"strategy": "canary", "steps": [{"set_weight": 2.5}]}))
    preset = ask(world, "--plan", "canary", "--manual").plan
    assert (preset["strategy"], preset["start"], len(preset["steps"])) == ("canary", "manual", 9)
    own = ask(world, "--plan", f"@{plan}").plan
    assert own["steps"] == [{"set_weight": 2.5}, {"set_weight": 100}]
    assert ask(world).plan["strategy"] == "replace"
    version = world.bento(world.version()).version
    wrong = ["release", "request", f"risk/churn:{version.number}", "--environment", "development"]
    assert main([*wrong, "--plan", "yolo"]) == 1
    assert "must be one of: replace, blue_green, canary" in capsys.readouterr().err
    assert main(["environment", "plans", "risk/development"]) == 0
    assert "blue_green" in capsys.readouterr().out


def test_an_environment_has_plans_of_its_own(
    world: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"strategy": "canary", "steps": [{"set_weight": 2}]}))
    become(world, "Otto", live_server.url, monkeypatch)
    edit = ["environment", "edit", "risk/development"]
    assert main([*edit, "--plan", f"careful=@{file}"]) == 0
    capsys.readouterr()
    assert main([*edit, "--plan", 'bold={"when_busy": "supersede"}', "-o", "json"]) == 0
    assert list(answer(capsys)["plans"]) == ["bold", "careful"]
    become(world, "Ada", live_server.url, monkeypatch)
    assert main([*edit, "--plan", "careful="]) == 3
    asked = ask(world, "--plan", "careful", "--manual").plan
    assert (asked["steps"][0], asked["start"]) == ({"set_weight": 2}, "manual")
    assert main(["environment", "plans", "risk/development"]) == 0
    assert "Canary: 2, 100%" in capsys.readouterr().out
    become(world, "Otto", live_server.url, monkeypatch)
    assert main([*edit, "--plan", "careful=", "--plan", "no=such"]) == 2
    capsys.readouterr()
    assert main([*edit, "--plan", "careful=", "-o", "json"]) == 0
    assert list(answer(capsys)["plans"]) == ["bold"]
    assert main([*edit, "--plan", 'canary={"strategy": "replace"}']) == 1
    assert "by no strategy" in capsys.readouterr().err


def test_an_environment_has_requests_open_in_the_next_by_themselves(
    world: World,
    capsys: pytest.CaptureFixture[str],
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    become(world, "Otto", live_server.url, monkeypatch)
    edit = ["environment", "edit", "risk/staging", "-o", "json"]
    assert main([*edit, "--promote-plan", "canary"]) == 2
    assert "needs --promote-to" in capsys.readouterr().err
    assert main([*edit, "--promote-to", "production", "--promote-plan", "canary"]) == 0
    said = {"after": "soaked", "to": "production", "plan": "canary"}
    assert answer(capsys)["promote"] == said
    assert main([*edit, "--position", "11"]) == 0
    assert answer(capsys)["promote"] == said
    assert main([*edit, "--promote-to", ""]) == 0
    assert answer(capsys)["promote"] == {}


def test_a_unit_is_named_with_its_source_and_its_salt_is_listed(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    release = ask(story.world, "--unit", "json:/user/id")
    assert release.serving["unit"] == {"json": "/user/id"}
    story.settle()
    capsys.readouterr()
    name = f"risk/development/{release.endpoint.name}"
    assert main(["endpoint", "revisions", name, "-o", "json"]) == 0
    newest = answer(capsys)[0]
    assert newest["unit"] == {"json": "/user/id"}
    assert main(["endpoint", "revisions", name]) == 0
    assert newest["salt"] in capsys.readouterr().out
    version = story.world.bento(story.world.version()).version
    wrong = ["release", "request", f"risk/churn:{version.number}", "--environment", "development"]
    assert main([*wrong, "--unit", "X-User"]) == 1
    assert "header" in capsys.readouterr().err


def test_what_an_analysis_says_is_listed(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    analysis = {"metrics": [{"metric": "error_rate"}]}
    plan = {"strategy": "canary", "steps": [{"set_weight": 5}, {"analysis": analysis}]}
    release = ask(story.world, "--plan", json.dumps(plan))
    story.settle()
    rollout = story.rollout(release)
    capsys.readouterr()
    assert main(["rollout", "looks", rollout.pk, "--step", "2", "-o", "json"]) == 0
    looks = answer(capsys)  # a slow machine has time for more than one
    assert {(x["step"], x["outcome"]) for x in looks} == {(1, "inconclusive")}
    assert {x["sentence"] for x in looks} == {"No requests were counted yet"}
    assert main(["rollout", "looks", rollout.pk]) == 0
    assert re.search(r"^2 .* inconclusive ", capsys.readouterr().out, re.MULTILINE)


def test_tables_count_the_steps_of_a_rollout_from_one_as_pages_do(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [{"set_weight": 5}, {"pause": {}}]
    release = ask(story.world, "--plan", json.dumps({"strategy": "canary", "steps": steps}))
    story.settle()
    rollout = story.rollout(release)
    assert rollout.step == 1
    capsys.readouterr()
    assert main(["rollout", "list", "--release", release.pk]) == 0
    assert " waits for an operator to resume it  2 " in capsys.readouterr().out
    assert main(["rollout", "show", rollout.pk]) == 0
    assert re.search(r"^step +2$", capsys.readouterr().out, re.MULTILINE)
    assert main(["rollout", "show", rollout.pk, "-o", "json"]) == 0
    assert (answer(capsys)["step"], list(rollout.step_times)) == (1, ["0", "1"])


def test_what_was_measured_over_time_is_listed(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    release = ask(story.world, "--plan", '{"strategy": "canary", "steps": [{"set_weight": 25}]}')
    story.settle()
    rollout = story.rollout(release)
    for revision, count in ((rollout.from_revision_id, 3), (rollout.to_revision_id, 1)):
        assert revision is not None
        MetricWindow.objects.create(
            node=story.node.id,
            revision=revision,
            started_at=rollout.created_at,
            seconds=10,
            status_2xx=count,
            latency={"25": count},
        )
    capsys.readouterr()
    assert main(["rollout", "series", rollout.pk]) == 0
    head, *_, line = capsys.readouterr().out.splitlines()
    assert "NEW REQUESTS" in head and "OLD P95 MS" in head, "which is which"
    assert "25%" in line and "–" in line, "a percentile of so few means nothing"
    assert main(["rollout", "series", rollout.pk, "-o", "json"]) == 0
    assert [row["weight"] for row in answer(capsys)["planned"]] == [0, 2500, 10_000]


def test_an_operator_steers_it(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = {"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}, {"set_weight": 50}]}
    release = ask(story.world, "--plan", json.dumps(plan))
    story.settle()
    rollout = story.rollout(release)
    capsys.readouterr()
    assert main(["release", "wait", release.pk, "--timeout", "0"]) == 5
    said = capsys.readouterr().err
    resume = f"placet rollout resume {rollout.pk} --reason …"
    assert f"step 2 of 4, a pause until resumed ({resume})" in said
    assert "; 5% of the requests go to it\n" in said
    become(story.world, "Otto", live_server.url, monkeypatch)
    for verb, expected in (
        ("pause", {"step": 1, "paused": True}),
        ("resume", {"step": 2, "paused": False}),
        ("promote", {"step": 3, "promoted": True}),
    ):
        assert main(["rollout", verb, rollout.pk, "--reason", "so", "-o", "json"]) == 0
        assert answer(capsys).items() >= expected.items()
    assert main(["rollout", "skip", rollout.pk, "--reason", "so"]) == 6
    assert main(["rollout", "retry", rollout.pk, "--reason", "so"]) == 6
    assert main(["rollout", "pause", rollout.pk]) == 2
    story.settle()
    assert Rollout.objects.get(pk=rollout.pk).state == "done"


LOOKS: dict[str, Any] = {"analysis": {"metrics": [{"metric": "error_rate", "margin": 0.01}]}}
SECOND = "version: 1\npass_over_analyses: second_person\ngates:\n  - {gate: build}\n"
ANALYSED = {"strategy": "canary", "steps": [{"set_weight": 5}, LOOKS, {"set_weight": 50}, LOOKS]}


def test_an_operator_reads_what_is_passed_over_and_a_second_one_confirms_it(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    story.world.policy("development", SECOND)
    release = ask(story.world, "--plan", json.dumps(ANALYSED))
    story.settle()
    rollout = story.rollout(release)
    become(story.world, "Otto", live_server.url, monkeypatch)
    capsys.readouterr()
    assert main(["rollout", "passing", rollout.pk]) == 0
    shown = capsys.readouterr().out
    assert "skip: passes over 1 analysis\n" in shown
    assert "promote: passes over 2 analyses\n" in shown
    assert "step 4, up to 3600 s, will not run: server errors at most 1 point" in shown
    assert main(["rollout", "promote", rollout.pk, "--reason", "late"]) == 0
    said = capsys.readouterr().err
    assert "Passes over 2 of the analyses that people signed:" in said
    assert "A second person is asked" in said
    assert main(["rollout", "passing", rollout.pk]) == 0
    shown = capsys.readouterr().out
    assert "Otto risk asks a second person to promote, passing over 2 analyses" in shown
    confirm = ["rollout", "confirm", rollout.pk, "--reason", "I agree"]
    assert main(confirm) == 2  # of what it must be said
    confirm += ["--digest", shown.split("--digest ")[1].split(")")[0]]
    assert main(confirm) == 3
    story.world.people["Olga"] = factories.person("Olga", roles={"operator": story.world.project})
    become(story.world, "Olga", live_server.url, monkeypatch)
    assert main(["rollout", "confirm", rollout.pk, "--reason", "ok", "--digest", "sha256:0"]) == 6
    refused = capsys.readouterr().err
    assert f"`placet rollout passing {rollout.pk}` shows what waits now" in refused
    assert main(confirm) == 0
    capsys.readouterr()
    assert Rollout.objects.get(pk=rollout.pk).promoted_by
    assert main(["release", "show", release.pk]) == 0
    said = capsys.readouterr().err
    assert "2 analyses that people signed were passed over by Otto risk, confirmed by Olga" in said


def test_a_request_to_pass_over_analyses_is_withdrawn_or_declined(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    story.world.policy("development", SECOND)
    release = ask(story.world, "--plan", json.dumps(ANALYSED))
    story.settle()
    rollout = story.rollout(release).pk
    story.world.people["Olga"] = factories.person("Olga", roles={"operator": story.world.project})
    for who, verb in (("Otto", ["withdraw"]), ("Olga", ["decline", "--reason", "no"])):
        become(story.world, "Otto", live_server.url, monkeypatch)
        assert main(["rollout", "skip", rollout, "--reason", "late"]) == 0
        capsys.readouterr()
        assert main(["rollout", "passing", rollout, "-o", "json"]) == 0
        verb += ["--digest", answer(capsys)["asked"]["digest"]]
        become(story.world, who, live_server.url, monkeypatch)
        assert main(["rollout", verb[0], rollout, *verb[1:]]) == 0
        capsys.readouterr()
        assert main(["rollout", verb[0], rollout, *verb[1:]]) == 6
        refused = capsys.readouterr().err
        assert f"`placet rollout passing {rollout}` shows what waits now" in refused
        assert "page" not in refused
    assert main(["rollout", "passing", rollout, "-o", "json"]) == 0
    assert answer(capsys)["asked"] is None


def test_who_deletes_an_endpoint_is_told_so(
    world: World,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    create_endpoint(
        world.project, environment="development", name="typo", target=world.target, actor=world.otto
    )
    become(world, "Otto", live_server.url, monkeypatch)
    assert main(["endpoint", "delete", "risk/development/typo"]) == 0
    assert capsys.readouterr().out == "Deleted risk/development/typo: its name is free again.\n"


def test_what_is_live_behind_a_stopped_endpoint_is_stopped_in_tables(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    release = story.lived()
    stop_endpoint(release.endpoint, actor=story.otto)
    commands = [
        ["release", "list", story.world.project.slug],
        ["release", "show", release.pk],
        ["endpoint", "revisions", release.endpoint_id],
    ]
    for command in commands:
        assert main(command) == 0
        table = capsys.readouterr().out
        assert "stopped" in table and " live " not in table, command
        assert main([*command, "-o", "json"]) == 0
        found = json.loads(capsys.readouterr().out)
        row = found[0] if isinstance(found, list) else found["release"]
        assert (row["state"], row["is_stopped"]) == ("live", True)
    start_endpoint(release.endpoint, actor=story.otto)
    assert main(commands[2]) == 0
    assert " live " in capsys.readouterr().out


def test_what_goes_to_a_revision_is_told_in_percent_and_not_of_one_that_is_stopped(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    release = story.lived()

    def traffic() -> list[str]:
        assert main(["endpoint", "revisions", release.endpoint_id]) == 0
        heads, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
        return [row[heads.index("TRAFFIC")] for row in rows]

    assert traffic() == ["100%", "–"], "nothing goes to the one before it"
    stop_endpoint(release.endpoint, actor=story.otto)
    assert traffic() == ["–", "–"]


def test_releases_are_listed_by_the_states_that_their_table_and_pages_name(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    release = story.lived()

    def listed(state: str) -> list[str]:
        assert main(["release", "list", "risk", "--state", state, "-o", "json"]) == 0
        return [row["id"] for row in json.loads(capsys.readouterr().out)]

    assert (listed("live"), listed("stopped")) == ([release.pk], [])
    stop_endpoint(release.endpoint, actor=story.otto)
    assert listed("stopped") == listed("Stopped") == [release.pk]
    assert listed("live") == [release.pk], "as the API has it: its state is live"
    assert listed("Rolled back") == []
    assert main(["release", "list", "risk", "--state", "halted"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "state" in said and "One of requested, approved, rolling_out, live" in said
    assert "retired, stopped" in said


def test_a_release_that_is_paused_is_not_listed_as_rolling_out(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [{"set_weight": 10}, {"pause": {"duration_seconds": 3600}}]
    release = story.under_way({"strategy": "canary", "steps": steps})
    for command in (["list", "risk"], ["show", release.pk]):
        assert main(["release", *command]) == 0
        assert "rolling_out" in capsys.readouterr().out
    pause(story.rollout(release), reason="traffic fell", actor=story.otto)
    for command in (["list", "risk"], ["show", release.pk]):
        assert main(["release", *command]) == 0
        said = capsys.readouterr().out
        assert "paused" in said and "rolling_out" not in said
    assert main(["release", "show", release.pk, "-o", "json"]) == 0
    assert answer(capsys)["release"]["state"] == "rolling_out", "the API's state stays"

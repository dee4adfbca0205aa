"""A pipeline waits for a release and learns from the exit code how it ended."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from apps.builds.models import Build, BuildLine
from apps.governance import actions
from apps.governance.models import Release
from apps.identity.actions import revoke_role
from apps.identity.models import RoleBinding
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet_client.cli import main
from tests.support.break_glass import broken, fragile
from tests.support.commands import answer
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def request(world: World, environment: str = "staging", **made: Any) -> list[str]:
    """Return the command that asks for a release and waits for it."""
    bento = world.bento(world.version(), **made)
    reference = f"risk/{bento.version.model.name}:{bento.version.number}"
    return ["release", "request", reference, "--environment", environment, "--wait"]


def test_a_failed_gate_ends_the_wait_at_once_and_is_named(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.policy(
        "staging", "version: 1\ngates:\n  - {gate: build}\n  - {gate: scan, allow: [safe]}\n"
    )
    begun = time.monotonic()
    assert main([*request(world, verdict="code-carrying"), "--timeout", "600"]) == 3
    assert time.monotonic() - begun < 300
    said = capsys.readouterr().err
    release = Release.objects.get()
    failed = next(g for g in release.gates if g["state"] == "failed")
    assert "Denied by policy" in said and failed["title"] in said and failed["reason"] in said
    assert not any(g["title"] in said for g in release.gates if g["passed"])
    assert main(["release", "wait", release.pk, "--timeout", "600"]) == 3


def test_who_does_not_wait_is_told_of_a_failed_gate_too(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.policy(
        "staging", "version: 1\ngates:\n  - {gate: build}\n  - {gate: scan, allow: [safe]}\n"
    )
    command = request(world, verdict="code-carrying")
    command.remove("--wait")
    assert main(command) == 0
    assert "cannot be approved as it is" in capsys.readouterr().err


def test_missing_people_and_slow_machines_differ(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = request(world)
    assert main([*asked, "--timeout", "0.2"]) == 4
    said = capsys.readouterr()
    assert "Still waiting" in said.err and "one reviewer: Rex risk, Rita risk" in said.err
    release = Release.objects.get()
    assert said.err.endswith(f"/releases/{release.pk}/\n") and not said.out
    world.decide(release, world.rex)
    assert main(["release", "wait", release.pk, "--timeout", "0.2"]) == 5
    assert "still approved" in capsys.readouterr().err
    build = ["build", "start", asked[2], "--accelerate", "-o", "json"]
    capsys.readouterr()
    assert main(build) == 0
    assert answer(capsys)["accelerate"] is True
    assert main(["build", "start", asked[2]]) == 6, "one of the other choice is open"
    assert main([*build, "--wait", "--timeout", "0.2"]) == 5


def test_what_an_emergency_passes_over_denies_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    release = fragile(world).request("staging")
    broken(world, release)
    assert "skipped" in {gate["state"] for gate in release.gates}
    assert main(["release", "wait", release.pk, "--timeout", "0.2"]) == 5
    said = capsys.readouterr().err
    assert "still approved" in said and "its rollout starts by itself" in said
    assert "Denied" not in said


def test_each_state_that_it_comes_into_is_said_where_no_terminal_is(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def turns(seconds: float) -> Iterator[bool]:
        yield from (False, False)
        world.decide(Release.objects.get(), world.rex)
        yield True

    monkeypatch.setattr("placet_client.cli.releases.polling", turns)
    assert main(request(world)) == 5
    said = f"Release 1 ({Release.objects.get().pk}) is"
    page, first, second, *end = capsys.readouterr().err.splitlines()
    assert first == f"{said} requested: Waiting for one reviewer: Rex risk, Rita risk"
    assert second == f"{said} approved: its rollout starts by itself"
    assert "still approved" in end[0]
    assert page == end[1] and page.startswith("→ ")


def test_what_is_held_says_by_whom_and_waits_on(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*request(world), "--timeout", "0"])
    release = Release.objects.get()
    world.decide(release, world.rita, "request_changes", comment="Show the gap\nby age")
    capsys.readouterr()
    assert main(["release", "wait", release.pk, "--timeout", "0.2"]) == 4
    said = capsys.readouterr().err
    assert "changes requested by Rita risk (“Show the gap by age”)" in said
    assert "one reviewer: Rex risk" in said and "Rex risk, Rita" not in said
    revoke_role(RoleBinding.objects.get(person=world.people["Rex"]), actor=SYSTEM)
    assert main(["release", "wait", release.pk, "--timeout", "0.2"]) == 4
    said = capsys.readouterr().err
    assert "Waiting for one reviewer, and Rita risk could, who requested changes" in said
    assert "). Held until Rita risk decides again or withdraws the request for changes" in said
    newer = world.request("staging", world.bento(world.version()))
    capsys.readouterr()
    assert main(["release", "show", newer.pk]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "It answers changes requested by Rita risk (as reviewer) on release 1" in said
    assert main(["release", "show", release.pk]) == 0
    assert "Release 2 of version 2 answers" in " ".join(capsys.readouterr().err.split())


def test_where_nobody_can_lift_what_holds_it_any_more_it_says_who_can_end_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*request(world), "--timeout", "0"])
    release = Release.objects.get()
    world.decide(release, world.rita, "request_changes", comment="Show the gap")
    for name in ("Rex", "Rita"):
        revoke_role(RoleBinding.objects.get(person=world.people[name]), actor=SYSTEM)
    capsys.readouterr()
    assert main(["release", "wait", release.pk, "--timeout", "0.2"]) == 4
    said = capsys.readouterr().err
    assert "Waiting for one reviewer, and no reviewer is left who could" in said
    assert "Rita risk could" not in said
    stuck = "Nobody can lift that request for changes now: Rita risk has no access here any more"
    assert f"{stuck}. The release can be rejected by Vera risk and Vito risk, or" in said
    assert main(["release", "show", release.pk]) == 0
    shown = capsys.readouterr()
    gate = next(line for line in shown.out.splitlines() if "One reviewer" in line)
    assert "Waiting for one reviewer, and no reviewer is left who could" in gate, "as wait says it"
    held = next(line for line in shown.out.splitlines() if "No changes requested" in line)
    assert f"Changes requested by Rita risk (“Show the gap”). {stuck}" in held


def test_a_rejection_is_a_denial_and_a_broken_rollout_is_an_error(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*request(world), "--timeout", "0"])
    release = Release.objects.get()
    world.decide(release, world.rex, "reject", comment="wrong data")
    assert main(["release", "wait", release.pk]) == 3
    assert "rejected" in capsys.readouterr().err
    Release.objects.filter(pk=release.pk).update(
        state="failed", ended_reason="no replica was ready"
    )
    assert main(["release", "wait", release.pk]) == 1
    assert "no replica was ready" in capsys.readouterr().err


def test_a_live_release_is_printed_also_when_the_next_one_took_over(world: World) -> None:
    first = world.live()
    assert main(["release", "wait", first.pk]) == 0
    second = world.request("development", world.bento(world.version()))
    actions.begin_rollout(second, actor=SYSTEM)
    actions.mark_live(second, actor=SYSTEM)
    first.refresh_from_db()
    assert first.state == "superseded"
    assert main(["release", "wait", first.pk]) == 0


def test_a_build_that_ended_is_followed_to_its_end_and_its_page(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    build = world.bento(world.version()).build
    BuildLine.objects.create(build=build, number=1, at=now(), step="scan", text="No code")
    command = ["build", "log", build.pk, "--follow"]
    assert main(command) == 0
    said = said_lines(capsys)
    assert said[:2] == ["scan      No code", f"Build {build.pk}: succeeded"]
    assert said[2].startswith("Bento sha256:") and said[3].endswith(f"/builds/{build.pk}/")
    Build.objects.filter(pk=build.pk).update(state="failed", error="no wheel for it")
    assert main(command) == 1
    assert said_lines(capsys)[-2] == "The build failed: no wheel for it"
    assert said[-1].endswith(f"/builds/{build.pk}/")


def said_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was said, without the log of the server that runs in the test's process."""
    return [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]


def test_lists_tell_what_has_failed_or_is_held_from_what_waits_for_people(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.policy(
        "staging",
        "version: 1\ngates:\n  - {gate: build}\n  - {gate: scan, allow: [safe]}\n"
        "  - {gate: approvals, role: reviewer, count: 1}\n",
    )
    for verdict in ("safe", "code-carrying", "safe"):
        world.request("staging", world.bento(world.version(), verdict=verdict))
    held = Release.objects.get(number=3)
    world.decide(held, world.rita, "request_changes", comment="Show the gap")

    def listed() -> list[str]:
        assert main(["release", "list", "risk"]) == 0
        heads, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
        return [row[heads.index("STATE")] for row in rows]

    assert listed() == ["held", "failed", "requested"]
    withdraw = actions.withdraw(held, actor=world.ada)
    assert (withdraw.state, listed()[0]) == ("withdrawn", "withdrawn")

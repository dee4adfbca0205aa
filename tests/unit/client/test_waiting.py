"""Whoever waits is told for what: a line that is rewritten on a terminal, else each change."""

import io
from typing import Any

import pytest
from rich.console import Console

from placet_client import Client, output
from placet_client.cli import waiting
from placet_client.cli.command import INTERRUPTED, CommandEnded
from placet_client.cli.waiting import release_stands, rollout_stands, spell, watching
from placet_client.records import ReleaseDetail, Rollout
from tests.contract.test_client import DOCUMENT, example

SCHEMAS = DOCUMENT["components"]["schemas"]
APPROVALS = {
    "gate": "approvals",
    "title": "One reviewer",
    "passed": False,
    "state": "waiting",
    "reason": "Waiting for one reviewer",
    "facts": {"role": "reviewer"},
}
NOTHING = {"waits_for": "", "too_few_people": ""}
SOAKED = APPROVALS | {"gate": "soaked", "title": "Soaked for 1 h", "reason": "18 of 60 min"}


def release(state: str = "requested", **changes: Any) -> ReleaseDetail:
    """Return a release as the API answers it."""
    body = example(SCHEMAS["ReleaseDetail"])
    stands = {"state": state, "is_stopped": False}
    body["release"] |= {"id": "rel_1", "number": 3, "plan": {}} | stands
    return ReleaseDetail.read(body | {"gates": [], "cannot_count": []} | NOTHING | changes)


def decider(name: str, needs: str = "", role: str = "reviewer") -> dict[str, Any]:
    """Return somebody who may still decide as the API tells them."""
    return {"id": f"per_{name}", "name": name, "roles": [role], "needs": needs}


def rollout(*steps: dict[str, Any], **changes: Any) -> Rollout:
    """Return a rollout at its last step."""
    body = example(SCHEMAS["Rollout"]) | {"id": "rol_1", "state": "shifting", "paused": False}
    body |= {"to_revision": "new", "weights": {"new": 2500}, "steps": list(steps)}
    return Rollout.read(body | {"step": len(steps) - 1} | changes)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which passes as the test says."""
    now = [100.0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def placet() -> Client:
    """A client that asks nothing."""
    return Client("http://placet.example", "plc_x")


def test_each_change_is_a_line_and_no_two_come_within_a_second(
    clock: list[float], placet: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    with watching(placet, "placet release wait rel_1", "release", "rel_1") as watch:
        told = []
        for seconds, text, key in (
            (0.0, "requested, 1 of 9", "requested"),
            (0.4, "approved", ""),
            (0.5, "rolling out, 5%", "5"),
            (0.4, "rolling out, 5% still", "5"),
            (9.0, "rolling out, 5% even now", "5"),
            (0.1, "live", ""),
        ):
            clock[0] += seconds
            watch.show(text, key)
            told.append(capsys.readouterr().err)
    assert told == ["requested, 1 of 9\n", "", "", "rolling out, 5% still\n", "", "live\n"]
    assert capsys.readouterr().err == ""


def test_what_was_held_back_is_told_at_the_end(
    clock: list[float], placet: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    with watching(placet, "placet build log bld_1 --follow", "build", "bld_1") as watch:
        watch.show("queued")
        watch.show("running", log=["scan  one", "scan  two"])
        watch.show("succeeded", log=["sign  three"])
        assert capsys.readouterr().err == "queued\n"
    said = capsys.readouterr().err.splitlines()
    assert said == ["scan  one", "scan  two", "sign  three", "succeeded"]


def test_a_terminal_has_one_line_that_is_rewritten_and_a_log_above_it(
    clock: list[float], placet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=80, _environ={"TERM": "xterm"})
    monkeypatch.setattr(output, "notes", terminal)
    with watching(placet, "placet build log bld_1 --follow", "build", "bld_1") as watch:
        for _ in range(20):
            clock[0] += 0.5
            watch.show("Build \x1b[2J is running")
        clock[0] += 120
        watch.show("Build is running still", log=["scan  one"])
    drawn = screen.getvalue()
    assert drawn.count("is running") <= 13, "once a second, and around the line of the log"
    assert "(9 s)" in drawn and "(2 min)" in drawn and "scan  one\n" in drawn
    assert "\\x1b[2J" in drawn
    assert drawn.endswith("\x1b[2K") or "\x1b[?25h" in drawn, "the line is gone, the cursor back"


def test_who_stops_waiting_is_told_how_to_wait_again(placet: Client) -> None:
    with (
        pytest.raises(CommandEnded) as end,
        watching(placet, "placet release wait rel_1", "release", "rel_1"),
    ):
        raise KeyboardInterrupt
    assert end.value.code == INTERRUPTED == 130
    assert str(end.value).splitlines()[-2:] == [
        "  placet release wait rel_1",
        "→ http://placet.example/releases/rel_1/",
    ]


def test_people_who_may_decide_are_named_and_the_many_are_counted() -> None:
    people = [decider(f"P{n}") for n in range(7)]
    other = decider("Alma", role="approver")
    text, _ = release_stands(release(gates=[APPROVALS], may_still_decide=[other, *people]))
    assert text == (
        "Release 3 (rel_1) is requested: Waiting for one reviewer: P0, P1, P2, P3, P4 and 2 more"
    )


def test_who_needs_something_first_is_not_waited_for_while_another_can_decide() -> None:
    rita = decider("Rita", "has not signed in yet")
    for people, said in (
        ([decider("Rex"), rita], ": Rex"),
        ([rita], ", and nobody can decide yet: Rita (has not signed in yet)"),
    ):
        text, _ = release_stands(release(gates=[APPROVALS], may_still_decide=people))
        assert text.endswith(f"Waiting for one reviewer{said}")


def test_where_nobody_may_decide_it_says_why() -> None:
    barred = [{"id": "per_1", "name": "Rex", "why": "Rex made it"}]
    view = release(gates=[APPROVALS], may_still_decide=[], cannot_count=barred)
    assert release_stands(view)[0].endswith("and no reviewer is left who could; Rex made it")


def test_what_counts_up_is_told_and_is_no_change_by_itself() -> None:
    one = release_stands(release(gates=[SOAKED], waits_for="No room on local"))
    two = release_stands(
        release(gates=[SOAKED | {"reason": "19 of 60 min"}], waits_for="No room on local")
    )
    assert one[0].endswith("requested: Soaked for 1 h: 18 of 60 min; No room on local")
    assert one[0] != two[0] and one[1] == two[1]
    assert release_stands(release(gates=[SOAKED]))[1] != one[1]


def test_an_approved_release_says_that_an_operator_starts_it() -> None:
    view = release("approved")
    assert release_stands(view)[0].endswith("is approved: its rollout starts by itself")
    frozen = APPROVALS | {"gate": "freeze", "title": "No freeze", "reason": "Until 14:00"}
    held = release_stands(release("approved", gates=[frozen]))[0]
    assert held.endswith("is approved: No freeze: Until 14:00")
    view.release.plan["start"] = "manual"
    assert "an operator starts it (placet release start rel_1)" in release_stands(view)[0]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"set_weight": 25.0}, "step 1 of 1, to 25%; 25% of the requests go to it"),
        ({"pause": {"duration_seconds": 600}}, "a pause of 10 min;"),
        ({"pause": {}}, "a pause until resumed (placet rollout resume rol_1 --reason …);"),
        ({"analysis": {"metrics": []}}, "an analysis;"),
        ({"ab_test": {}}, "an A/B test;"),
        ({"ship": {}}, "until shipped in the browser;"),
        ({"set_mirror": {"percent": 10.0}}, "copies of 10% of the requests;"),
        ({"set_header_route": {"header": "X-Try", "value": "v2"}}, "requests with X-Try: v2;"),
        ({"of_a_newer_server": 1}, "of a newer server;"),
    ],
)
def test_a_rollout_is_told_by_its_step_and_weight(step: dict[str, Any], words: str) -> None:
    assert words in rollout_stands(rollout(step))


def test_a_rollout_that_is_held_or_at_no_step_says_so() -> None:
    assert "placet rollout resume rol_1 --reason … goes on" in rollout_stands(rollout(paused=True))
    why = "Paused by Placet: step 3 did not get its replicas in time"
    assert rollout_stands(rollout(paused=True, waits=why)).startswith(f"p{why[1:]} (placet rollout")
    assert rollout_stands(rollout(state="starting")) == "its replicas start"
    assert rollout_stands(rollout(state="aborting", step=None)).startswith("aborting, 25%")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (61, "1 min"), (7500, "2 h 5 min")]
)
def test_a_time_is_short(seconds: float, words: str) -> None:
    assert spell(seconds) == words

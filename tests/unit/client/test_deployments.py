"""What the command line says of what served, as the page of deployments says it."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from placet_client.cli.deployments import approvers, lines

SINCE = datetime(2026, 11, 30, 11, 21, 39, 123456, tzinfo=UTC)


def line(**more: Any) -> dict[str, Any]:
    """Return the line of one revision that served."""
    one: dict[str, Any] = {
        "number": 2,
        "percent": 100.0,
        "model": "iris",
        "version": 2,
        "bento_digest": "sha256:0",
        "release": "rel_1",
        "approvals": (),
        "policy_number": 1,
        "since": SINCE,
        "until": None,
        "started": False,
    }
    row = SimpleNamespace(
        project="risk",
        environment="staging",
        endpoint_name="iris",
        state="active",
        revisions=(SimpleNamespace(**one | more),),
    )
    return next(lines([cast("Any", row)]))


@pytest.mark.parametrize("started", [True, False])
def test_times_are_to_the_second_whether_the_endpoint_was_started_or_not(started: bool) -> None:
    found = line(started=started, until=SINCE)
    mark = " (started)" if started else ""
    assert found["since"] == f"2026-11-30T11:21:39+00:00{mark}"
    assert found["until"] == "2026-11-30T11:21:39+00:00"


def test_what_needed_no_approval_says_so_in_the_words_of_the_page() -> None:
    assert line()["approved by"] == "nobody: the policy asks for no one"
    assert line(release="")["approved by"] == "not known"
    vera = approval("Vera", "approver")
    assert line(approvals=(vera,))["approved by"] == ["Vera (approver)"]


def test_an_endpoint_that_was_stopped_says_by_whom_and_when() -> None:
    assert runs(stop(by_name="Otto")) == "stopped by Otto at 2026-11-30T11:21:39+00:00"
    hidden = stop(by_name="Placet", recalled=True, recall=None)
    assert "stopped by a recall, not visible to you at 2026" in runs(hidden)
    recall = SimpleNamespace(id="rcl_1", by_name="Oda", withdrawn_at=None)
    assert "stopped by recall rcl_1 (by Oda) at 2026" in runs(stop(recalled=True, recall=recall))
    recall.withdrawn_at = SINCE
    said = f"recall rcl_1 (by Oda, withdrawn at {SINCE.isoformat(timespec='seconds')}) at 2026"
    assert said in runs(stop(recalled=True, recall=recall))
    assert runs(None) == "stopped"


def test_who_started_it_in_an_emergency_is_told_so() -> None:
    signed = [("Rob", "responder", True), ("Vera", "approver", True), ("Rex", "reviewer", False)]
    approvals = [approval(n, r, emergency=e) for n, r, e in signed]
    assert approvers(cast("Any", SimpleNamespace(approvals=approvals))) == [
        "Rob (responder, in an emergency)",
        "Vera (approver, in an emergency)",
        "Rex (reviewer)",
    ]


def test_who_was_recalled_since_is_told_so() -> None:
    recalled = SimpleNamespace(approvals=[approval("Vera", "approver", recalled_since=True)])
    assert approvers(cast("Any", recalled)) == ["Vera (approver, recalled since)"]


def approval(name: str, role: str, **more: bool) -> SimpleNamespace:
    """Return who approved what served."""
    return SimpleNamespace(
        **{"name": name, "role": role, "emergency": False, "recalled_since": False} | more
    )


def stop(**more: Any) -> SimpleNamespace:
    """Return who stopped an endpoint."""
    return SimpleNamespace(**{"at": SINCE, "recalled": False, "by_name": "Placet"} | more)


def runs(stopped: SimpleNamespace | None) -> str:
    """Return what the line of a stopped endpoint says of what runs there."""
    place = {"project": "risk", "environment": "staging", "endpoint_name": "iris"}
    row = SimpleNamespace(**place, state="stopped", revisions=(), stopped=stopped)
    return str(next(lines([cast("Any", row)]))["runs"])

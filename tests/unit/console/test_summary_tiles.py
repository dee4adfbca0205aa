"""What a release page says first: short, true, and never rosier than the evidence."""

from types import SimpleNamespace
from typing import Any

import pytest

from apps.console.queries.summary_tiles import clients_tile, gates_tile, scan_tile, smoke_tile
from apps.governance.gates.facts import GateResult


def gate(title: str, state: Any) -> GateResult:
    return GateResult(
        gate="x", title=title, passed=state == "passed", state=state, reason="", facts={}
    )


def test_gates_that_wait_are_counted_and_the_first_is_named() -> None:
    tile = gates_tile([gate("Scanned", "passed"), gate("One reviewer", "waiting")])
    assert (tile.tone, tile.word, tile.note) == ("wait", "1 of 2 passed", "One reviewer")
    assert tile.icon == "◷"


@pytest.mark.parametrize("state", ["failed", "error"])
def test_a_gate_that_failed_is_named_before_those_that_wait(state: str) -> None:
    held = [gate("One reviewer", "waiting"), gate("AUC at least 0.9", state)]
    tile = gates_tile(held)
    assert tile.tone == "fail"
    assert tile.note == "AUC at least 0.9, and 1 more"


def test_no_answer_is_no_pass() -> None:
    assert gates_tile([]).tone == "plain"
    assert scan_tile(None).tone == smoke_tile(None).tone == "fail"


@pytest.mark.parametrize(
    ("verdict", "tone"),
    [
        ("safe", "pass"),
        ("code-carrying", "wait"),
        ("malicious", "fail"),
        ("unknown", "fail"),
        (None, "fail"),
        ("a new word", "fail"),
    ],
)
def test_a_scan_is_green_only_when_it_is_safe(verdict: str | None, tone: str) -> None:
    tile = scan_tile({"verdict": verdict, "findings": 1})
    assert tile.tone == tone
    assert "1 finding" in tile.note
    assert "1 findings" not in tile.note


@pytest.mark.parametrize(
    ("result", "tone"),
    [("equal", "pass"), ("starts", "wait"), ("different", "fail"), ("failed", "fail"), (1, "fail")],
)
def test_a_smoke_test_is_green_only_when_every_output_was_equal(result: Any, tone: str) -> None:
    data = {"result": result, "rows": 20, "equal": 19, "isolation": "none"}
    assert smoke_tile(data).tone == tone
    assert "unprivileged user" in smoke_tile(data).note


def test_a_breaking_change_of_the_schema_is_named() -> None:
    change = {"side": "input", "name": "age", "change": "removed", "breaking": True}
    changes = SimpleNamespace(compared_with="churn:1", schema=[change])
    tile = clients_tile(changes, is_unknown=False)  # type: ignore[arg-type]
    assert (tile.tone, tile.note) == ("fail", "age")

"""What the page of a build says of its steps and of what was measured."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from apps.console.queries.build_page import BuildPage, measured, step_rows
from apps.console.queries.verdicts import build_sign

CLOSE = {
    "verdict": "accelerated",
    "equal": 5,
    "rows": 5,
    "max_absolute": 0.0012,
    "tolerance": {"absolute": 1e-05, "relative": 0.001},
}


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (
            "scan",
            {"verdict": "code-carrying", "findings": [{}]},
            ("wait", "Scan: code-carrying", "1 finding, nothing imported"),
        ),
        (
            "scan",
            {"verdict": "malicious", "findings": [{}, {}]},
            ("fail", "Scan: malicious", "2 findings, nothing imported"),
        ),
        (
            "smoke_test",
            {"result": "starts", "equal": 0, "rows": 0},
            ("wait", "Smoke test: starts", "no expected output to compare with"),
        ),
        (
            "smoke_test",
            {"result": "different", "equal": 1, "rows": 3},
            ("fail", "Smoke test: different", "1 of 3 outputs as expected"),
        ),
        (
            "acceleration",
            {"verdict": "original", "detail": "It answers otherwise"},
            ("wait", "ONNX: the original model is served", "It answers otherwise"),
        ),
        (
            "acceleration",
            CLOSE,
            (
                "pass",
                "Acceleration: ONNX is served",
                "5 of 5 rows equal, at most 0.0012 apart (allowed: 1e-05 + 0.001 of the value)",
            ),
        ),
        ("sbom", {"components": 41}, ("pass", "SBOM", "41 components")),
    ],
)
def test_what_was_measured_has_the_tone_that_it_has_everywhere(
    kind: str, data: dict[str, Any], said: tuple[str, str, str]
) -> None:
    found = measured(kind, data)
    assert (found.tone, found.title, found.note) == said


def build(**members: Any) -> Any:
    """Return a build with these members alone."""
    return SimpleNamespace(
        **{"accelerate": False, "timings": {}, "step": "", "error": ""} | members
    )


def page(**members: Any) -> BuildPage:
    """Return the page of a build with these members alone."""
    actor: Any = None
    return BuildPage(build(**members), actor, {}, [], [], [])


def test_steps_show_how_far_a_build_is() -> None:
    rows = step_rows(build(state="running", step="scan", timings={"fetch": 2.0}))
    assert [(r.name, r.state, r.took) for r in rows[:3]] == [
        ("fetch", "passed", "2 s"),
        ("scan", "running", "now"),
        ("runtime", "", ""),
    ]
    assert "accelerate" not in {r.name for r in rows}


@pytest.mark.parametrize(
    ("state", "own"), [("running", "running"), ("failed", "failed"), ("cancelled", "")]
)
def test_steps_before_the_present_one_have_ended_though_their_times_come_last(
    state: str, own: str
) -> None:
    rows = step_rows(build(state=state, step="runtime"))
    assert [row.state for row in rows[:4]] == ["passed", "passed", own, ""]


@pytest.mark.parametrize(
    ("smoke", "sign", "step"),
    [
        ("equal", ("pass", "✓", "Succeeded"), "passed"),
        ("starts", ("pass", "✓", "Succeeded"), "passed"),
        ("different", ("wait", "▲", "Succeeded, smoke test differs"), "failed"),
        ("failed", ("wait", "▲", "Succeeded, smoke test failed"), "failed"),
    ],
)
def test_a_build_that_predicts_otherwise_is_no_plain_success(
    smoke: str, sign: tuple[str, str, str], step: str
) -> None:
    found = build_sign("succeeded", smoke)
    assert (found.tone, found.icon, found.text) == sign
    rows = step_rows(build(state="succeeded", timings={"smoke": 1.0}), smoke)
    assert next(row.state for row in rows if row.name == "smoke") == step


def test_the_log_of_a_failed_build_opens_at_the_last_line_of_its_step() -> None:
    lines: Any = [SimpleNamespace(step=step) for step in ("fetch", "scan", "scan", "store")]
    failed = replace(page(state="failed", step="scan"), lines=lines)
    assert failed.fault_line is lines[2]
    assert replace(page(state="succeeded", step="scan"), lines=lines).fault_line is None
    assert page(state="failed", step="scan").fault_line is None


def test_a_build_that_runs_no_longer_waits_for_a_worker() -> None:
    assert page(state="queued").waits == "Waiting for a build worker…"
    assert page(state="running").waits == "Started…"
    assert page(state="succeeded").waits == "No log."


def test_a_failed_build_says_where_it_stopped_and_what_to_do() -> None:
    assert page(step="smoke").stopped_at.startswith("Stopped at step smoke. The version's")
    assert page().stopped_at.startswith("The version's files")
    assert page().error == "The build failed: see the log."


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"accelerate": False}, ""),
        ({"accelerate": True, "state": "running"}, "requested"),
        (
            {"accelerate": True, "state": "succeeded", "bento": SimpleNamespace(accelerated=True)},
            "ONNX form is served",
        ),
        ({"accelerate": True, "state": "succeeded"}, "original model is served"),
    ],
)
def test_what_came_of_acceleration(members: dict[str, Any], said: str) -> None:
    assert page(**members).acceleration == said


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, ""),
        ({"bento": SimpleNamespace(slim=True)}, "can be served slim"),
        ({"bento": SimpleNamespace(slim=False)}, "cannot be served slim"),
    ],
)
def test_a_build_says_whether_it_can_be_served_without_bentoml(
    members: dict[str, Any], said: str
) -> None:
    assert page(**members).slim == said

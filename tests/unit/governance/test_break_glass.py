"""What a policy may say of breaking the glass, and what a broken one steps over."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import placet_verify_js
from apps.governance import break_glass, gates, policies
from apps.governance.gates.facts import GateResult
from placet_verify.permit.break_glass import SKIPPABLE, break_glass_rule
from tests.unit.governance.test_gates import FACTS

GATES = "gates:\n  - {gate: build}\n"
NEVER = {
    "approvals",
    "build",
    "isolation",
    "model_signature",
    "scan",
}


def said(text: str) -> dict[str, Any]:
    return policies.parse(f"version: 1\nbreak_glass: {text}\n{GATES}").document["break_glass"]


def test_what_is_left_out_is_filled_in() -> None:
    assert said("{}") == {"people": 2, "hours": 4, "review_days": 3, "skip": [], "passkey": False}
    assert said("{skip: [soaked, freeze, soaked]}")["skip"] == ["freeze", "soaked"]


def test_a_policy_without_it_keeps_its_digest() -> None:
    document = policies.parse("version: 1\n" + GATES).document
    assert "break_glass" not in document
    assert break_glass_rule(document) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("yes", "Line 2: break_glass must be a mapping"),
        ("{people: 1}", "Line 2: break_glass.people must be a whole number from 2 to 5"),
        ("{people: true}", "Line 2: break_glass.people"),
        ("{hours: 73}", "Line 2: break_glass.hours must be a whole number from 1 to 72"),
        ("{hours: 1.5}", "Line 2: break_glass.hours"),
        ("{review_days: 0}", "Line 2: break_glass.review_days"),
        ("{skip: [scan]}", "Line 2: break_glass.skip must be a list of: evidence"),
        ("{skip: [approvals]}", "Line 2: break_glass.skip"),
        ("{skip: freeze}", "Line 2: break_glass.skip"),
        ("{skip: [[freeze]]}", "Line 2: break_glass.skip"),
        ("{passkey: 1}", "Line 2: break_glass.passkey must be true or false"),
        ("{who: me}", "Line 2: break_glass.who is not a member of break_glass"),
    ],
)
def test_a_mistake_is_named_by_its_line(text: str, says: str) -> None:
    with pytest.raises(policies.PolicyFault) as fault:
        said(text)
    assert str(fault.value).startswith(says)


def test_what_a_policy_may_skip_is_read_by_every_verifier() -> None:
    """Whatever is published is a policy that nodes can count by."""
    document = policies.parse(f"version: 1\nbreak_glass: {{skip: {list(SKIPPABLE)}}}\n{GATES}")
    rule = break_glass_rule(document.document)
    assert rule is not None and rule.skip == SKIPPABLE
    assert set(gates.GATES) == set(SKIPPABLE) | NEVER, "is a new gate one that people may skip?"
    in_browsers = (Path(placet_verify_js.__file__).parent / "source/break_glass.js").read_text()
    assert f"const SKIPPABLE = {json.dumps(SKIPPABLE)};" in in_browsers


def result(gate: str, state: str = "failed") -> GateResult:
    return GateResult(
        gate=gate,
        title=gate,
        passed=state == "passed",
        state=state,  # type: ignore[typeddict-item]
        reason="because",
        facts={},
    )


BROKEN = replace(FACTS, broken_glass=True)
POLICY = {"break_glass": {"skip": ["freeze"]}}


def test_it_steps_over_what_the_policy_names_and_the_approvals() -> None:
    results = [result("freeze"), result("approvals", "waiting"), result("build", "passed")]
    found = break_glass.skipped(results, POLICY, BROKEN)
    assert [r["state"] for r in found] == ["skipped", "skipped", "passed"]
    assert not any(r["passed"] for r in found[:2])
    assert found[0]["reason"] == "Bypassed by an emergency release. because"
    assert gates.passed(found)


@pytest.mark.parametrize("gate", ["scan", "build", "model_signature", "recall", "policy", "soaked"])
def test_and_over_nothing_else(gate: str) -> None:
    found = break_glass.skipped([result(gate)], POLICY, BROKEN)
    assert found == [result(gate)]
    lax = {"break_glass": {"skip": ["scan", "build", "model_signature", "recall", "policy"]}}
    if gate != "soaked":  # even when a document says so that nobody can publish
        assert break_glass.skipped([result(gate)], lax, BROKEN) == [result(gate)]


def test_nothing_is_stepped_over_where_it_is_whole_or_the_policy_has_none() -> None:
    assert break_glass.skipped([result("freeze")], POLICY, FACTS) == [result("freeze")]
    assert break_glass.skipped([result("freeze")], {}, BROKEN) == [result("freeze")]


def test_a_result_that_says_both_has_not_passed() -> None:
    odd = GateResult({**result("freeze", "skipped"), "passed": True})
    assert not gates.passed([odd])
    assert not gates.passed([result("freeze", "failed")])

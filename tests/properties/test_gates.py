"""Whatever a gate is given, it answers, and passes only when it says ``passed``."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from apps.governance import break_glass, gates, policies
from apps.governance.gates.facts import (
    BuildFact,
    DecisionFact,
    EvidenceFact,
    Facts,
    FreezeFact,
    LiveFact,
    SoakFact,
)
from apps.governance.gates.terms import comparisons, paths
from placet_verify.permit.break_glass import SKIPPABLE

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
EMPTY = Facts(
    now=NOON, bento_digest="b", environment="production", requester="ada", author="alan", version={}
)
times = st.datetimes(datetime(2026, 11, 1), datetime(2026, 12, 20)).map(  # noqa: DTZ001
    lambda t: t.replace(tzinfo=UTC)
)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["auc", "verdict", "result", "name", "type"]), inner)
    ),
    max_leaves=6,
)
data = st.dictionaries(st.sampled_from(["auc", "verdict", "result", "rows", "isolation"]), odd)
evidence = st.builds(
    EvidenceFact,
    kind=st.sampled_from(["metrics", "scan", "smoke_test", "fairness"]),
    source=st.sampled_from(["reported", "measured", "?"]),
    data=data,
    digest=st.just("e"),
    created_at=times,
)
signature = st.none() | odd.map(lambda o: {"inputs": [o]}) | data
people = st.sampled_from(["ada", "alan", "rex", "rita", "vera"])
decision = st.builds(
    DecisionFact,
    person=people,
    role=st.sampled_from(["reviewer", "approver", ""]),
    verdict=st.sampled_from(["approve", "request_changes", "reject", ""]),
)
facts = st.builds(
    Facts,
    now=st.just(NOON),
    bento_digest=st.just("b"),
    environment=st.just("production"),
    requester=people,
    author=people,
    version=data,
    signature=signature,
    serving=data,
    build=st.none()
    | st.builds(
        BuildFact,
        st.sampled_from(["succeeded", "failed"]),
        st.sampled_from(["bwrap", "user", ""]),
        st.sampled_from("bc"),
    ),
    evidence=st.lists(evidence, max_size=4),
    live=st.none()
    | st.builds(LiveFact, st.just("rel"), data, signature, st.lists(evidence, max_size=2)),
    decisions=st.lists(decision, max_size=5),
    freezes=st.lists(st.builds(FreezeFact, st.just("f"), times, st.none() | times), max_size=2),
    soaks=st.dictionaries(
        st.just("staging"),
        st.lists(st.builds(SoakFact, st.just("r"), times, st.none() | times), max_size=2),
    ),
)
document = policies.parse("""
version: 1
gates:
  - {gate: build, isolation: bwrap}
  - {gate: scan, allow: [safe]}
  - {gate: evidence, kind: fairness, fresher_than_days: 5}
  - gate: expression
    that: "evidence.metrics.auc >= 0.9 && evidence.metrics.auc >= live.metrics.auc"
  - {gate: schema}
  - {gate: soaked, environment: staging, for: 1d}
  - {gate: freeze}
  - {gate: approvals, role: reviewer, count: 2}
""").document


@given(facts)
def test_every_gate_answers_whatever_the_facts(given: Facts) -> None:
    results = gates.evaluate_all(document["gates"], given)
    held = any(d.verdict == "request_changes" for d in given.decisions)
    beside = ["changes"] * held
    assert [r["gate"] for r in results] == [*(g["gate"] for g in document["gates"]), *beside]
    for result in results:
        assert result["passed"] is (result["state"] == "passed")
        assert result["reason"] and result["title"]
        json.dumps(result, allow_nan=False)


@given(facts)
def test_without_facts_nothing_passes_but_the_absence_of_a_freeze(given: Facts) -> None:
    bare = replace(given, build=None, evidence=(), signature=None, decisions=(), soaks={})
    passing = {r["gate"] for r in gates.evaluate_all(document["gates"], bare) if r["passed"]}
    assert passing <= {"freeze"}


@given(st.lists(decision, max_size=8), st.integers(1, 3))
def test_approvals_pass_only_with_enough_other_people_and_no_rejection(
    decisions: list[DecisionFact], count: int
) -> None:
    gate = gates.read({"gate": "approvals", "role": "reviewer", "count": count})
    result = gates.evaluate(gate, replace(EMPTY, decisions=decisions))
    others = {d.person for d in decisions} - {"ada", "alan"}
    if result["passed"]:
        assert len(others) >= count
        assert {d.verdict for d in decisions} <= {"approve", "request_changes"}


@given(facts)
def test_nothing_passes_while_anybody_asks_for_changes(given: Facts) -> None:
    asks = DecisionFact("somebody", "reviewer", "request_changes")
    held = replace(given, decisions=[*given.decisions, asks], broken_glass=True)
    results = gates.evaluate_all(document["gates"], held)
    everything = {"break_glass": {"skip": [*SKIPPABLE, "changes"]}}
    assert not gates.passed(break_glass.skipped(results, everything, held))


@given(odd)
def test_any_gate_document_is_answered_or_refused(members: Any) -> None:
    raw = members if isinstance(members, dict) else {"gate": members}
    for name in gates.GATES:
        result = gates.evaluate({**raw, "gate": name}, EMPTY)
        assert result["passed"] is (result["state"] == "passed")
        try:
            gates.read({**raw, "gate": name})
        except ValidationError as fault:
            assert all(line["msg"] for line in fault.errors())


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_names_its_faults(source: str) -> None:
    try:
        policies.parse(source)
    except policies.PolicyFault as fault:
        assert all(f.line >= 1 and f.detail for f in fault.faults)


@given(st.text(alphabet="ab.&|!()<>=?:'\"[] 09", max_size=60))
def test_any_text_is_taken_apart_without_an_error(source: str) -> None:
    assert isinstance(comparisons(source), list)
    assert isinstance(paths(source, ("a", "b")), list)


def test_a_soak_counts_the_longest_stretch() -> None:
    hours = [SoakFact("r", NOON - timedelta(hours=h), None) for h in (1, 30)]
    gate = {"gate": "soaked", "environment": "staging", "for": "1d"}
    assert gates.evaluate(gate, replace(EMPTY, soaks={"staging": hours}))["passed"]

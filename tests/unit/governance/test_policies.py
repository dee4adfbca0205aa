"""Reading policies: what is written becomes one document, and mistakes are named by line."""

from itertools import product

import pytest

from apps.governance import policies
from apps.governance.passing_over import passing_over
from apps.governance.plan import DocumentFault
from apps.governance.policy_templates import DEFAULT, ENVIRONMENTS, TEMPLATES, template_named
from placet.kernel.problems import InvalidInput
from placet_verify import canonical
from tests.support.documents import plan_document, serving_document

GOOD = """\
version: 1
description: Two eyes more
gates:
  - {gate: scan}
  - gate: expression
    that: "evidence.metrics.auc >= 0.9"
  - {gate: approvals, role: approver, count: 2}
"""


def faults(source: str) -> list[str]:
    with pytest.raises(policies.PolicyFault) as fault:
        policies.parse(source)
    return [str(f) for f in fault.value.faults]


def test_defaults_are_filled_in_so_that_the_document_says_everything() -> None:
    document = policies.parse(GOOD).document
    assert document["expires_after_days"] == 14
    assert document["gates"][0] == {"gate": "scan", "allow": ["code-carrying", "safe"]}
    assert document["gates"][2] == {
        "gate": "approvals",
        "role": "approver",
        "count": 2,
        "exclude_requester": True,
        "exclude_author": True,
    }


def test_the_digest_is_over_the_meaning_not_over_the_spelling() -> None:
    spelled = GOOD.replace("{gate: scan}", "gate: scan\n    allow: [safe, code-carrying]")
    spelled = "# a remark\n" + spelled.replace("version: 1\n", "") + "version: 1\n"
    assert policies.parse(spelled).digest == policies.parse(GOOD).digest
    assert policies.parse(GOOD.replace("0.9", "0.8")).digest != policies.parse(GOOD).digest


@pytest.mark.parametrize(
    "old,new,says",
    [
        ("count: 2", "count: 0", "Line 7: gates[3].count must be a whole number from 1 to 20"),
        ("role: approver", "role: boss", "Line 7: gates[3].role must be one of: reviewer, pro"),
        ("gate: scan", "gate: scann", "Line 4: gates[1].gate must be one of: build, scan"),
        ("auc >= 0.9", "auc >= ", "Line 6: gates[2].that column"),
        ("version: 1", "version: 2", "Line 1: version must be 1"),
        ("description", "descripton", "Line 2: descripton is not a member of a policy"),
        ("{gate: scan}", "scan", "Line 4: gates[1] must be a mapping with the member gate"),
        ("{gate: scan}", "{gate: scan, allow: [malicious]}", "Line 4: gates[1].allow must be"),
        ("count: 2", "count: 2, min: 1", "Line 7: gates[3].min is not a member of this gate"),
        ("{gate: scan}", "{gate: scan, gate: build}", "Line 4: gates[1].gate stands twice"),
    ],
)
def test_a_mistake_is_named_by_line_and_member(old: str, new: str, says: str) -> None:
    assert any(fault.startswith(says) for fault in faults(GOOD.replace(old, new)))


def test_every_mistake_is_named_at_once() -> None:
    assert len(faults("version: 3\nx: 1\ngates:\n  - {gate: a}\n  - {gate: b}\n")) == 4


@pytest.mark.parametrize(
    "gates",
    [
        "[{gate: scan}, {gate: scan}]",
        "[{gate: approvals, role: reviewer}, {gate: approvals, role: reviewer, count: 2}]",
        "[]",
        "{}",
        "[" + "{gate: schema}," * 51 + "]",
    ],
)
def test_gates_that_contradict_each_other_or_are_not_there_are_refused(gates: str) -> None:
    assert faults(f"version: 1\ngates: {gates}\n")


@pytest.mark.parametrize(
    "source,says",
    [
        ("a: &a [1, 2]\nb: [*a, *a]\n", "anchor or alias"),
        ("version: !!python/object/apply:os.system ['true']\n", "tag"),
        ("[" * 2000, "nested deeper"),
        ("x: " + "y" * 70000, "longer than 64 KiB"),
        ("version: 1\n\x07", "Line 2: holds a control character"),
        ("version: 2026-11-25\n", "date"),
        ("version: 0x" + "f" * 40, "too large"),
        ("? [a]\n: 1\n", "without a plain name"),
        ("", "empty"),
        ("- 1\n", "must be a mapping"),
        ("a: b: c\n", "Line 1"),
        ("version: 1\n---\nversion: 2\n", "document"),
        ("\ud800", "unacceptable character"),
    ],
)
def test_hostile_and_odd_yaml_is_refused(source: str, says: str) -> None:
    assert says in faults(source)[0]


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize(
    ("template", "staging", "production"),
    [
        ("internal", [], ["approver"]),
        ("customer-facing", ["reviewer"], ["reviewer", "approver"]),
        ("regulated", ["security-reviewer"], ["product-reviewer", "approver"]),
    ],
)
def test_the_policies_of_each_template_are_valid(
    template: str, name: str, staging: list[str], production: list[str]
) -> None:
    document = policies.parse(TEMPLATES[template].sources[name]).document
    approvals = [g for g in document["gates"] if g["gate"] == "approvals"]
    asked = [role for g in approvals for role in [g["role"]] * g["count"]]
    assert asked == {"development": [], "staging": staging, "production": production}[name]
    isolation = next(g["isolation"] for g in document["gates"] if g["gate"] == "build")
    assert isolation == ("any" if name == "development" else "bwrap")
    (network,) = [g for g in document["gates"] if g["gate"] == "isolation"]
    anyway = {"gate": "isolation", "network": "any", "private": "refused"}
    assert network == (anyway if name == "development" else {"gate": "isolation", "network": "own"})


def test_a_regulated_project_asks_for_evidence_and_for_people_who_had_no_hand_in_it() -> None:
    gates = policies.parse(TEMPLATES["regulated"].sources["production"]).document["gates"]
    evidence = {g["kind"] for g in gates if g["gate"] == "evidence"}
    assert evidence == {"metrics", "model_card", "fairness", "explainability"}
    approvals = [g for g in gates if g["gate"] == "approvals"]
    assert all(g["not_last_touched"] and g["exclude_requester"] for g in approvals)
    assert [g["for"] for g in gates if g["gate"] == "soaked"] == ["24h"]


@pytest.mark.parametrize("says", ["allow", "second_person", "forbid"])
def test_a_policy_says_whether_analyses_may_be_passed_over(says: str) -> None:
    document = policies.parse(f"{GOOD}pass_over_analyses: {says}\n").document
    assert document["pass_over_analyses"] == passing_over(document) == says


def test_a_policy_that_says_nothing_of_it_allows_it_and_has_the_digest_it_always_had() -> None:
    read = policies.parse(GOOD)
    assert "pass_over_analyses" not in read.document
    assert passing_over(read.document) == "allow"
    assert read.digest == canonical.digest(read.document)
    assert passing_over({"pass_over_analyses": "by_committee"}) == "forbid"


@pytest.mark.parametrize("wrong", ["never", "null", "true", "[forbid]", ""])
def test_what_is_wrong_about_passing_over_is_named(wrong: str) -> None:
    says = "Line 8: pass_over_analyses must be one of: allow, second_person, forbid"
    assert faults(f"{GOOD}pass_over_analyses: {wrong}\n") == [says]


def test_only_regulated_production_asks_a_second_person_to_pass_over_an_analysis() -> None:
    asked = [
        (template, name)
        for template, name in product(TEMPLATES, ENVIRONMENTS)
        if "pass_over_analyses" in policies.parse(TEMPLATES[template].sources[name]).document
    ]
    assert asked == [("regulated", "production")]


def test_a_template_that_is_none_is_refused_by_name() -> None:
    assert template_named("").name == DEFAULT
    with pytest.raises(InvalidInput) as refused:
        template_named("lax")
    assert refused.value.errors[0].detail == "One of internal, customer-facing, regulated"


def test_a_plan_and_a_serving_configuration_get_their_defaults() -> None:
    assert plan_document(None) == {
        "strategy": "replace",
        "start": "on_approval",
        "keep_warm_seconds": 86400,
        "ready_timeout_seconds": 300,
        "when_busy": "wait",
        "steps": [{"set_weight": 100}],
    }
    assert serving_document({"replicas": 2}) == {
        "replicas": 2,
        "max_replicas": 2,
        "memory_mb": 1024,
        "variables": {},
        "egress": [],
    }


def test_what_may_be_reached_is_written_in_its_one_form() -> None:
    asked = serving_document({"egress": ["DB.Example:5432", "[2001:db8::1]:443"]})
    assert asked["egress"] == ["db.example:5432", "[2001:db8::1]:443"]


def test_every_fault_of_a_configuration_is_named_at_once() -> None:
    with pytest.raises(DocumentFault) as fault:
        serving_document({"replicas": 0, "egress": ["db:1", "db"], "variables": {"MODE\n": "x"}})
    assert [p for p, _ in fault.value.faults] == [
        "/serving/replicas",
        "/serving/variables/MODE\n",
        "/serving/egress/1",
    ]


def test_a_unit_stands_in_a_serving_configuration_only_when_it_was_asked_for() -> None:
    asked = serving_document({"unit": {"header": "X-User"}})

    assert asked["unit"] == {"header": "X-User"}
    assert "unit" not in serving_document({})  # a digest of before stays what it was


@pytest.mark.parametrize(
    "document,pointer",
    [
        ({"replicas": 0}, "/serving/replicas"),
        ({"replicas": True}, "/serving/replicas"),
        ({"replicas": 3, "max_replicas": 2}, "/serving/max_replicas"),
        ({"memory_mb": "1G"}, "/serving/memory_mb"),
        ({"variables": {"lower": "x"}}, "/serving/variables/lower"),
        ({"variables": {"PLACET_RELEASE": "x"}}, "/serving/variables/PLACET_RELEASE"),
        ({"variables": {"LD_PRELOAD": "x"}}, "/serving/variables/LD_PRELOAD"),
        ({"variables": {"A": "two\nlines"}}, "/serving/variables/A"),
        ({"variables": {"MODE\n": "x"}}, "/serving/variables/MODE\n"),
        ({"variables": {"PATH": "/runtime/bin"}}, "/serving/variables/PATH"),
        ({"variables": {"A": "shown \u202eotherwise"}}, "/serving/variables/A"),
        ({"variables": {"A": "\u00a0"}}, "/serving/variables/A"),
        ({"variables": {f"M{n}": "é" * 4096 for n in range(4)}}, "/serving/variables"),
        ({"variables": [["A", "b"]]}, "/serving/variables"),
        ({"egress": "db:1"}, "/serving/egress"),
        ({"egress": None}, "/serving/egress"),
        ({"egress": ["db:1", "localhost:1"]}, "/serving/egress/1"),
        ({"egress": ["db:1", "DB:1"]}, "/serving/egress/1"),
        ({"egress": ["db:1\n"]}, "/serving/egress/0"),
        ({"variables": {"A": 1}}, "/serving/variables/A"),
        ({"gpu": 1}, "/serving/gpu"),
        ({"unit": {"header": "Authorization"}}, "/serving/unit"),
        ({"unit": {"header": "X-User", "cookie": "uid"}}, "/serving/unit"),
        ({"unit": None}, "/serving/unit"),
    ],
)
def test_a_wrong_serving_configuration_is_named(document: dict[str, object], pointer: str) -> None:
    with pytest.raises(DocumentFault) as fault:
        serving_document(document)
    assert [p for p, _ in fault.value.faults] == [pointer]


@pytest.mark.parametrize(
    "document",
    [
        {"strategy": "yolo"},
        {"start": "now"},
        {"ready_timeout_seconds": 1},
        {"when_busy": "yolo"},
        {"keep_warm_seconds": -1},
        {"steps": []},
    ],
)
def test_a_wrong_plan_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(DocumentFault):
        plan_document(document)

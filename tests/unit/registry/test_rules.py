"""What the registry takes and what it refuses, in words."""

import math

import pytest

from apps.registry import rules
from placet_verify.archive import ArchiveNames, check_name

SIGNATURE = {
    "inputs": [
        {"name": "age", "type": "integer"},
        {"name": "income/year", "type": "double", "required": False},
        {"name": "embedding", "type": "float", "shape": [2], "required": False},
    ],
    "outputs": [{"name": "prediction", "type": "long"}],
}


@pytest.mark.parametrize("name", ["churn", "breast-cancer", "a1_b2", "0"])
def test_plain_names_are_taken(name: str) -> None:
    assert rules.model_name_faults(name) == []


@pytest.mark.parametrize("name", ["", "Churn", "a b", "-a", "a-", "a--b", "../a", "é", "a" * 81])
def test_odd_names_are_refused(name: str) -> None:
    assert rules.model_name_faults(name)[0].pointer == "/name"


@pytest.mark.parametrize("name", ["latest", "7", "v12"])
def test_an_alias_cannot_be_taken_for_a_version(name: str) -> None:
    assert "taken for a version" in rules.alias_faults(name)[0].detail


@pytest.mark.parametrize("name", ["live-production", "live-development", "live-"])
def test_an_alias_that_says_what_is_live_is_for_releases(name: str) -> None:
    (fault,) = rules.reserved_alias_faults(name)
    assert (fault.pointer, "set by releases" in fault.detail) == ("/alias", True)


@pytest.mark.parametrize("name", ["live", "alive-production", "lively", "champion"])
def test_other_aliases_are_for_everybody(name: str) -> None:
    assert rules.reserved_alias_faults(name) == []


@pytest.mark.parametrize(
    "path", ["model.joblib", "data/model.pkl", "Modell für Köln.onnx", ".hidden", "a-b/c_d.e"]
)
def test_plain_paths_are_taken(path: str) -> None:
    assert rules.path_faults(path) == []


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../model.pkl",
        "a/../../b",
        "a//b",
        "./a",
        "a/",
        "a\\b",
        "C:model.pkl",
        "a\x00b",
        "a\nb",
        "evil\u202egnp.exe",
        "zero\u200bwidth",
        " a",
        "a /b",
        "a.",
        "cafe\u0301",
        "a?b",
        "/".join(["ü" * 60] * 4),
        "/".join(["d" * 96] * 4 + ["x"]),  # with src/artifact/ more than an archive holds
        "NUL",
        "aux.txt",
        "models/com1.pkl",
        "a\x1b[2Jb",
        "x" * 401,
        "ü" * 150,
        "/".join("d" * 21),
    ],
)
def test_paths_that_leave_or_mislead_are_refused(path: str) -> None:
    assert rules.path_faults(path)


def test_the_longest_path_fits_into_a_bento() -> None:
    path = "/".join(["d" * 96] * 4)
    assert rules.path_faults(path) == []
    check_name(f"src/artifact/{path}")


def beside(path: str, existing: list[str]) -> str:
    return ArchiveNames(existing).conflict(path)


def test_two_paths_that_are_one_file_somewhere_do_not_lie_together() -> None:
    assert beside("Model.pkl", ["a", "model.pkl"]) == "model.pkl"
    assert beside("a/b", ["a"]) == "a"
    assert beside("a", ["a/b"]) == "a/b"
    assert beside("ab", ["a", "a.b"]) == ""
    assert beside("Data/a", ["data/b"]) == "data/b"
    assert beside("data/Raw/a", ["data/a", "data/raw/b"]) == "data/raw/b"
    assert beside("fi.txt", ["\ufb01.txt"]) == "\ufb01.txt"
    assert beside("data/a", ["data/b", "Other/a", "other.d/a"]) == ""


@pytest.mark.parametrize(
    "line",
    [
        "scikit-learn==1.7.2",
        "numpy>=2,<3",
        "pandas[parquet]==2.3.1",
        'tomli==2.0.1; python_version < "3.11"',
        "torch==2.5.0+cpu",
        "scipy",
    ],
)
def test_names_and_versions_are_taken(line: str) -> None:
    assert rules.requirement_faults([line]) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("evil @ https://example.com/evil.whl", "URLs"),
        ("evil @ file:///tmp/evil.whl", "URLs"),
        ("git+https://example.com/evil.git", "URLs"),
        ("https://example.com/evil.whl", "URLs"),
        ("./evil.whl", "URLs"),
        ("../evil", "URLs"),
        ("evil.whl/", "URLs"),
        ("-r other.txt", "Options"),
        ("-e .", "Options"),
        ("--index-url https://example.com", "Options"),
        ("--extra-index-url=https://example.com", "Options"),
        ("numpy==2 --hash=sha256:00", "Not a requirement"),
        ("numpy==2\n--index-url x", "control characters"),
        ("numpy{{x}}", "control characters"),
        ("numpy===2", "=="),
        ("", "1 to"),
        ("numpy == == 2", "Not a requirement"),
        ("n" * 301, "1 to"),
    ],
)
def test_requirements_that_fetch_from_elsewhere_are_refused(line: str, why: str) -> None:
    faults = rules.requirement_faults(["numpy==2.0", line])
    assert [fault.pointer for fault in faults] == ["/requirements/1"]
    assert why in faults[0].detail


def test_a_package_is_required_once() -> None:
    assert "twice" in rules.requirement_faults(["Scikit_Learn==1", "scikit-learn==2"])[0].detail


def test_a_pin_is_an_exact_version() -> None:
    assert rules.pinned_version(["numpy==2", "Scikit.Learn==1.7.2"], "scikit-learn") == "1.7.2"
    assert rules.pinned_version(["scikit-learn>=1.7"], "scikit-learn") == ""
    assert rules.pinned_version(["scikit-learn==1.*"], "scikit-learn") == ""


def test_a_good_signature_has_no_faults() -> None:
    assert rules.signature_faults(SIGNATURE) == []


@pytest.mark.parametrize(
    ("signature", "pointer"),
    [
        ([], "/signature"),
        ({"inputs": []}, "/signature"),
        ({**SIGNATURE, "inputs": []}, "/signature/inputs"),
        ({**SIGNATURE, "outputs": "x"}, "/signature/outputs"),
        ({**SIGNATURE, "inputs": [{"name": "a"}]}, "/signature/inputs/0"),
        ({**SIGNATURE, "inputs": [{"name": "a", "type": "tensor"}]}, "/signature/inputs/0/type"),
        ({**SIGNATURE, "inputs": [{"name": "a", "type": ["long"]}]}, "/signature/inputs/0/type"),
        ({**SIGNATURE, "inputs": [{"name": "", "type": "long"}]}, "/signature/inputs/0/name"),
        ({**SIGNATURE, "inputs": [{"name": "{{", "type": "long"}]}, "/signature/inputs/0/name"),
        ({**SIGNATURE, "inputs": [{"name": "a\n", "type": "long"}]}, "/signature/inputs/0/name"),
        (
            {**SIGNATURE, "inputs": [{"name": "a", "type": "long"}] * 2},
            "/signature/inputs/1/name",
        ),
        (
            {**SIGNATURE, "inputs": [{"name": "a", "type": "long", "shape": [0]}]},
            "/signature/inputs/0/shape",
        ),
        (
            {**SIGNATURE, "inputs": [{"name": "a", "type": "long", "required": 1}]},
            "/signature/inputs/0/required",
        ),
    ],
)
def test_a_faulty_signature_is_named_by_place(signature: object, pointer: str) -> None:
    assert [fault.pointer for fault in rules.signature_faults(signature)] == [pointer]


def test_an_example_that_fits_has_no_faults() -> None:
    rows = [
        {"age": 3},
        {"age": 4, "income/year": 1, "embedding": [0.5, 1]},
        {"age": 5, "income/year": None},
    ]
    assert rules.example_faults(rows, SIGNATURE) == []


@pytest.mark.parametrize(
    ("row", "pointer"),
    [
        ({}, "/example/0/age"),
        ({"age": None}, "/example/0/age"),
        ({"age": True}, "/example/0/age"),
        ({"age": 1.5}, "/example/0/age"),
        ({"age": 2**31}, "/example/0/age"),
        ({"age": 1, "income/year": "x"}, "/example/0/income~1year"),
        ({"age": 1, "income/year": math.nan}, "/example/0/income~1year"),
        ({"age": 1, "embedding": [1.0]}, "/example/0/embedding"),
        ({"age": 1, "embedding": 1.0}, "/example/0/embedding"),
        ({"age": 1, "shoe": 1}, "/example/0/shoe"),
        ([1], "/example/0"),
    ],
)
def test_an_example_row_that_does_not_fit_is_named_by_column(row: object, pointer: str) -> None:
    assert [fault.pointer for fault in rules.example_faults([row], SIGNATURE)] == [pointer]


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**53 + 1, 10**16, 2**63])
@pytest.mark.parametrize("shape", [None, [1]])
def test_a_whole_number_of_2_to_53_in_an_example_is_refused_by_place(
    number: int, shape: list[int] | None
) -> None:
    column = {"name": "id/of", "type": "long"} | ({"shape": shape} if shape else {})
    signature = {**SIGNATURE, "inputs": [column]}

    def faults(value: int) -> list[tuple[str, str]]:
        row = {"id/of": [value] if shape else value}
        return [(f.pointer, f.detail) for f in rules.example_faults([row], signature)]

    assert faults(2**53 - 1) == faults(1 - 2**53) == []
    detail = "A number beyond 2^53 is not read alike everywhere: write it as text"
    assert faults(number) == [("/example/0/id~1of" + ("/0" if shape else ""), detail)]


def test_expected_outputs_come_one_per_row() -> None:
    rows = [{"age": 1}, {"age": 2}]
    assert rules.expected_faults([0, [0.1, 0.9]], rows) == []
    assert rules.expected_faults([0], rows)[0].pointer == "/expected"
    assert rules.expected_faults([0, None], rows)[0].pointer == "/expected/1"
    assert rules.expected_faults([0, math.inf], rows)[0].pointer == "/expected/1"
    assert rules.expected_faults([0], None)[0].pointer == "/expected"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "0.9", True, None, 2**53])
def test_a_metric_is_a_finite_number(value: object) -> None:
    faults = rules.evidence_faults("metrics", {"auc": value})
    assert faults
    assert faults[0].pointer == "/data/auc"


def test_metrics_have_names_that_policies_can_speak_of() -> None:
    assert rules.evidence_faults("metrics", {"auc": 0.9, "f1-score": 1, "test/recall": 0}) == []
    assert rules.evidence_faults("metrics", {})[0].pointer == "/data"
    assert rules.evidence_faults("metrics", {"1st": 1})[0].pointer == "/data/1st"


def test_each_kind_of_evidence_says_what_it_lacks() -> None:
    faults = rules.evidence_faults("scan", {"verdict": "fine", "findings": []})
    assert {fault.pointer for fault in faults} == {"/data/verdict", "/data/scanner"}
    assert rules.evidence_faults("opinion", {})[0].pointer == "/kind"
    assert rules.evidence_faults("document", []) != []


def test_every_kind_of_evidence_can_be_given() -> None:
    hexes = "0" * 64
    given = {
        "metrics": {"auc": 1},
        "scan": {"verdict": "safe", "findings": [], "scanner": {}},
        "model_signature": {"result": "trusted", "key": f"sha256:{hexes}", "files": 3},
        "smoke_test": {"result": "equal", "rows": 3, "equal": 3, "isolation": "bwrap"},
        "acceleration": {
            "verdict": "accelerated",
            "rows": 3,
            "max_absolute": 1e-7,
            "max_relative": 0.0,
            "tolerance": {"absolute": 1e-5, "relative": 1e-5},
        },
        "load_test": {"requests": 10, "failed": 0, "p95_ms": 1.5},
        "sbom": {"format": "CycloneDX", "components": 3, "sha256": hexes},
        "fairness": {"attribute": "sex", "metrics": {"gap": 0.1}},
        "explainability": {"method": "permutation", "importances": {"age": 0.3}},
        "data_quality": {"rows": 5, "checks": [{"name": "no nulls", "passed": True}]},
        "model_card": {"sha256": hexes},
        "document": {"title": "Validation report", "sha256": hexes},
    }
    assert set(given) == set(rules.KINDS)
    assert {kind: rules.evidence_faults(kind, data) for kind, data in given.items()} == {
        kind: [] for kind in given
    }


def test_a_load_test_has_no_latency_below_zero_and_other_metrics_may_be() -> None:
    good = {"requests": 10, "failed": 0, "p95_ms": 0}
    wrong = {"p95_ms": -1, "p99_9_ms": -0.5, "mean_ms": -2, "drift": -1}
    found = rules.evidence_faults("load_test", good | wrong)
    assert [fault.pointer for fault in found] == ["/data/p95_ms", "/data/p99_9_ms", "/data/mean_ms"]
    assert rules.evidence_faults("load_test", good) == []
    assert rules.evidence_faults("metrics", {"p95_ms": -1}) == [], "named by whoever measured it"


def test_a_document_has_a_title_that_can_be_read() -> None:
    (fault,) = rules.evidence_faults("document", {"title": "  ", "sha256": "0" * 64})
    assert fault.pointer == "/data/title"


def test_evidence_cannot_nest_without_end_or_grow_without_end() -> None:
    deep: dict[str, object] = {}
    for _ in range(40):
        deep = {"x": deep}
    data = {"title": "t", "sha256": "0" * 64}
    assert "deeper" in rules.evidence_faults("document", {**data, "more": deep})[0].detail
    assert "kB" in rules.evidence_faults("document", {**data, "more": "x" * 600_000})[0].detail


def test_lineage_names_data_by_digest_and_code_by_commit() -> None:
    good = {
        "datasets": [{"name": "train", "digest": "sha256:" + "a" * 64}],
        "code": {"repository": "https://example.com/x", "commit": "abcdef1"},
        "run": {"id": "r1"},
        "parent": "ver_" + "0" * 32,
    }
    assert rules.lineage_faults(good) == []
    assert rules.lineage_faults({}) == []
    wrong = {
        "/lineage": {"weather": 1},
        "/lineage/datasets/0/digest": {"datasets": [{"name": "t", "digest": "md5:1"}]},
        "/lineage/datasets/0": {"datasets": ["train"]},
        "/lineage/code/commit": {"code": {"commit": "HEAD"}},
        "/lineage/run": {"run": {"who": "me"}},
        "/lineage/parent": {"parent": 3},
    }
    for pointer, lineage in wrong.items():
        assert [fault.pointer for fault in rules.lineage_faults(lineage)] == [pointer]


def test_tags_and_parameters_are_small_and_plain() -> None:
    assert rules.tag_faults({"team": "risk"}) == []
    assert rules.tag_faults({"team": 1})[0].pointer == "/tags/team"
    assert rules.tag_faults({"a b": "x"})[0].pointer == "/tags/a b"
    assert rules.tag_faults({"a": "x\ny"})[0].pointer == "/tags/a"
    assert rules.tag_faults([])[0].pointer == "/tags"
    assert rules.parameter_faults({"depth": 3, "grid": [1, 2]}) == []
    assert rules.parameter_faults({"depth": math.nan})[0].pointer == "/parameters/depth"
    assert rules.parameter_faults({"note": "x" * 10_001})[0].pointer == "/parameters/note"


def test_a_python_version_is_a_minor_release() -> None:
    assert rules.python_version_faults("3.13") == []
    assert rules.python_version_faults("") == []
    assert rules.python_version_faults("3.13.1")
    assert rules.python_version_faults("2.7")


def test_a_sample_of_an_answer_stays_short_whatever_the_signature_says() -> None:
    small = {"name": "y", "type": "double", "shape": [2, 2]}
    assert rules.answer_form([small]) == "[[0.5, 0.5], [0.5, 0.5]]"
    wide = {"name": "y", "type": "long", "shape": [4] * 8}
    assert len(rules.answer_form([wide])) < 200
    many = [{**wide, "name": f"n{number}"} for number in range(2000)]
    assert len(rules.answer_form(many)) < 2000
    assert rules.answer_form(many).endswith(", …}")

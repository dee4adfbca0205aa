"""The ML bill of materials is CycloneDX 1.7 to the letter, says what is known, and no more."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from apps.builds.ml_bom import ml_bom
from apps.builds.models import Bento
from apps.identity.models import Project
from apps.registry.models import Evidence, ModelVersion, RegisteredModel
from placet_verify import canonical

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_7)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
DATA = "sha256:" + "d" * 64
CARD = """---
pipeline_tag: tabular-classification
model_architecture: forest of 50 trees
considerations:
  users: [loan officers]
  use_cases: Ranking applications
  technical_limitations: [Unknown towns]
  ethical_considerations:
    - {name: Age, mitigation: Left out of the inputs}
    - {}
---
# A model
"""


def version(**changes: Any) -> ModelVersion:
    project = Project(slug="risk", name="Risk")
    values = {
        "number": 3,
        "state": "finalised",
        "format": "xgboost",
        "python_version": "3.13",
        "artifact_digest": "sha256:" + "a" * 64,
        "requirements": ["xgboost==3.1.0"],
        "signature": {
            "inputs": [
                {"name": "age", "type": "long"},
                {"name": "v", "type": "double", "shape": [2, 3]},
            ],
            "outputs": [{"name": "prediction", "type": "long"}],
        },
        "lineage": {
            "datasets": [{"name": "loans", "digest": DATA}],
            "code": {"repository": "ssh://host/a b", "commit": "c" * 40},
        },
        "card": CARD,
        "created_at": NOON,
        "finalised_at": NOON,
    }
    model = RegisteredModel(name="churn", project=project)
    return ModelVersion(model=model, project=project, **(values | changes))


def facts(**data: Any) -> dict[str, Evidence]:
    return {kind: Evidence(kind=kind, data=value) for kind, value in data.items()}


def bento() -> Bento:
    return Bento(provenance="{}", model_signature="{}", sbom="b" * 64)


def read(raw: bytes) -> Any:
    assert VALIDATOR.validate_str(raw.decode()) is None
    return json.loads(raw)


def test_the_card_is_filled_from_what_is_known() -> None:
    known = facts(
        metrics={
            "auc": 0.91,
            "recall": 0.8,
            "recall/lower": 0.75,
            "recall/upper": 0.85,
            "recall@over-60": 0.7,
        },
        fairness={"attribute": "age", "metrics": {"parity": 0.97}},
    )
    document = read(ml_bom(version(), known, bento()))
    model = document["metadata"]["component"]
    assert (model["type"], model["group"], model["name"], model["version"]) == (
        "machine-learning-model",
        "risk",
        "churn",
        "3",
    )
    assert model["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    card = model["modelCard"]
    assert card["modelParameters"] == {
        "task": "tabular-classification",
        "architectureFamily": "gradient-boosted trees",
        "modelArchitecture": "forest of 50 trees",
        "datasets": [{"ref": DATA}],
        "inputs": [{"format": "age: long"}, {"format": "v: double[2, 3]"}],
        "outputs": [{"format": "prediction: long"}],
    }
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "auc", "value": "0.91"},
        {
            "type": "recall",
            "value": "0.8",
            "confidenceInterval": {"lowerBound": "0.75", "upperBound": "0.85"},
        },
        {"type": "recall", "slice": "over-60", "value": "0.7"},
        {"type": "parity", "slice": "age", "value": "0.97"},
    ]
    assert card["considerations"] == {
        "users": ["loan officers"],
        "useCases": ["Ranking applications"],
        "technicalLimitations": ["Unknown towns"],
        "ethicalConsiderations": [{"name": "Age", "mitigationStrategy": "Left out of the inputs"}],
        "fairnessAssessments": [{"groupAtRisk": "age"}],
    }
    [data] = document["components"]
    assert (data["type"], data["name"]) == ("data", "loans")
    assert data["hashes"] == [{"alg": "SHA-256", "content": "d" * 64}]
    papers = {one["type"]: one for one in model["externalReferences"]}
    assert {kind: one["url"] for kind, one in papers.items()} == {
        "digital-signature": "model.sig",
        "attestation": "provenance.json",
        "bom": "sbom.json",
    }
    [signed] = papers["digital-signature"]["hashes"]
    assert f"sha256:{signed['content']}" == canonical.digest(b"{}")


def test_what_nobody_said_is_left_out() -> None:
    bare = version(signature=None, lineage={}, card="", requirements=[], format="sklearn")
    document = read(ml_bom(bare, {}, None))
    assert document["metadata"]["component"].keys() == {
        "type",
        "bom-ref",
        "group",
        "name",
        "version",
        "hashes",
        "properties",
    }
    assert document["components"] == []


def test_the_same_facts_give_the_same_bytes_and_other_facts_another_serial_number() -> None:
    one, same = ml_bom(version(), {}, bento()), ml_bom(version(), {}, bento())
    assert one == same
    other = read(ml_bom(version(), facts(metrics={"auc": 1.0}), bento()))
    assert other["serialNumber"] != read(one)["serialNumber"]


@pytest.mark.parametrize("card", ["---\nnot closed", "---\n- a list\n---\n", "---\n: [\n---\n"])
def test_a_card_that_cannot_be_read_is_left_out(card: str) -> None:
    card_of = read(ml_bom(version(card=card), {}, None))["metadata"]["component"]["modelCard"]
    assert "considerations" not in card_of


_ANY = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_./ @-]{0,20}", fullmatch=True)
_NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**52), 2**52)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
_SET = st.lists(
    st.fixed_dictionaries({"name": _TEXT, "digest": st.sampled_from([DATA, "sha256:" + "e" * 64])}),
    max_size=4,
)


@given(
    metrics=st.dictionaries(_NAME, _NUMBER, min_size=1, max_size=6),
    datasets=_SET,
    considerations=_ANY,
    attribute=_TEXT,
    task=_TEXT,
)
def test_whatever_is_known_the_document_fits_the_schema(
    metrics: dict[str, float], datasets: list[Any], considerations: Any, attribute: str, task: str
) -> None:
    front = {"considerations": considerations, "task": task}
    card = f"---\n{json.dumps(front)}\n---\n"
    known = facts(metrics=metrics, fairness={"attribute": attribute, "metrics": metrics})
    read(ml_bom(version(card=card, lineage={"datasets": datasets}), known, bento()))

"""Evidence of every kind about a version, as builds measure it and pipelines report it."""

from typing import Any

from apps.builds.models import Bento
from apps.registry.actions import add_evidence
from apps.registry.rules import MEASURED_KINDS, card_data
from placet.kernel.actor import Actor
from tests.support.world import World

HEX = "0123456789abcdef" * 4
EVERY_KIND: dict[str, dict[str, Any]] = {
    "metrics": {"auc": 0.9312, "brier": 0.0511, "rows": 750},
    "fairness": {
        "attribute": "age",
        "metrics": {
            "approval_rate@below 30": 0.31,
            "approval_rate@30 and above": 0.34,
            "recall@below 30": 0.62,
            "recall@30 and above": 0.71,
            "equal_opportunity_difference": 0.09,
        },
    },
    "explainability": {
        "method": "permutation importance",
        "importances": {"income": 0.024, "late_payments": 0.068, "age": -0.017},
    },
    "data_quality": {
        "rows": 4200,
        "checks": [
            {"name": "no nulls in income", "passed": True},
            {"name": "age within 18 and 100", "passed": False, "found": 3},
        ],
    },
    "load_test": {
        "requests": 12000,
        "failed": 6,
        "p95_ms": 41.5,
        "p50_ms": 12.25,
        "throughput": 380.5,
        "errors": {"503": 6},
    },
    "scan": {
        "verdict": "code-carrying",
        "findings": [
            {"path": "model.joblib", "what": "calls sklearn.tree.build", "verdict": "safe"},
            {
                "path": "model.joblib",
                "what": "calls churn.load",
                "verdict": "code-carrying",
            },
        ],
        "scanner": {"name": "placet", "version": "3", "picklescan": "1.0.5"},
        "files": 2,
    },
    "smoke_test": {
        "result": "different",
        "rows": 2,
        "equal": 1,
        "isolation": "bwrap",
        "seconds": 4.2,
        "detail": "Row 1 is 1, expected 0",
    },
    "acceleration": {
        "verdict": "accelerated",
        "rows": 2,
        "equal": 2,
        "max_absolute": 0.0001,
        "max_relative": 0.0002,
        "tolerance": {"absolute": 0.001, "relative": 0.01},
        "converters": {"skl2onnx": "1.19.1"},
        "detail": "all rows are equal",
    },
    "sbom": {"format": "CycloneDX", "components": 41, "sha256": HEX},
    "model_signature": {"result": "unknown", "key": "", "files": 2},
    "document": {"title": "Validation report", "sha256": HEX, "url": "https://docs.example/7"},
}


def add_every_kind(world: World, bento: Bento, reporter: Actor, **changes: Any) -> None:
    """Add evidence of every kind about a Bento and its version; ``changes`` are by kind."""
    version = bento.version
    for kind, usual in EVERY_KIND.items():
        data = changes.get(kind, usual)
        if kind in MEASURED_KINDS:
            world.measured(version, kind, bento, **data)
        else:
            add_evidence(version, kind=kind, data=data, source="reported", actor=reporter)
    world.measured(version, "model_card", **card_data(version.card))

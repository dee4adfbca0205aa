"""Documents as they are stored: what people write, with every default filled in."""

from typing import Any

import pytest

from apps.governance.plan import Plan, Serving
from apps.governance.plan.metrics import METRICS
from apps.rollouts.analysis import JudgedMetric, metric_of


def plan_document(given: Any = None) -> dict[str, Any]:
    """Return the whole plan."""
    return Plan.read(given or {}).document


def serving_document(given: Any = None) -> dict[str, Any]:
    """Return the whole serving configuration."""
    return Serving.read(given or {}).document


def measured(document: dict[str, Any]) -> JudgedMetric:
    """Return a metric of a plan as a rollout counts it."""
    return metric_of(METRICS[document["metric"]](**document))


def store_without(patch: pytest.MonkeyPatch, *names: str) -> None:
    """Let serving configurations be stored without these members, as former releases did."""
    whole = Plan.document.fget  # of every part
    patch.setattr(
        Serving,
        "document",
        property(
            lambda serving: {n: value for n, value in whole(serving).items() if n not in names}
        ),
    )

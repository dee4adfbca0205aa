"""The analysis steps of a plan: what is filled in, and what is refused with the place named."""

from typing import Any

import pytest

from apps.governance.parts import Faults
from apps.governance.plan import DocumentFault
from apps.governance.plan.analysis import CAREFUL, Analysis


def read(value: Any) -> tuple[dict[str, Any], Faults]:
    """Return the document and what is wrong with it."""
    try:
        return Analysis.read(value, "/at").document, []
    except DocumentFault as fault:
        return {}, fault.faults


def test_what_is_not_given_takes_its_default() -> None:
    document, faults = read({"metrics": [{"metric": "error_rate"}]})
    assert faults == []
    assert document == {
        "metrics": [{"metric": "error_rate", "margin": 0.01}],
        "minimum_requests": 100,
        "timeout_seconds": 3600,
        "on_inconclusive": "wait",
    }


def test_a_whole_document_stays_as_it_is() -> None:
    assert read(CAREFUL) == (CAREFUL, [])


@pytest.mark.parametrize(
    ("metric", "stable"),
    [
        ({"metric": "error_rate", "margin": 0.002}, True),
        ({"metric": "error_rate", "at_most": 0.02}, False),
        ({"metric": "latency", "over_ms": 250, "margin": 0.02}, True),
        ({"metric": "latency", "quantile": 0.95, "at_most_ms": 250}, False),
        ({"metric": "outcome", "name": "fraud", "worst": 1, "best": 0, "margin": 0.01}, True),
        ({"metric": "outcome", "name": "sales", "worst": -5.5, "best": 9, "at_most": 0.4}, False),
        ({"metric": "output", "is": ["fraud", 1.5, False], "margin": 0.02}, True),
        ({"metric": "output", "field": "score", "above": [-1, 0.5], "margin": 0.02}, True),
        ({"metric": "prometheus", "query": "up", "at_least": -3, "for_seconds": 10}, False),
    ],
)
def test_each_kind_of_metric(metric: dict[str, Any], stable: bool) -> None:
    document, faults = read({"metrics": [metric]})
    assert (document["metrics"], faults) == ([metric], [])
    assert Analysis.read(document).against_stable is stable


def test_an_outcome_should_not_happen_unless_its_scale_says_otherwise() -> None:
    document, faults = read({"metrics": [{"metric": "outcome", "name": "fraud"}]})
    assert faults == []
    assert document["metrics"] == [
        {"metric": "outcome", "name": "fraud", "worst": 1, "best": 0, "margin": 0.01}
    ]


ERRORS = {"metric": "error_rate"}
FRAUD = {"metric": "outcome", "name": "fraud"}
UP = {"metric": "prometheus", "query": "up", "at_most": 1}
OUTPUT = {"metric": "output", "is": ["fraud"]}
EDGES = {"metric": "output", "above": [0.5]}


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        (None, "/at"),
        ({}, "/at/metrics"),
        ({"metrics": []}, "/at/metrics"),
        ({"metrics": [ERRORS] * 5}, "/at/metrics"),
        ({"metrics": [{"metric": "outcome"}]}, "/at/metrics/0"),
        ({"metrics": [FRAUD | {"over_ms": 5}]}, "/at/metrics/0"),
        ({"metrics": [FRAUD | {"name": "Bad name"}]}, "/at/metrics/0/name"),
        ({"metrics": [FRAUD | {"name": ["x"]}]}, "/at/metrics/0/name"),
        ({"metrics": [FRAUD | {"worst": 0}]}, "/at/metrics/0/best"),
        ({"metrics": [FRAUD | {"worst": "1"}]}, "/at/metrics/0/worst"),
        ({"metrics": [FRAUD | {"best": float("nan")}]}, "/at/metrics/0/best"),
        ({"metrics": [FRAUD | {"best": True}]}, "/at/metrics/0/best"),
        ({"metrics": [FRAUD | {"margin": 2}]}, "/at/metrics/0/margin"),
        ({"metrics": [{"metric": "output"}]}, "/at/metrics/0"),
        ({"metrics": [OUTPUT | {"above": [1]}]}, "/at/metrics/0"),
        ({"metrics": [OUTPUT | {"at_most": 0.1}]}, "/at/metrics/0"),
        ({"metrics": [OUTPUT | {"is": "fraud"}]}, "/at/metrics/0/is"),
        ({"metrics": [OUTPUT | {"is": []}]}, "/at/metrics/0/is"),
        ({"metrics": [OUTPUT | {"is": [1, 2, 3, 4, 5, 6]}]}, "/at/metrics/0/is"),
        ({"metrics": [OUTPUT | {"is": ["a", "a"]}]}, "/at/metrics/0/is"),
        ({"metrics": [OUTPUT | {"is": ["a", None]}]}, "/at/metrics/0/is/1"),
        ({"metrics": [OUTPUT | {"is": ["a\0"]}]}, "/at/metrics/0/is/0"),
        ({"metrics": [OUTPUT | {"is": [["a"]]}]}, "/at/metrics/0/is/0"),
        ({"metrics": [EDGES | {"above": [float("inf")]}]}, "/at/metrics/0/above/0"),
        ({"metrics": [EDGES | {"above": [True]}]}, "/at/metrics/0/above/0"),
        ({"metrics": [EDGES | {"above": ["0.5"]}]}, "/at/metrics/0/above/0"),
        ({"metrics": [EDGES | {"field": ""}]}, "/at/metrics/0/field"),
        ({"metrics": [EDGES | {"field": 1}]}, "/at/metrics/0/field"),
        ({"metrics": [{"metric": "prometheus", "query": "up"}]}, "/at/metrics/0"),
        ({"metrics": [UP | {"at_least": 1}]}, "/at/metrics/0"),
        ({"metrics": [UP | {"margin": 0.1}]}, "/at/metrics/0"),
        ({"metrics": [UP | {"query": "up\nup"}]}, "/at/metrics/0/query"),
        ({"metrics": [UP | {"query": ""}]}, "/at/metrics/0/query"),
        ({"metrics": [UP | {"query": 1}]}, "/at/metrics/0/query"),
        ({"metrics": [UP | {"at_most": float("nan")}]}, "/at/metrics/0/at_most"),
        ({"metrics": [UP | {"at_most": "1"}]}, "/at/metrics/0/at_most"),
        ({"metrics": [UP | {"for_seconds": 5}]}, "/at/metrics/0/for_seconds"),
        ({"metrics": ["error_rate"]}, "/at/metrics/0/metric"),
        ({"metrics": [{"metric": "accuracy"}]}, "/at/metrics/0/metric"),
        ({"metrics": [{"metric": []}]}, "/at/metrics/0/metric"),
        ({"metrics": [ERRORS, ERRORS]}, "/at/metrics/1"),
        ({"metrics": [ERRORS | {"margin": 0.1, "at_most": 0.1}]}, "/at/metrics/0"),
        ({"metrics": [ERRORS | {"quantile": 0.9, "at_most_ms": 50}]}, "/at/metrics/0"),
        ({"metrics": [{"metric": "latency"}]}, "/at/metrics/0"),
        ({"metrics": [{"metric": "latency", "quantile": 0.9}]}, "/at/metrics/0"),
        ({"metrics": [ERRORS | {"margin": -0.1}]}, "/at/metrics/0/margin"),
        ({"metrics": [ERRORS | {"margin": float("nan")}]}, "/at/metrics/0/margin"),
        ({"metrics": [ERRORS | {"margin": True}]}, "/at/metrics/0/margin"),
        ({"metrics": [ERRORS | {"at_most": 0}]}, "/at/metrics/0/at_most"),
        ({"metrics": [{"metric": "latency", "over_ms": 2.5}]}, "/at/metrics/0/over_ms"),
        ({"metrics": [ERRORS | {"margin": 0}]}, "/at/minimum_requests"),
        ({"metrics": [ERRORS], "minimum_requests": 0}, "/at/minimum_requests"),
        ({"metrics": [ERRORS], "timeout_seconds": 5}, "/at/timeout_seconds"),
        ({"metrics": [ERRORS], "on_inconclusive": "hope"}, "/at/on_inconclusive"),
        ({"metrics": [ERRORS], "on_error": "pass"}, "/at/on_error"),
    ],
)
def test_what_is_wrong_is_named(value: Any, pointer: str) -> None:
    assert [at for at, _ in read(value)[1]] == [pointer]

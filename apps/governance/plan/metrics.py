"""What a new revision is held to: the metrics of an analysis, and the guardrails of an A/B test.

With ``margin`` the new revision may be worse than stable by so much (a difference of shares); with
``at_most`` it is held to a share, or to a latency, whatever stable does. An outcome is what clients
report of predictions by their ids; shares are of the way from its ``best`` value to its ``worst``.
Of outputs the share that gave a value, or one ``above`` an edge, may differ from stable's by the
margin, up or down. What a Prometheus says is held to a bound for so many seconds.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from apps.governance.parts import (
    Loc,
    Part,
    ReadBy,
    is_stored,
    is_text,
    rule,
    share,
    text,
    whole,
    wrong,
)
from placet_verify.numbers import is_number

MAX_METRICS = 4
MOST_VALUE = 1e12
MAX_OUTPUTS, MAX_TEXT = 5, 100
_PRINTABLE = f"{MAX_TEXT} printable characters"
FOR_SECONDS, MOST_SECONDS, MAX_QUERY = 60, 3600, 1000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

Value = str | float | bool  # that an output can be
Milliseconds = Annotated[int | None, whole(5, 10_000)]


def is_value(value: object) -> bool:
    """Tell whether a value is a number that an output or an outcome can be."""
    return is_number(value, -MOST_VALUE, MOST_VALUE)


def is_name(value: object) -> bool:
    """Tell whether an outcome may be called so."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_answer(value: object) -> bool:
    """Tell whether an output can be this."""
    return is_value(value) or isinstance(value, bool) or is_text(value, MAX_TEXT)


class Metric(Part):
    """One metric. ``SHAPES`` are the members that it may have, and ``TAKES`` says them."""

    SHAPES: ClassVar[tuple[set[str], ...]]
    TAKES: ClassVar[str]
    USUAL: ClassVar[Mapping[str, Any]] = {}
    MARGIN: ClassVar[float] = 0.01  # where nothing says what it is held to
    margin: Annotated[float | None, share(0.0, 0.5)] = None
    at_most: Annotated[float | None, share(0.0001, 0.5)] = None

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, metric: Mapping[str, Any]) -> dict[str, Any]:
        members = {**cls.USUAL, **metric}
        if {"at_most", "at_least", "quantile", "at_most_ms"}.isdisjoint(members):
            members.setdefault("margin", cls.MARGIN)
        if set(members) - {"metric"} not in cls.SHAPES:
            raise wrong(((), f"takes {cls.TAKES}, and nothing else"))
        return members


class ErrorRateMetric(Metric):
    """The share of the answers that are server errors."""

    SHAPES = ({"margin"}, {"at_most"})
    TAKES = "margin or at_most"
    metric: Literal["error_rate"] = "error_rate"


class LatencyMetric(Metric):
    """The share of the answers that took longer, or a quantile of how long they took."""

    SHAPES = ({"over_ms", "margin"}, {"quantile", "at_most_ms"})
    TAKES = "over_ms and margin, or quantile and at_most_ms"
    metric: Literal["latency"] = "latency"
    over_ms: Milliseconds = None
    quantile: Annotated[float | None, share(0.5, 0.999)] = None
    at_most_ms: Milliseconds = None


class OutcomeMetric(Metric):
    """What clients report under a name. It should not happen, unless its scale says otherwise."""

    SHAPES = ({"name", "worst", "best", "margin"}, {"name", "worst", "best", "at_most"})
    TAKES = "name, worst, best, and margin or at_most"
    USUAL = {"worst": 1, "best": 0}
    metric: Literal["outcome"] = "outcome"
    name: Annotated[str, rule(is_name, "must be up to 40 of a to z, 0 to 9 and _, a letter first")]
    worst: Annotated[float, rule(is_value, f"must be a number, at most {MOST_VALUE:g}")]
    best: Annotated[float, rule(is_value, f"must be a number, at most {MOST_VALUE:g}")]

    @model_validator(mode="after")
    def _scale(self, info: ValidationInfo) -> Self:
        if self.worst == self.best and not is_stored(info):
            raise wrong((("best",), "must be another value than worst"))
        return self


def _values(holds: Callable[[Any], bool], detail: str) -> ReadBy:
    """A list of different values that an output is looked for."""

    def read(value: Any, info: ValidationInfo) -> tuple[Any, ...]:
        values = value if isinstance(value, list) else []
        faults: list[tuple[Loc, str]] = []
        if not 1 <= len(values) <= MAX_OUTPUTS or any(
            v in values[:n] for n, v in enumerate(values)
        ):
            faults.append(((), f"must be a list of 1 to {MAX_OUTPUTS} different values"))
        faults += [((n,), detail) for n, v in enumerate(values[:MAX_OUTPUTS]) if not holds(v)]
        if faults and not is_stored(info):
            raise wrong(*faults)
        return tuple(values)

    return ReadBy(read)


class OutputMetric(Metric):
    """The share of captured predictions that gave one of these values, or one above an edge."""

    SHAPES = (
        {"is", "margin"},
        {"above", "margin"},
        {"field", "is", "margin"},
        {"field", "above", "margin"},
    )
    TAKES = "is or above, margin, and perhaps field"
    MARGIN = 0.05
    metric: Literal["output"] = "output"
    field: Annotated[str | None, text(MAX_TEXT, f"must be a name of up to {_PRINTABLE}")] = None
    equal: Annotated[
        tuple[Value, ...] | None,
        _values(
            is_answer, f"must be a number, true, false, or a text of up to {MAX_TEXT} characters"
        ),
    ] = Field(default=None, alias="is")
    above: Annotated[tuple[float, ...] | None, _values(is_value, "must be a number")] = None


class PrometheusMetric(Metric):
    """A query, with the bound that it must keep, or breaks, for so many seconds."""

    SHAPES = ({"query", "at_most", "for_seconds"}, {"query", "at_least", "for_seconds"})
    TAKES = "query, at_most or at_least, perhaps for_seconds"
    USUAL = {"for_seconds": FOR_SECONDS}
    metric: Literal["prometheus"] = "prometheus"
    query: Annotated[
        str, text(MAX_QUERY, f"must be a line of PromQL, at most {MAX_QUERY} characters")
    ]
    at_most: Annotated[float | None, rule(is_value, "must be a number")] = None
    at_least: Annotated[float | None, rule(is_value, "must be a number")] = None
    for_seconds: Annotated[int, whole(10, MOST_SECONDS)]


AnyMetric = ErrorRateMetric | LatencyMetric | OutcomeMetric | OutputMetric | PrometheusMetric
METRICS: dict[str, type[AnyMetric]] = {
    model.model_fields["metric"].default: model for model in get_args(AnyMetric)
}


def kind_of(item: Any) -> str:
    """Return which kind of metric this is, '' for none that is known."""
    kind = item.get("metric") if isinstance(item, dict) else None
    return kind if isinstance(kind, str) and kind in METRICS else ""


def read_metric(item: Any, info: ValidationInfo) -> AnyMetric:
    """Return a metric with its default margin."""
    if isinstance(item, Metric):
        return item  # type: ignore[return-value]
    if not (kind := kind_of(item)):
        raise wrong((("metric",), f"must be one of: {', '.join(METRICS)}"))
    return METRICS[kind].model_validate(item, context=info.context)


def _counted(value: Any) -> Any:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_METRICS:
        raise wrong(((), f"must be a list of 1 to {MAX_METRICS} metrics"))
    return value


def _once(metrics: tuple[AnyMetric, ...]) -> tuple[AnyMetric, ...]:
    if twice := [n for n, metric in enumerate(metrics) if metric in metrics[:n]]:
        raise wrong(*(((n,), "is there twice") for n in twice))
    return metrics


_Metrics = tuple[Annotated[AnyMetric, ReadBy(read_metric)], ...]
Metrics = Annotated[_Metrics, AfterValidator(_once), BeforeValidator(_counted)]
Guardrails = Annotated[
    _Metrics,
    AfterValidator(_once),
    BeforeValidator(lambda value: value if value == [] else _counted(value)),
]

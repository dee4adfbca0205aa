"""The steps of a plan as a rollout carries them out. Standard library only.

A step is a small dataclass. ``state`` is the state that a rollout is in while it carries the step
out; ``rules`` has one function for each kind, which says when the step is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal

from apps.rollouts.analysis import Metric, Threshold, asked_of, metric_of
from placet_verify.units import WHOLE


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give the new revision so much of the traffic; over when the node applies it."""

    weight: int  # out of 10,000
    state: ClassVar[str] = "shifting"


@dataclass(frozen=True, slots=True)
class Pause:
    """Stay as it is for a time, or until a person goes on."""

    seconds: int | None = None
    state: ClassVar[str] = "waiting"


@dataclass(frozen=True, slots=True)
class Analysis:
    """Hold the new revision against what is allowed; over when that is shown either way."""

    metrics: tuple[Metric | Threshold, ...]
    minimum_requests: int = 0
    timeout_seconds: int = 3600
    on_inconclusive: Literal["wait", "abort", "pass"] = "wait"
    state: ClassVar[str] = "analysing"

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Analysis":
        """Read the analysis of a plan."""
        metrics = tuple(asked_of(metric) for metric in document["metrics"])
        return cls(**{**document, "metrics": metrics})


@dataclass(frozen=True, slots=True)
class AbTest:
    """Hold the present weight until the declared effect is shown; over when it is.

    Or the test ends, and all goes back: when it is shown to be smaller, when a guardrail is
    broken, or after so many requests (units) of the new revision, or seconds, without either.
    """

    effect: Metric
    guardrails: tuple[Metric | Threshold, ...]
    alpha: float
    stop_after_requests: int
    stop_after_seconds: int
    state: ClassVar[str] = "analysing"

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "AbTest":
        """Read the declaration of a plan."""
        return cls(
            effect=metric_of(document["metric"]).seeking(document["minimum_effect"]),
            guardrails=tuple(asked_of(metric) for metric in document["guardrails"]),
            alpha=document["alpha"],
            stop_after_requests=document["stop_after"]["requests"],
            stop_after_seconds=document["stop_after"]["seconds"],
        )

    @property
    def metrics(self) -> tuple[Metric | Threshold, ...]:
        """What is looked at: the effect first."""
        return (self.effect, *self.guardrails)

    @property
    def written(self) -> dict[str, Any]:
        """The declaration as a plan writes it."""
        measured = {k: v for k, v in self.effect.written.items() if k != "margin"}
        return {
            "metric": measured,
            "direction": self.effect.direction,
            "minimum_effect": -self.effect.margin,
            "guardrails": [metric.written for metric in self.guardrails],
            "alpha": self.alpha,
            "stop_after": {
                "requests": self.stop_after_requests, "seconds": self.stop_after_seconds
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ship:
    """Wait until somebody who did not ask for the release ships what an A/B test has shown."""

    state: ClassVar[str] = "waiting"


@dataclass(frozen=True, slots=True)
class SetHeaderRoute:
    """Lead testers to the new revision; over when the node does."""

    header: str
    value: str
    state: ClassVar[str] = "shifting"


@dataclass(frozen=True, slots=True)
class SetMirror:
    """Copy so many of the requests to the new revision; over when the node does."""

    copies: int  # out of 10,000
    state: ClassVar[str] = "shifting"


Step = SetWeight | Pause | Analysis | AbTest | Ship | SetHeaderRoute | SetMirror
AT_ONCE: tuple[Step, ...] = (SetWeight(WHOLE),)


def read(document: Mapping[str, Any]) -> tuple[Step, ...]:
    """Return the steps of a plan; governance has validated it. Older plans have none."""
    return tuple(_read(step) for step in document.get("steps", ())) or AT_ONCE


def _read(step: Mapping[str, Any]) -> Step:
    ((kind, value),) = step.items()
    match kind:
        case "set_weight":
            return SetWeight(round(value * WHOLE / 100))
        case "pause":
            return Pause(value.get("duration_seconds"))
        case "analysis":
            return Analysis.read(value)
        case "ab_test":
            return AbTest.read(value)
        case "ship":
            return Ship()
        case "set_header_route":
            return SetHeaderRoute(value["header"], value["value"])
        case "set_mirror":
            return SetMirror(round(value["percent"] * WHOLE / 100))
    raise ValueError(f"a step {kind} is not known")


def written(step: Step) -> dict[str, Any]:
    """Return a step as a plan writes it."""
    match step:
        case SetWeight(weight):
            return {"set_weight": _percent(weight)}
        case SetHeaderRoute(header, value):
            return {"set_header_route": {"header": header, "value": value}}
        case SetMirror(copies):
            return {"set_mirror": {"percent": _percent(copies)}}
        case Pause(seconds):
            return {"pause": {} if seconds is None else {"duration_seconds": seconds}}
        case AbTest():
            return {"ab_test": step.written}
        case Ship():
            return {"ship": {}}
        case Analysis(metrics, least, seconds, otherwise):
            return {
                "analysis": {
                    "metrics": [metric.written for metric in metrics],
                    "minimum_requests": least,
                    "timeout_seconds": seconds,
                    "on_inconclusive": otherwise,
                }
            }


def for_person(step: Step, state: str, spent: timedelta) -> bool:
    """Tell whether ``step``, under way for ``spent``, goes on only when a person says so: a pause
    without an end, what is to be shipped, or an analysis that was not settled in its time."""
    match step:
        case Pause(None) | Ship():
            return state == "waiting"
        case Analysis(on_inconclusive="wait", timeout_seconds=seconds):
            return state == "analysing" and spent >= timedelta(seconds=seconds)
    return False


def judged_place(steps: Sequence[Step], place: int) -> int | None:
    """Return the place of the step whose looks decide at ``place``; ``None`` for nothing to judge.

    An A/B test is watched until it is shipped.
    """
    if place < 0 or not isinstance(steps[place], Analysis | AbTest | Ship):
        return None
    return place - 1 if isinstance(steps[place], Ship) else place


def untested(steps: Sequence[Step], place: int) -> bool:
    """Tell whether an A/B test stands between ``place`` and all requests, or its shipping does."""
    return any(isinstance(step, Ship) for step in steps[max(place, 0) :])


def analyses(steps: Sequence[Step]) -> int:
    """Return how many analyses there are; they share the α of the rollout."""
    return sum(isinstance(step, Analysis) for step in steps)


def _percent(share: int) -> float:
    percent = share * 100 / WHOLE
    return int(percent) if percent.is_integer() else percent


def needs(steps: Sequence[Step]) -> frozenset[str]:
    """Return what the agent of a node must know to carry ``steps`` out."""
    names = {SetHeaderRoute: "header_route", SetMirror: "mirror"}
    return frozenset(names[type(step)] for step in steps if type(step) in names)


def last_weight(steps: Sequence[Step]) -> int:
    """Return the place of the step that sends all requests to the new revision."""
    return max(place for place, step in enumerate(steps) if isinstance(step, SetWeight))

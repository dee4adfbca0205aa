"""The plan of a release: how an endpoint moves to the new revision."""

from collections.abc import Mapping
from typing import Annotated, Any, Self, cast

from pydantic import ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from apps.governance.parts import (
    STORED,
    Omittable,
    Part,
    ReadBy,
    is_stored,
    must,
    one_of,
    whole,
    wrong,
)
from apps.governance.plan.ab_test import AbTest
from apps.governance.plan.analysis import Analysis
from apps.governance.plan.guard import CAREFUL, Guard
from apps.governance.plan.metrics import AnyMetric
from apps.governance.plan.steps import MAX_STEPS, AnyStep, SetWeight, order
from apps.governance.plan.strategies import PRESETS, broken_promises, completed
from placet_protocol.guard import GuardEntry

FORMER = {"switch": "replace"}  # what plans said before there were steps


def _strategy(value: Any, info: ValidationInfo) -> str:
    strategy = FORMER.get(value, value) if isinstance(value, str) else ""
    if strategy not in PRESETS and not is_stored(info):
        raise wrong(((), f"must be one of: {', '.join(PRESETS)}"))
    return strategy


def _steps(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Return the steps with the last one filled in, or the preset of the strategy."""
    if is_stored(info):  # one from before there were steps had none
        return read(value or PRESETS["replace"])
    if (strategy := info.data.get("strategy")) is None:  # what is wrong already
        return ()
    if value is None:
        return read(PRESETS[strategy])
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_STEPS:
        raise wrong(((), f"must be a list of 1 to {MAX_STEPS} steps, or be left out"))
    steps = completed(strategy, read(value)) if strategy == "ab_test" else read(value)
    if faults := order(steps) or broken_promises(strategy, steps):
        raise wrong(*faults)
    return completed(strategy, steps)


class Plan(Part):
    """How an endpoint moves to the new revision. ``guard``: when its node ends that by itself."""

    AT = "/plan"
    strategy: Annotated[str, ReadBy(_strategy)] = "replace"
    start: Annotated[
        str, one_of("on_approval", "manual", detail="must be on_approval or manual")
    ] = "on_approval"
    keep_warm_seconds: Annotated[int, whole(0, 30 * 86_400)] = 86_400
    ready_timeout_seconds: Annotated[int, whole(10, 3600)] = 300
    when_busy: Annotated[str, one_of("wait", "supersede", detail="must be wait or supersede")] = (
        "wait"
    )
    steps: Annotated[tuple[AnyStep, ...], WrapValidator(_steps)] = must()
    guard: Annotated[Guard | None, Omittable()] = None

    @model_validator(mode="before")
    @classmethod
    def _guarded(cls, plan: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
        if plan.get("strategy") == "canary" and not is_stored(info):
            return {"guard": CAREFUL, **plan}
        return plan

    @classmethod
    def stored(cls, document: Mapping[str, Any]) -> Self:
        """Return a plan that was judged when it came, one from before there were steps or guards
        included."""
        known = {name: document[name] for name in cls.model_fields if name in document}
        return cls.model_validate(known, context=STORED)

    @property
    def weights(self) -> list[float]:
        """The percentages of the requests that the new revision gets, one after the other."""
        return [step.root for step in self.steps if isinstance(step, SetWeight)]

    @property
    def guard_entry(self) -> GuardEntry:
        """Its guard as nodes are told it; empty for none."""
        return cast(GuardEntry, self.guard.document) if self.guard else GuardEntry()

    @property
    def metrics(self) -> list[AnyMetric]:
        """Every metric that its steps look at."""
        metrics: list[AnyMetric] = []
        for step in self.steps:
            if isinstance(step, AbTest):
                metrics.append(step.metric)
            if isinstance(step, Analysis | AbTest):
                metrics += step.metrics if isinstance(step, Analysis) else step.guardrails
        return metrics

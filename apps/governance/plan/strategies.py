"""The strategies: what each does when a plan names no steps, and what its name promises."""

from collections.abc import Sequence
from typing import Any

from apps.governance.parts import Loc, wrong
from apps.governance.plan.ab_test import DECLARED, AbTest
from apps.governance.plan.analysis import CAREFUL
from apps.governance.plan.steps import Pause, SetHeaderRoute, SetMirror, SetWeight, Ship, Step

PRESETS: dict[str, list[dict[str, Any]]] = {
    "replace": [{"set_weight": 100}],
    "blue_green": [{"pause": {}}, {"set_weight": 100}],
    "canary": [
        *(
            step
            for percent in (1, 5, 25, 50)
            for step in ({"set_weight": percent}, {"analysis": CAREFUL})
        ),
        {"set_weight": 100},
    ],
    "shadow": [{"set_mirror": {"percent": 10}}, {"pause": {}}, {"set_weight": 100}],
    "ab_test": [{"set_weight": 50}, {"ab_test": DECLARED}, {"ship": {}}, {"set_weight": 100}],
}
ALL = SetWeight(100)


def completed(strategy: str, steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps with shipping and the last weight filled in."""
    if strategy == "ab_test":
        return _tested(steps)
    weights = [step for step in steps if isinstance(step, SetWeight)]
    return (*steps,) if weights and weights[-1] == ALL else (*steps, ALL)


def _tested(steps: Sequence[Step]) -> tuple[Step, ...]:
    held = [step for step in steps if not isinstance(step, Ship) and step != ALL]
    if [type(step) for step in held] != [SetWeight, AbTest]:
        detail = "an A/B test is one set_weight below 100, its allocation, and then one ab_test"
        raise wrong(((), detail))
    if list(steps[2:]) not in ([], [Ship()], [ALL], [Ship(), ALL]):
        raise wrong(((), "after ab_test come ship and set_weight 100, or nothing"))
    return (*held, Ship(), ALL)


def broken_promises(strategy: str, steps: Sequence[Step]) -> list[tuple[Loc, str]]:
    """Return what of a strategy's name the steps do not keep."""
    tests = (n for n, step in enumerate(steps) if isinstance(step, AbTest | Ship))
    if strategy != "ab_test" and (n := next(tests, None)) is not None:
        return [((n,), "belongs to the strategy ab_test")]
    index, first = next(
        ((n, step.root) for n, step in enumerate(steps) if isinstance(step, SetWeight)), (0, 100)
    )
    plain = [step for step in steps if not isinstance(step, SetHeaderRoute | SetMirror)]
    match strategy:
        case "replace" if list(steps) != [ALL]:
            return [((), "replace sends all requests at once: leave steps out, or choose canary")]
        case "blue_green" if (
            not plain or not isinstance(plain[0], Pause) or len(plain) > 2 or first != 100
        ):
            return [((), "blue_green has one pause, and then all requests at once")]
        case "shadow" if first != 100 or not isinstance(steps[0], SetMirror):
            detail = "shadow begins with set_mirror, and takes all requests at once at its end"
            return [((), detail)]
        case "canary" if isinstance(steps[0], Pause):
            detail = "a canary begins with set_weight: a pause without requests shows nothing"
            return [((0,), detail)]
        case "canary" if first == 100:
            detail = "must be less than 100: all at once is what replace does"
            return [((index, "set_weight"), detail)]
    return []

"""The steps of a plan, and what may follow what.

A step is written with one member, its kind: ``{"set_weight": 5}``, ``{"pause": {}}``.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import (
    ConfigDict,
    PlainSerializer,
    RootModel,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from apps.governance.parts import ANYTHING, Loc, Part, ReadBy, is_stored, whole, within, wrong
from apps.governance.plan.ab_test import AbTest
from apps.governance.plan.analysis import Analysis
from placet_protocol.testers import header_route_faults
from placet_verify.numbers import is_number
from placet_verify.units import WHOLE

MAX_STEPS = 30
MAX_PAUSE_SECONDS = 30 * 86_400


def _percent(value: Any, detail: str) -> float:
    """Return a percentage in its shortest form, or refuse what is finer than nodes count."""
    hundredths: int = round(value * 100)
    if abs(value * 100 - hundredths) > 1e-6:
        raise wrong(((), detail))
    return hundredths // 100 if hundredths % 100 == 0 else hundredths / 100


def _weight(value: Any, _: ValidationInfo) -> float:
    if not is_number(value, 0, 100) or not value:
        raise wrong(((), "must be a percentage above 0 and at most 100"))
    return _percent(value, "may have two decimals at most")


def _copied(value: Any, _: ValidationInfo) -> float:
    detail = "must be a percentage from 0 to 100 with two decimals at most"
    if not is_number(value, 0, 100):
        raise wrong(((), detail))
    return _percent(value, detail)


class SetWeight(RootModel[Annotated[float, ReadBy(_weight)]]):
    """Give the new revision so many percent of the requests; over when the node applies it."""

    model_config = ConfigDict(frozen=True)

    @property
    def weight(self) -> int:
        """The weight as nodes have it, out of 10,000."""
        return round(self.root * WHOLE / 100)


class Pause(Part):
    """Stay as it is for a time, or until a person goes on."""

    EXPECTED = 'must be {} to wait for a person, or {"duration_seconds": 600}'
    duration_seconds: Annotated[int | None, whole(1, MAX_PAUSE_SECONDS)] = None


class Ship(Part):
    """Wait until somebody who did not ask for the release ships what an A/B test has shown."""

    EXPECTED = "must be {}: who may ship is not for the plan to say"
    UNKNOWN = ""


class SetHeaderRoute(Part):
    """Lead requests with this value in this header to the new revision; over when the node does."""

    EXPECTED = 'must be {"header": "X-Try", "value": "v2"}'
    UNKNOWN = ""
    header: Annotated[str, ANYTHING]
    value: Annotated[str, ANYTHING]

    @model_validator(mode="after")
    def _as_nodes_read_it(self, info: ValidationInfo) -> Self:
        faults = header_route_faults(self.header, self.value)
        if faults and not is_stored(info):
            raise wrong(*(((name,), detail) for name, detail in faults))
        return self


class SetMirror(Part):
    """Copy so many percent of the requests to the new revision; over when the node does."""

    EXPECTED = 'must be {"percent": 10}; 0 ends it'
    percent: Annotated[float, ReadBy(_copied)]

    @model_validator(mode="before")
    @classmethod
    def _shape(cls, members: Mapping[str, Any]) -> Mapping[str, Any]:
        if members.keys() != {"percent"} or type(members["percent"]) not in (int, float):
            raise wrong(((), cls.EXPECTED))
        return members

    @property
    def copies(self) -> int:
        """How many requests are copied, out of 10,000."""
        return round(self.percent * WHOLE / 100)


Step = SetWeight | Pause | Analysis | AbTest | Ship | SetHeaderRoute | SetMirror
KINDS: dict[str, type[Step]] = {
    "set_weight": SetWeight,
    "pause": Pause,
    "analysis": Analysis,
    "ab_test": AbTest,
    "ship": Ship,
    "set_header_route": SetHeaderRoute,
    "set_mirror": SetMirror,
}
_KIND_OF = {model: kind for kind, model in KINDS.items()}


def read_step(item: Any, info: ValidationInfo) -> Step:
    """Return the step that stands under its kind."""
    if isinstance(item, Step):
        return item
    if not isinstance(item, dict) or len(item) != 1:
        raise wrong(((), 'must have one member, its kind: {"set_weight": 5} or {"pause": {}}'))
    ((kind, value),) = item.items()
    if kind not in KINDS:
        raise wrong(((kind,), f"must be one of: {', '.join(KINDS)}"))
    try:
        return KINDS[kind].model_validate(value, context=info.context)
    except ValidationError as error:
        raise within(kind, error) from None


def written(step: Step) -> dict[str, Any]:
    """Return a step as a plan writes it."""
    return {_KIND_OF[type(step)]: step.model_dump(mode="json", by_alias=True, exclude_none=True)}


AnyStep = Annotated[Step, ReadBy(read_step), PlainSerializer(written)]


def order(steps: Sequence[Step]) -> list[tuple[Loc, str]]:
    """Weights rise, a pause stands between two of them, an analysis has traffic to look at."""
    faults: list[tuple[Loc, str]] = []
    last = 0.0
    for index, step in enumerate(steps):
        match step:
            case Pause() if index and isinstance(steps[index - 1], Pause):
                faults.append(((index,), "follows another pause: make it one"))
            case Analysis() if not last:
                faults.append(((index,), "has no requests to look at: set_weight comes first"))
            case Analysis() if last == 100 and step.against_stable:
                detail = "has no stable to compare with at 100%: use at_most, or less weight"
                faults.append(((index, "analysis"), detail))
            case SetWeight(root=percent):
                if percent <= last:
                    detail = f"must be more than the {last:g}% before it: weights rise"
                    faults.append(((index, "set_weight"), detail))
                last = percent
    return faults

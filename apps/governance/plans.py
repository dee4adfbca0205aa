"""The documents a release carries: how it goes out (plan) and what it runs with (serving)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from apps.governance import experiments, trials
from apps.governance.analyses import CAREFUL, Faults, analysis, needs_stable
from apps.governance.guard import CAREFUL as CAREFUL_GUARD
from apps.governance.guard import guard
from apps.governance.shapes import egress_wrong, maximum_wrong, variables_wrong
from placet_protocol.guard import GuardEntry
from placet_verify.capture import Capture
from placet_verify.serving import number_faults, undeclared
from placet_verify.units import UnitSource

MAX_STEPS = 30
MAX_PAUSE_SECONDS = 30 * 86_400

Step = dict[str, Any]  # one member, which names its kind: {"set_weight": 5}, {"pause": {}}

# What each strategy does when a plan names no steps: the presets.
PRESETS: dict[str, list[Step]] = {
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
    "ab_test": [
        {"set_weight": 50},
        {"ab_test": experiments.DECLARED},
        {"ship": {}},
        {"set_weight": 100},
    ],
}
_FORMER = {"switch": "replace"}  # what plans said before there were steps


class Plan(TypedDict):
    """How an endpoint moves to the new revision. ``guard``: when its node ends that by itself."""

    strategy: str
    start: str
    keep_warm_seconds: int
    ready_timeout_seconds: int
    when_busy: str
    steps: list[Step]
    guard: NotRequired[GuardEntry]


class Serving(TypedDict):
    """What one revision runs with. Signed, so no secrets in ``variables``.

    ``max_replicas`` is how far an operator may scale without a new release. ``unit`` says whom the
    split treats alike; without it the split is per request. ``capture`` says how many predictions
    are written down, and what of them; without it none is. ``egress`` names all that a replica may
    reach, as ``host:port``. Documents from before there was that member lack it: their replicas
    keep the host's network.
    """

    replicas: int
    max_replicas: int
    memory_mb: int
    variables: dict[str, str]
    egress: list[str]
    unit: NotRequired[dict[str, str]]
    capture: NotRequired[dict[str, Any]]


class DocumentFault(ValueError):
    """A plan or serving configuration is wrong; ``faults`` are ``(pointer, detail)``."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("; ".join(f"{pointer} {detail}" for pointer, detail in faults))
        self.faults = faults


def plan(raw: Mapping[str, Any] | None) -> Plan:
    """Return a whole plan; what is not given takes its default."""
    given, faults = dict(raw or {}), Faults()
    document = Plan(
        strategy=_strategy(given.pop("strategy", "replace"), faults),
        start=given.pop("start", "on_approval"),
        keep_warm_seconds=given.pop("keep_warm_seconds", 86400),
        ready_timeout_seconds=given.pop("ready_timeout_seconds", 300),
        when_busy=given.pop("when_busy", "wait"),
        steps=[],
    )
    document["steps"] = _steps(document["strategy"], given.pop("steps", None), faults)
    if "guard" in given:
        document["guard"] = guard("/plan/guard", given.pop("guard"), faults)
    elif document["strategy"] == "canary":
        document["guard"] = CAREFUL_GUARD
    if document["start"] not in ("on_approval", "manual"):
        faults.append(("/plan/start", "must be on_approval or manual"))
    if document["when_busy"] not in ("wait", "supersede"):
        faults.append(("/plan/when_busy", "must be wait or supersede"))
    faults += _number("/plan/keep_warm_seconds", document["keep_warm_seconds"], 0, 30 * 86400)
    faults += _number("/plan/ready_timeout_seconds", document["ready_timeout_seconds"], 10, 3600)
    _refuse("/plan", given, faults)
    return document


def strategy_of(document: Mapping[str, Any]) -> str:
    """Return the strategy of a stored plan, one from before there were steps included."""
    strategy = str(document.get("strategy", "replace"))
    return _FORMER.get(strategy, strategy)


def steps_of(document: Mapping[str, Any]) -> list[Step]:
    """Return the steps of a stored plan, one from before there were steps included."""
    return list(document.get("steps") or PRESETS["replace"])


def _strategy(value: Any, faults: Faults) -> str:
    strategy = _FORMER.get(value, value) if isinstance(value, str) else ""
    if strategy not in PRESETS:
        faults.append(("/plan/strategy", f"must be one of: {', '.join(PRESETS)}"))
    return strategy


def _steps(strategy: str, raw: Any, faults: Faults) -> list[Step]:
    """Return the steps with the last one filled in, or the preset of the strategy."""
    at = "/plan/steps"
    if strategy not in PRESETS:
        return []
    if raw is None:
        return list(PRESETS[strategy])
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_STEPS:
        faults.append((at, f"must be a list of 1 to {MAX_STEPS} steps, or be left out"))
        return []
    steps = [_step(f"{at}/{place}", item, faults) for place, item in enumerate(raw)]
    if any(pointer.startswith(at) for pointer, _ in faults):
        return []
    found = [step for step in steps if step is not None]
    if strategy == "ab_test":
        found = experiments.completed(at, found, faults)
    faults += _order(at, found) or _shape(strategy, at, found)
    weights = [step["set_weight"] for step in found if "set_weight" in step]
    return found if weights and weights[-1] == 100 else [*found, {"set_weight": 100}]


def _step(at: str, item: Any, faults: Faults) -> Step | None:
    """Return one step with its numbers in their shortest form."""
    if not isinstance(item, dict) or len(item) != 1:
        faults.append((at, 'must have one member, its kind: {"set_weight": 5} or {"pause": {}}'))
        return None
    kind, value = next(iter(item.items()))
    if kind not in _KINDS:
        faults.append((f"{at}/{str(kind)[:64]}", f"must be one of: {', '.join(_KINDS)}"))
    else:
        return {kind: _KINDS[kind](f"{at}/{kind}", value, faults)}
    return None


def _set_weight(at: str, value: Any, faults: Faults) -> float:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    if not 0 < number <= 100:  # not a number is neither
        faults.append((at, "must be a percentage above 0 and at most 100"))
        return 0
    hundredths = round(number * 100)
    if abs(number * 100 - hundredths) > 1e-6:
        faults.append((at, "may have two decimals at most"))
    return int(hundredths / 100) if hundredths % 100 == 0 else hundredths / 100


def _pause(at: str, value: Any, faults: Faults) -> dict[str, int]:
    if not isinstance(value, dict):
        faults.append((at, 'must be {} to wait for a person, or {"duration_seconds": 600}'))
        return {}
    faults += [
        (f"{at}/{str(name)[:64]}", "is not known") for name in value if name != "duration_seconds"
    ]
    if "duration_seconds" not in value:
        return {}
    seconds = value["duration_seconds"]
    faults += _number(f"{at}/duration_seconds", seconds, 1, MAX_PAUSE_SECONDS)
    return {"duration_seconds": seconds}


_KINDS: dict[str, Callable[[str, Any, Faults], Any]] = {
    "set_weight": _set_weight,
    "pause": _pause,
    "analysis": analysis,
    "ab_test": experiments.ab_test,
    "ship": experiments.ship,
    "set_header_route": trials.set_header_route,
    "set_mirror": trials.set_mirror,
}


def _order(at: str, steps: Sequence[Step]) -> Faults:
    """Weights rise, a pause stands between two of them, an analysis has traffic to look at."""
    faults, last = Faults(), 0.0
    for place, step in enumerate(steps):
        if "pause" in step and place and "pause" in steps[place - 1]:
            faults.append((f"{at}/{place}", "follows another pause: make it one"))
        if "analysis" in step and not last:
            faults.append((f"{at}/{place}", "has no requests to look at: set_weight comes first"))
        if "analysis" in step and last == 100 and needs_stable(step["analysis"]):
            detail = "has no stable to compare with at 100 %: use at_most, or less weight"
            faults.append((f"{at}/{place}/analysis", detail))
        if "set_weight" in step:
            if step["set_weight"] <= last:
                detail = f"must be more than the {last:g} % before it: weights rise"
                faults.append((f"{at}/{place}/set_weight", detail))
            last = step["set_weight"]
    return faults


def _shape(strategy: str, at: str, steps: Sequence[Step]) -> Faults:
    """What a strategy's name promises."""
    place, first = next(
        ((n, step["set_weight"]) for n, step in enumerate(steps) if "set_weight" in step), (0, 100)
    )
    tested = (n for n, step in enumerate(steps) if next(iter(step)) in experiments.KINDS)
    if strategy != "ab_test" and (n := next(tested, None)) is not None:
        return [(f"{at}/{n}", "belongs to the strategy ab_test")]
    plain = [step for step in steps if next(iter(step)) not in trials.KINDS]
    if strategy == "replace" and list(steps) != PRESETS["replace"]:
        return [(at, "replace sends all requests at once: leave steps out, or choose canary")]
    if strategy == "blue_green" and (
        not plain or "pause" not in plain[0] or len(plain) > 2 or first != 100
    ):
        return [(at, "blue_green has one pause, and then all requests at once")]
    if strategy == "shadow" and (first != 100 or "set_mirror" not in steps[0]):
        return [(at, "shadow begins with set_mirror, and takes all requests at once at its end")]
    if strategy == "canary" and "pause" in steps[0]:
        return [
            (f"{at}/0", "a canary begins with set_weight: a pause without requests shows nothing")
        ]
    if strategy == "canary" and first == 100:
        return [
            (f"{at}/{place}/set_weight", "must be less than 100: all at once is what replace does")
        ]
    return []


def serving(raw: Mapping[str, Any] | None) -> Serving:
    """Return a whole serving configuration; what is not given takes its default."""
    given, faults = dict(raw or {}), Faults()
    document = Serving(
        replicas=(replicas := given.pop("replicas", 1)),
        max_replicas=given.pop("max_replicas", replicas),
        memory_mb=given.pop("memory_mb", 1024),
        variables=given.pop("variables", {}),
        egress=_egress(given.pop("egress", []), faults),
    )
    counted = [*number_faults(document), *maximum_wrong(dict(document))]
    faults += [(f"/serving/{name}", detail) for name, detail in counted]
    # what cannot be seen is refused too: people approve what a page shows them
    wrong = variables_wrong(document["variables"])
    at = "/serving/variables"
    faults += [(f"{at}/{name}" if name else at, detail) for name, detail in wrong]
    if "unit" in given:
        document["unit"] = given.pop("unit")
        faults += _unit(document["unit"])
    if "capture" in given:
        try:
            document["capture"] = Capture.read(given.pop("capture")).document
        except ValueError as error:
            faults.append(("/serving/capture", str(error)))
    _refuse("/serving", given, faults)
    return document


def _refuse(prefix: str, left: Mapping[str, Any], faults: Faults) -> None:
    faults += [(f"{prefix}/{name}", "is not known") for name in sorted(left)]
    if faults:
        raise DocumentFault(faults)


def _number(pointer: str, value: Any, low: int, high: int) -> Faults:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        return [(pointer, f"must be a whole number from {low} to {high}")]
    return []


def _unit(value: object) -> Faults:
    try:
        UnitSource.read(value)
    except ValueError as error:
        return [("/serving/unit", str(error))]
    return []


def undeclared_faults(document: Serving, declared: Iterable[str]) -> Faults:
    """Return what a configuration sets though the version does not declare that it reads it."""
    detail = "is not declared: register a version that names it in its `variables`, or leave it out"
    names = undeclared(document["variables"], declared)
    return Faults((f"/serving/variables/{name}", detail) for name in names)


def _egress(value: Any, faults: Faults) -> list[str]:
    """Return the destinations in their one form."""
    at = "/serving/egress"
    wrong, found = egress_wrong(value)
    faults += [(at if n is None else f"{at}/{n}", detail) for n, detail in wrong]
    return found

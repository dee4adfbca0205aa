"""The documents a release carries: how it goes out (plan) and what it runs with (serving)."""

import re
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from placet_verify.units import UnitSource

_NAME = re.compile(r"^[A-Z][A-Z0-9_]{0,62}$")
_OURS = ("PLACET_", "BENTOML_", "LD_", "PYTHON")
MAX_VARIABLES, MAX_VALUE = 50, 4096


class Plan(TypedDict):
    """How an endpoint moves to the new revision."""

    strategy: str
    start: str
    keep_warm_seconds: int
    ready_timeout_seconds: int


class Serving(TypedDict):
    """What one revision runs with. Signed, so no secrets in ``variables``.

    ``max_replicas`` is how far an operator may scale without a new release. ``unit`` says whom the
    split treats alike; without it the split is per request.
    """

    replicas: int
    max_replicas: int
    memory_mb: int
    variables: dict[str, str]
    unit: NotRequired[dict[str, str]]


class DocumentFault(ValueError):
    """A plan or serving configuration is wrong; ``faults`` are ``(pointer, detail)``."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{pointer} {detail}" for pointer, detail in faults))
        self.faults = faults


def plan(raw: Mapping[str, Any] | None) -> Plan:
    """Return a whole plan; what is not given takes its default."""
    given, faults = dict(raw or {}), []
    document = Plan(
        strategy=given.pop("strategy", "switch"),
        start=given.pop("start", "on_approval"),
        keep_warm_seconds=given.pop("keep_warm_seconds", 86400),
        ready_timeout_seconds=given.pop("ready_timeout_seconds", 300),
    )
    if document["strategy"] != "switch":
        faults.append(("/plan/strategy", "must be: switch"))
    if document["start"] not in ("on_approval", "manual"):
        faults.append(("/plan/start", "must be on_approval or manual"))
    faults += _number("/plan/keep_warm_seconds", document["keep_warm_seconds"], 0, 30 * 86400)
    faults += _number("/plan/ready_timeout_seconds", document["ready_timeout_seconds"], 10, 3600)
    _refuse("/plan", given, faults)
    return document


def serving(raw: Mapping[str, Any] | None) -> Serving:
    """Return a whole serving configuration; what is not given takes its default."""
    given, faults = dict(raw or {}), []
    document = Serving(
        replicas=(replicas := given.pop("replicas", 1)),
        max_replicas=given.pop("max_replicas", replicas),
        memory_mb=given.pop("memory_mb", 1024),
        variables=given.pop("variables", {}),
    )
    faults += _number("/serving/replicas", document["replicas"], 1, 64)
    if not faults:
        faults += _number("/serving/max_replicas", document["max_replicas"], replicas, 64)
    faults += _number("/serving/memory_mb", document["memory_mb"], 64, 1024 * 1024)
    faults += _variables(document["variables"])
    if "unit" in given:
        document["unit"] = given.pop("unit")
        faults += _unit(document["unit"])
    _refuse("/serving", given, faults)
    return document


def _refuse(prefix: str, left: Mapping[str, Any], faults: list[tuple[str, str]]) -> None:
    faults += [(f"{prefix}/{name}", "is not known") for name in sorted(left)]
    if faults:
        raise DocumentFault(faults)


def _number(pointer: str, value: Any, low: int, high: int) -> list[tuple[str, str]]:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        return [(pointer, f"must be a whole number from {low} to {high}")]
    return []


def _unit(value: object) -> list[tuple[str, str]]:
    try:
        UnitSource.read(value)
    except ValueError as error:
        return [("/serving/unit", str(error))]
    return []


def _variables(value: Any) -> list[tuple[str, str]]:
    at = "/serving/variables"
    if not isinstance(value, dict) or len(value) > MAX_VARIABLES:
        return [(at, f"must be at most {MAX_VARIABLES} names with their values")]
    faults = []
    for name, text in value.items():
        if not _NAME.match(name) or name.startswith(_OURS):
            faults.append(
                (f"{at}/{name[:64]}", "must be NAME_IN_CAPITALS and none of Placet's own")
            )
        elif not isinstance(text, str) or len(text) > MAX_VALUE or not text.isprintable():
            faults.append((f"{at}/{name}", f"must be one line of at most {MAX_VALUE} characters"))
    return faults

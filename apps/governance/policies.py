"""A policy: YAML as people write it, into a validated document with every default filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from apps.governance.break_glass import BreakGlassTerms
from apps.governance.gates import GATES, GateFault
from placet.kernel import yaml_text
from placet_verify import canonical
from placet_verify.numbers import is_whole

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
MAX_GATES = 50
DEFAULT_EXPIRY_DAYS = 14
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

Path = yaml_text.Path


@dataclass(frozen=True, slots=True)
class SourceFault:
    """What is wrong in a policy: the line in the source, the member, and what to do."""

    line: int
    member: str
    detail: str

    def __str__(self) -> str:
        where = f"{self.member} " if self.member else ""
        return f"Line {self.line}: {where}{self.detail}"


class PolicyFault(ValueError):
    """The source is not a policy; ``faults`` name every place."""

    def __init__(self, faults: list[SourceFault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Policy:
    """A validated policy. ``digest`` is over the canonical document, not over the source."""

    document: dict[str, Any]
    digest: str


def parse(source: str) -> Policy:
    """Return the policy that ``source`` (YAML) describes, or raise :class:`PolicyFault`."""
    raw, lines = _load(source)
    document, faults = _validate(raw)
    if faults:
        raise PolicyFault([SourceFault(_line(lines, path), _spell(path), d) for path, d in faults])
    return Policy(document, canonical.digest(document))


def _load(source: str) -> tuple[Any, Mapping[Path, int]]:
    if len(source.encode("utf-8", "replace")) > MAX_BYTES:
        raise PolicyFault([SourceFault(1, "", f"is longer than {MAX_BYTES // 1024} KiB")])
    if found := _CONTROL.search(source):
        line = source.count("\n", 0, found.start()) + 1
        raise PolicyFault([SourceFault(line, "", "holds a control character")])
    try:
        document = yaml_text.read(source, special="refuse", max_depth=MAX_DEPTH)
    except yaml_text.YamlFault as error:
        raise PolicyFault([SourceFault(error.line, _spell(error.path), error.detail)]) from None
    if document.value is None:
        raise PolicyFault([SourceFault(1, "", "is empty")])
    return document.value, document.lines


def _validate(raw: Any) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
    if not isinstance(raw, dict):
        return {}, [((), "must be a mapping with version, description and gates")]
    faults: list[tuple[Path, str]] = []
    known = {"version", "description", "expires_after_days", "gates", "break_glass"}
    faults += [((name,), "is not a member of a policy") for name in raw if name not in known]
    if raw.get("version") != 1 or isinstance(raw.get("version"), bool):
        faults.append((("version",), "must be 1"))
    description = raw.get("description", "")
    if not isinstance(description, str) or len(description) > 500:
        faults.append((("description",), "must be text of at most 500 characters"))
    days = raw.get("expires_after_days", DEFAULT_EXPIRY_DAYS)
    if not is_whole(days, 1, 365):
        faults.append((("expires_after_days",), "must be a whole number from 1 to 365"))
    gates, wrong = _gates(raw.get("gates"))
    document = {
        "version": 1,
        "description": description,
        "expires_after_days": days,
        "gates": gates,
    }
    if "break_glass" in raw:  # a document without it keeps the digest that it had
        try:
            document["break_glass"] = BreakGlassTerms.model_validate(raw["break_glass"]).document
        except ValidationError as error:
            wrong += [
                (("break_glass", *place), detail) for place, detail in BreakGlassTerms.faults(error)
            ]
    return document, faults + wrong


def _gates(raw: Any) -> tuple[list[dict[str, Any]], list[tuple[Path, str]]]:
    if not isinstance(raw, list) or not raw:
        return [], [(("gates",), "must be a list of at least one gate: no gate means no way in")]
    if len(raw) > MAX_GATES:
        return [], [(("gates",), f"may have at most {MAX_GATES} gates")]
    gates: list[dict[str, Any]] = []
    faults: list[tuple[Path, str]] = []
    for place, item in enumerate(raw):
        try:
            gate = _gate(item)
            _refuse_twice(gate, gates)
            gates.append(gate)
        except GateFault as fault:
            step: Path = (fault.member,) if fault.member else ()
            faults.append((("gates", place, *step), fault.detail))
    return gates, faults


def _gate(item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping) or "gate" not in item:
        raise GateFault("", "must be a mapping with the member gate")
    name = item["gate"]
    if not isinstance(name, str) or name not in GATES:
        raise GateFault("gate", f"must be one of: {', '.join(GATES)}")
    return GATES[name].normalise(item)


def _refuse_twice(gate: dict[str, Any], before: list[dict[str, Any]]) -> None:
    same = [g for g in before if g["gate"] == gate["gate"]]
    if same and not GATES[gate["gate"]].repeatable:
        raise GateFault("", f"the gate {gate['gate']} may stand once")
    if gate["gate"] == "approvals" and any(g["role"] == gate["role"] for g in same):
        raise GateFault(
            "role", f"approvals by {gate['role']}s stand twice: raise the count instead"
        )
    if gate in same:
        raise GateFault("", "the same gate stands twice")


def _line(lines: Mapping[Path, int], path: Path) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _spell(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


DEFAULTS: dict[str, str] = {
    "development": """\
version: 1
description: Open. What builds, is not malicious and names no private address may be tried here.
expires_after_days: 14
gates:
  - {gate: build}
  - {gate: scan, allow: [safe, code-carrying]}
  - {gate: isolation, network: any, private: refused}
""",
    "staging": """\
version: 1
description: One reviewer looks at it before it runs beside production.
expires_after_days: 14
gates:
  - {gate: build, isolation: bwrap}
  - {gate: scan, allow: [safe, code-carrying]}
  - {gate: isolation}
  - {gate: freeze}
  - {gate: approvals, role: reviewer, count: 1}
""",
    "production": """\
version: 1
description: Soaked in staging, reviewed, and approved by the owner of the risk.
expires_after_days: 14
gates:
  - {gate: build, isolation: bwrap}
  - {gate: scan, allow: [safe, code-carrying]}
  - {gate: isolation}
  - {gate: schema}
  - {gate: soaked, environment: staging, for: 1h}
  - {gate: freeze}
  - {gate: approvals, role: reviewer, count: 1}
  - {gate: approvals, role: approver, count: 1}
""",
}

"""A policy: YAML as people write it, into a validated document with every default filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ValidationError, ValidationInfo

from apps.governance.break_glass import BreakGlassTerms
from apps.governance.gates import GATES, read
from apps.governance.gates.members import Members
from apps.governance.parts import Loc, Omittable, Part, ReadBy, must, one_of, rule, whole, wrong
from apps.governance.passing_over import WORDS
from placet.kernel import yaml_text
from placet_verify import canonical

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
MAX_GATES = 50
MAX_DESCRIPTION = 500  # characters
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


def _version(value: Any, _: ValidationInfo) -> int:
    if value != 1 or isinstance(value, bool):
        raise wrong(((), "must be 1"))
    return 1


def _gates(value: Any, _: ValidationInfo) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise wrong(((), "must be a list of at least one gate: no gate means no way in"))
    if len(value) > MAX_GATES:
        raise wrong(((), f"may have at most {MAX_GATES} gates"))
    gates: list[dict[str, Any]] = []
    faults: list[tuple[Loc, str]] = []
    for index, item in enumerate(value):
        try:
            gate = read(item)
        except ValidationError as error:
            faults += [((index, *loc), detail) for loc, detail in Members.faults(error)]
            continue
        if fault := _twice(gate, gates):
            faults.append(((index, *fault[0]), fault[1]))
        gates.append(gate)
    if faults:
        raise wrong(*faults)
    return gates


def _twice(gate: dict[str, Any], before: list[dict[str, Any]]) -> tuple[Loc, str] | None:
    same = [g for g in before if g["gate"] == gate["gate"]]
    if same and not GATES[gate["gate"]].repeatable:
        return (), f"the gate {gate['gate']} may stand once"
    if gate["gate"] == "approvals" and any(g["role"] == gate["role"] for g in same):
        return ("role",), f"approvals by {gate['role']}s stand twice: raise the count instead"
    return ((), "the same gate stands twice") if gate in same else None


class PolicyDocument(Part):
    """What a policy asks for. Without ``break_glass`` nobody can break the glass; without
    ``pass_over_analyses`` operators pass over analyses of a plan, and it is written nowhere: the
    digest of a policy from before is what it was."""

    EXPECTED = "must be a mapping with version, description and gates"
    UNKNOWN = "is not a member of a policy"
    version: Annotated[int, ReadBy(_version)] = must()
    description: Annotated[
        str,
        rule(
            lambda value: isinstance(value, str) and len(value) <= MAX_DESCRIPTION,
            f"must be text of at most {MAX_DESCRIPTION} characters",
        ),
    ] = ""
    expires_after_days: Annotated[int, whole(1, 365)] = DEFAULT_EXPIRY_DAYS
    gates: Annotated[list[dict[str, Any]], ReadBy(_gates)] = must()
    break_glass: Annotated[BreakGlassTerms | None, Omittable()] = None
    pass_over_analyses: Annotated[str | None, one_of(*WORDS)] = None


def parse(source: str) -> Policy:
    """Return the policy that ``source`` (YAML) describes, or raise :class:`PolicyFault`."""
    raw, lines = _load(source)
    try:
        document = PolicyDocument.model_validate(raw).document
    except ValidationError as error:
        faults = PolicyDocument.faults(error)
        raise PolicyFault(
            [SourceFault(_line(lines, path), _spell(path), detail) for path, detail in faults]
        ) from None
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


def _line(lines: Mapping[Path, int], path: Path) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _spell(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text

"""``expression``: a condition in CEL over the facts, e.g. ``evidence.metrics.auc >= 0.9``.

CEL has no loops but the bounded ones over lists, no side effects, and linear-time patterns; the
library stops after 10,000 iterations and at 32 levels. Every number in the facts is a double.

Answers are logged as they are, and evidence may hold what people wrote: a text of more than one
short word is compared, and only its length is told.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from cel_expr_python import cel
from pydantic import ValidationInfo

from apps.governance.gates.facts import EvidenceFact, Facts, GateResult, answer, newest
from apps.governance.gates.members import Members
from apps.governance.gates.terms import comparisons, paths
from apps.governance.parts import ReadBy, wrong
from apps.governance.plan import Plan

NAME = "expression"
REPEATABLE = True
MAX_LENGTH = 1000
MAX_SAYS = 200
ROOTS = ("evidence", "live", "version", "serving", "plan")
_SHORT_WORD = re.compile(r"[A-Za-z0-9_.:+-]{0,40}")
_SIGNS = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠", ">": ">", "<": "<"}


class NotFinite(ValueError):
    """A fact or an intermediate result is NaN or infinite."""


@lru_cache(maxsize=1)
def _environment() -> Any:
    facts = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables=dict.fromkeys(ROOTS, facts))


@lru_cache(maxsize=2048)
def _compile(source: str) -> Any:
    return _environment().compile(source)


def _line(value: Any, most: int) -> str:
    """Return a line of text as it is kept, or refuse it."""
    if not isinstance(value, str):
        raise wrong(((), "must be text"))
    if len(value) > most:
        raise wrong(((), f"may have at most {most} characters"))
    if any(ord(c) < 32 and c not in "\n\t" for c in value):
        raise wrong(((), "holds a control character"))
    return value.strip()


def _condition(value: Any, _: ValidationInfo) -> str:
    that = _line(value, MAX_LENGTH)
    if not that:
        raise wrong(((), "must be text"))
    try:
        kind = str(_compile(that).return_type().name())
    except RuntimeError as error:
        raise wrong(((), _compile_fault(str(error)))) from None
    if kind not in ("BOOL", "DYN"):
        raise wrong(((), f"must be true or false, and this is {kind.lower()}"))
    return that


class ExpressionMembers(Members):
    """The condition, compiled here for the first time, and it in words."""

    that: Annotated[str, ReadBy(_condition)]
    says: Annotated[str, ReadBy(lambda value, _: _line(value, MAX_SAYS))] = ""


def _compile_fault(text: str) -> str:
    found = re.search(r"ERROR: <input>:(\d+):(\d+): (.*)", text)
    if found is None:
        return "is not a CEL expression that can be checked: " + text.splitlines()[0][:200]
    return f"column {found[2]}: {found[3][:300]}"


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    return str(gate.get("says") or gate["that"])


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Evaluate it; a missing fact, NaN and anything but ``true`` do not pass."""
    that = str(gate["that"])
    data = values(facts)
    try:
        _refuse_not_finite(that, data)
        result = _compile(that).eval(data=data)
        shown = _shown(that, data)
    except NotFinite as error:
        return answer(gate, title(gate), "error", str(error))
    except RuntimeError as error:
        return answer(gate, title(gate), "error", _fault(str(error)))
    kind, value = result.type().name(), result.value()
    if kind != "BOOL":
        return answer(gate, title(gate), "error", _why(that, data, kind, value))
    text = ", ".join(shown)
    if value is True:
        return answer(gate, title(gate), "passed", text or "It holds", values=shown)
    reason = f"{text}" if text else "It does not hold"
    return answer(gate, title(gate), "failed", reason, values=shown)


def values(facts: Facts) -> dict[str, Any]:
    """Return the variables an expression sees. ``live`` is what served last where nothing is
    live, and empty where nothing has been."""
    live = facts.live
    return {
        "evidence": _by_kind(facts.evidence),
        "live": {**_by_kind(live.evidence), "version": _plain(live.version)} if live else {},
        "version": _plain(facts.version),
        "serving": _plain(facts.serving),
        "plan": _plain(_whole(facts.plan)),
    }


def _whole(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan with what older ones do not say, and its weights in percent by themselves."""
    plan = Plan.stored(document)
    steps = plan.document["steps"]
    return {**document, "strategy": plan.strategy, "steps": steps, "weights": plan.weights}


def _by_kind(evidence: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in {e.kind for e in evidence}:
        chosen: EvidenceFact | None = newest(evidence, kind)
        if chosen is not None:
            found[kind] = _plain(chosen.data)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value)


def _refuse_not_finite(that: str, data: Mapping[str, Any]) -> None:
    for path in paths(that, ROOTS):
        _, value = _follow(path, data)
        if _holds_not_finite(value):
            raise NotFinite(f"{'.'.join(path)} is not a finite number")


def _holds_not_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_holds_not_finite(v) for v in value.values())
    return isinstance(value, list) and any(_holds_not_finite(v) for v in value)


def _follow(path: tuple[str, ...], data: Mapping[str, Any]) -> tuple[tuple[str, ...] | None, Any]:
    """Return the first part of ``path`` that is missing (or None), and the value at its end."""
    value: Any = data
    for depth, step in enumerate(path):
        if not isinstance(value, dict):
            return None, value  # a method such as .size()
        if step not in value:
            return path[: depth + 1], None
        value = value[step]
    return None, value


def _shown(that: str, data: Mapping[str, Any]) -> list[str]:
    """Return each comparison with its values, e.g. ``0.993 ≥ 0.9``; a false one says so."""
    shown = []
    for left, sign, right in comparisons(that):
        one, other = _value(left, data), _value(right, data)
        if one is None or other is None:
            continue
        holds = _compile(f"({left}) {sign} ({right})").eval(data=data).value() is True
        text = f"{_word(one)} {_SIGNS[sign]} {_word(other)}"
        shown.append(text if holds else f"not {text}")
    return shown


def _value(source: str, data: Mapping[str, Any]) -> Any:
    try:
        value = _compile(source).eval(data=data)
    except RuntimeError:
        return None
    if value.type().name() == "ERROR":
        return None
    plain = value.plain_value()
    if isinstance(plain, float) and not math.isfinite(plain):
        raise NotFinite(f"{source} is not a finite number")
    return plain


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:.6g}"
    if not isinstance(value, str):
        return type(value).__name__
    if _SHORT_WORD.fullmatch(value):
        return repr(value)
    return f"a text of {len(value)} character{'s' * (len(value) != 1)}"


def _fault(text: str) -> str:
    """Return what the library says, but for the end in which it quotes keys and patterns."""
    line = text.splitlines()[0]
    if "No matching overloads" not in line:  # which quotes types alone
        line = ": ".join(line.split(": ")[:2])
    return f"It could not be evaluated: {line.strip()[:200]}"


def _why(that: str, data: Mapping[str, Any], kind: str, value: Any) -> str:
    for path in paths(that, ROOTS):
        missing, _ = _follow(path, data)
        if missing is not None:
            hint = ": nothing is live here" if missing[0] == "live" and not data["live"] else ""
            return f"There is no {'.'.join(missing)}{hint}"
    if kind == "ERROR":
        return _fault(str(value))
    return f"It gave {kind.lower()}, not true or false"

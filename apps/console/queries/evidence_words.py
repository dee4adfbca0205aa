"""What a piece of evidence says in a line, and how good that is, wherever it is shown.

Data is as whoever reported it wrote it, or an earlier release measured it: nothing of it is taken
to be of the type that it should be.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from apps.console.queries.page_parts import Tone, counted
from apps.console.queries.verdicts import scan_tone, smoke_tone
from apps.console.templatetags.placet import number, words
from apps.governance.queries.facts import evidence_fact
from apps.registry.models import Evidence

LONGEST = 120  # letters of a line that somebody else wrote
_MISLEADING = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def cut(text: str, most: int = LONGEST) -> str:
    """Return text on one line, without what turns the direction of writing, and no longer than
    ``most``."""
    start = _MISLEADING.sub(" ", text[: 2 * most])
    return start if max(len(start), len(text) - most) <= most else f"{start[: most - 1]}…"


def found_by(data: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the findings of a scan."""
    return mappings(data.get("findings"))


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return those of a list that have members; none where it is no list."""
    listed = value if isinstance(value, list) else ()
    return [one for one in listed if isinstance(one, Mapping)]


def evidence_words(row: Evidence, signers: Mapping[str, str]) -> str:
    """Return what evidence says to gates, in a line."""
    return cut(_line(row.kind, evidence_fact(row).data, signers))


def _line(kind: str, data: Mapping[str, Any], signers: Mapping[str, str]) -> str:
    equal = f"{data.get('equal', '')} of {data.get('rows', '')}"
    match kind:
        case "scan":
            return (
                f"{words(str(data.get('verdict', '')))}, {counted(len(found_by(data)), 'finding')}"
            )
        case "smoke_test" if data.get("result") == "equal":
            return f"{equal} expected outputs equal"
        case "smoke_test":
            return smoke_words(str(data.get("result", "")), equal, asked=bool(data.get("rows")))
        case "sbom":
            return counted(data.get("components", 0), "component")
        case "model_signature" if data.get("result") == "trusted":
            return f"signed by {signer(data, signers)}"
        case "model_signature":
            return "signed by an untrusted key"
        case "acceleration":
            accelerated = data.get("verdict") == "accelerated"
            return f"ONNX, {equal} rows equal" if accelerated else "the original model is served"
        case "metrics":
            return counted(len(data), "metric")
        case _:
            return _reported_line(kind, data)


def _reported_line(kind: str, data: Mapping[str, Any]) -> str:
    """Return the same of kinds that others report alone."""
    match kind:
        case "fairness":
            return f"{_many(data.get('metrics'), 'measure')} by {data.get('attribute', '')}"
        case "explainability":
            return f"{_many(data.get('importances'), 'feature')} by {data.get('method', '')}"
        case "data_quality":
            checks = mappings(data.get("checks"))
            return f"{len(checks) - failed(checks)} of {counted(len(checks), 'check')} passed"
        case "load_test":
            requests = counted(data.get("requests", 0), "request")
            return f"{requests}, {number(data.get('failed', ''))} failed"
        case "document":
            return str(data.get("title", "")).strip() or "untitled"
        case "model_card":
            return "digest of the card"
        case _:
            return counted(len(data), "fact")


def _many(value: Any, one: str) -> str:
    return counted(len(value) if isinstance(value, Mapping) else 0, one)


def failed(checks: Sequence[Mapping[str, Any]]) -> int:
    """Return how many checks of the quality of data did not pass."""
    return sum(check.get("passed") is not True for check in checks)


def evidence_tone(row: Evidence) -> Tone:
    """Return how good what evidence says is, where it says so."""
    kind, data = row.kind, evidence_fact(row).data
    match kind:
        case "scan":
            return scan_tone(str(data.get("verdict")))
        case "smoke_test":
            return smoke_tone(str(data.get("result")))
        case "data_quality":
            checks = mappings(data.get("checks"))
            return ("fail" if failed(checks) else "pass") if checks else "plain"
        case "model_signature":
            return "pass" if data.get("result") == "trusted" else "wait"
        case _:
            return "plain"


def smoke_words(result: str, equal: str, *, asked: bool) -> str:
    """Return what a smoke test says that did not find every output as expected."""
    match result:
        case "starts" if asked:
            return "starts and answers the example; no expected output to compare with"
        case "starts":
            return "starts; no example to ask it with"
        case "different":
            return f"only {equal} outputs as expected"
    return words(result)


def apart(data: Mapping[str, Any]) -> str:
    """Return how far an accelerated model answers from the original, and how far it may."""
    tolerance = data.get("tolerance")
    allowed = tolerance if isinstance(tolerance, Mapping) else {}
    absolute, relative = (number(allowed.get(n, "")) for n in ("absolute", "relative"))
    most = number(data.get("max_absolute", ""))
    return f"at most {most} apart (allowed: {absolute} + {relative} of the value)"


def signer(data: Mapping[str, Any], signers: Mapping[str, str]) -> str:
    """Return by which key a model was signed."""
    return signers.get(str(data.get("key", ""))) or "a key that is gone"

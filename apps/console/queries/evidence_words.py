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
from apps.governance.summaries import mappings, summary_of
from apps.registry.models import Evidence

GONE = "a key that is gone"
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


def evidence_words(row: Evidence, signers: Mapping[str, str]) -> str:
    """Return what evidence says to gates, in a line."""
    return summary_words(row.kind, summary_of(row.kind, evidence_fact(row).data, signers))


def evidence_tone(row: Evidence) -> Tone:
    """Return how good what evidence says is, where it says so."""
    return summary_tone(row.kind, summary_of(row.kind, evidence_fact(row).data))


def summary_words(kind: str, summary: Mapping[str, Any]) -> str:
    """Return what evidence of which this is known says to gates, in a line."""
    return cut(_line(kind, summary))


def _line(kind: str, said: Mapping[str, Any]) -> str:
    equal = f"{said.get('equal', '')} of {said.get('rows', '')}"
    match kind:
        case "scan":
            return f"{words(str(said.get('verdict', '')))}, {counted(said['findings'], 'finding')}"
        case "smoke_test" if said.get("result") == "equal":
            return f"{equal} expected outputs equal"
        case "smoke_test":
            return smoke_words(str(said.get("result", "")), equal, asked=bool(said.get("rows")))
        case "sbom":
            return counted(said.get("components", 0), "component")
        case "model_signature" if said.get("result") == "trusted":
            return f"signed by {said['signer'] or GONE}"
        case "model_signature":
            return "signed by an untrusted key"
        case "acceleration":
            accelerated = said.get("verdict") == "accelerated"
            return f"ONNX, {equal} rows equal" if accelerated else "the original model is served"
        case "metrics":
            return counted(said["members"], "metric")
        case _:
            return _reported_line(kind, said)


def _reported_line(kind: str, said: Mapping[str, Any]) -> str:
    """Return the same of kinds that others report alone."""
    match kind:
        case "fairness":
            return f"{counted(said['metrics'], 'measure')} by {said.get('attribute', '')}"
        case "explainability":
            return f"{counted(said['importances'], 'feature')} by {said.get('method', '')}"
        case "data_quality":
            many = said["checks"]
            return f"{many - said['failed']} of {counted(many, 'check')} passed"
        case "load_test":
            requests = counted(said.get("requests", 0), "request")
            return f"{requests}, {number(said.get('failed', ''))} failed"
        case "document":
            return str(said.get("title", "")).strip() or "untitled"
        case "model_card":
            return "digest of the card"
        case _:
            return counted(said["members"], "fact")


def summary_tone(kind: str, summary: Mapping[str, Any]) -> Tone:
    """Return how good evidence of which this is known is, where it says so."""
    match kind:
        case "scan":
            return scan_tone(str(summary.get("verdict")))
        case "smoke_test":
            return smoke_tone(str(summary.get("result")))
        case "data_quality":
            return ("fail" if summary["failed"] else "pass") if summary["checks"] else "plain"
        case "model_signature":
            return "pass" if summary.get("result") == "trusted" else "wait"
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
    return signers.get(str(data.get("key", ""))) or GONE

"""What differs between two versions, as plain values for pages, the API and release notes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ChangeState = Literal["same", "changed", "added", "removed"]
LESS_IS_BETTER = re.compile(
    "brier|loss|logloss|rmse|mse|mae|mape|smape|error|err|latency|ms|perplexity|fpr|fnr|wer|cer|eer"
    "|ece|drift|psi|deviance"
)
MORE_IS_BETTER = re.compile(
    "auc|auroc|aucpr|accuracy|acc|f1|precision|recall|r2|gini|ks|mcc|kappa|ndcg|map|bleu|rouge"
    "|sensitivity|specificity|tpr|tnr|iou|dice"
)


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One name on both sides. ``change`` is ``after - before`` where both are numbers."""

    name: str
    before: Any
    after: Any
    state: ChangeState
    change: float | None = None


@dataclass(frozen=True, slots=True)
class VersionSide:
    """A version as one side of a comparison."""

    id: str
    label: str
    number: int
    artifact_digest: str
    format: str
    python_version: str


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """Version ``b`` beside version ``a``; every list is sorted by name."""

    a: VersionSide
    b: VersionSide
    metrics: list[ValueChange]
    parameters: list[ValueChange]
    inputs: list[ValueChange]
    outputs: list[ValueChange]
    requirements: list[ValueChange]
    files: list[ValueChange]
    card: list[str]
    datasets: list[ValueChange] = field(default_factory=list)
    code: list[ValueChange] = field(default_factory=list)

    @property
    def signature_same(self) -> bool:
        """Tell whether clients of ``a`` see the same schema at ``b``."""
        return all(change.state == "same" for change in self.inputs + self.outputs)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ValueChange]:
    """Compare two mappings name by name."""
    names = sorted({*before, *after})
    return [_change(name, before, after) for name in names]


def _change(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> ValueChange:
    if name not in before:
        return ValueChange(name, None, after[name], "added")
    if name not in after:
        return ValueChange(name, before[name], None, "removed")
    old, new = before[name], after[name]
    state: ChangeState = "same" if _same(old, new) else "changed"
    return ValueChange(name, old, new, state, _difference(old, new))


def _same(old: Any, new: Any) -> bool:
    """Compare as JSON does: 1 and true are not one value."""
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _difference(old: Any, new: Any) -> float | None:
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in (old, new)):
        return None
    return float(new - old)


def preferred(metric: str) -> Literal["more", "less", ""]:
    """Return which way a metric gets better, as its name says in the usual words; '' where it says
    nothing, or both."""
    words = re.findall(r"[a-z]+[0-9]*", metric.lower())
    more, less = (any(map(ways.fullmatch, words)) for ways in (MORE_IS_BETTER, LESS_IS_BETTER))
    if more == less:
        return ""
    return "more" if more else "less"


def column_kinds(signature: Mapping[str, Any] | None, side: str) -> dict[str, str]:
    """Return ``{column: "double"}`` of one side of a signature, with shape and optionality."""
    kinds: dict[str, str] = {}
    for column in (signature or {}).get(side, []):
        shape = f" {column['shape']}" if column.get("shape") else ""
        optional = "" if column.get("required", True) else " (optional)"
        kinds[column["name"]] = f"{column['type']}{shape}{optional}"
    return kinds


def dataset_digests(lineage: Mapping[str, Any]) -> dict[str, str]:
    """Return ``{data set: digest}`` of a lineage; of two with one name the later is numbered."""
    digests: dict[str, str] = {}
    for row in lineage.get("datasets") or ():
        name, count = str(row.get("name", "")), 1
        while (named := name if count == 1 else f"{name} ({count})") in digests:
            count += 1
        digests[named] = str(row.get("digest", ""))
    return digests


def code_facts(
    lineage: Mapping[str, Any], named: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return what a lineage says of the code that trained a version and of its run, by name; its
    parent, an id, is called as ``named`` says."""
    code, run = lineage.get("code") or {}, lineage.get("run") or {}
    run = run if isinstance(run, dict) else {"id": run}  # of a row from before it had members
    parent = str(lineage.get("parent") or "")
    told = {
        "Repository": code.get("repository"),
        "Commit": code.get("commit"),
        "Run": ", ".join(str(run[name]) for name in ("id", "url") if run.get(name)),
        "Parent version": (named or {}).get(parent, parent),
    }
    return {name: str(value) for name, value in told.items() if value}


def requirement_versions(lines: list[str]) -> dict[str, str]:
    """Return ``{package: "==1.2"}``; two lines for one package stand joined."""
    versions: dict[str, str] = {}
    for line in lines:
        try:
            parsed = Requirement(line)
        except InvalidRequirement:
            versions[line] = ""
            continue
        extras = f"[{','.join(sorted(parsed.extras))}]" if parsed.extras else ""
        marker = f"; {parsed.marker}" if parsed.marker else ""
        name, text = canonicalize_name(parsed.name), f"{extras}{parsed.specifier}{marker}"
        versions[name] = f"{versions[name]}, {text}" if name in versions else text
    return versions

"""The bodies of evidence by their kind, as facts and tables.

A body is as somebody else wrote it: a renderer takes out of it what is of the type that the kind
should have, and whatever is left is shown as it is.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from apps.console.queries.evidence_blocks import (
    COLUMNS,
    Block,
    Cell,
    cell,
    facts,
    figure,
    head,
    rest,
    said,
    table,
)
from apps.console.queries.evidence_words import apart
from apps.console.queries.verdicts import ICONS, SCANS, scan_tone
from apps.console.templatetags.placet import change, number, rate, span, words
from apps.discussions.rules import ANCHOR_LIMIT
from apps.governance.gates.facts import EvidenceFact
from apps.governance.queries.changes import MetricComparison, metric_rows
from apps.governance.summaries import mappings
from apps.registry.models import ModelVersion
from apps.registry.rules import card_data, is_latency
from apps.registry.rules.values import is_writable

Data = dict[str, Any]
FINEST_MS = 0.01  # a shorter time is told to be that
BY_GROUP = 3  # tables of measures by group, of so many columns each
LONG = 80  # letters of a text that may be cut in a line with others
THROUGHPUT = ("throughput", "requests_per_second", "rps")
WEAKER = "weaker than a comparison: nothing says what it should answer"
ANSWERED = {"equal": "as expected", "starts": "not compared"}  # by what the smoke test found
NO_BYTES = "Placet keeps the digest, not the document: get it from whoever reported it, and compare"


@dataclass(frozen=True, slots=True)
class Beside:
    """What a page knows that shows evidence: its version, what it is compared with and how the
    columns are called, and where its reader may discuss it."""

    version: ModelVersion | None = None
    live: Sequence[EvidenceFact] | None = None  # None where it is compared with nothing
    live_column: str = ""
    own_column: str = "Value"
    discussion: str = ""  # '' where they may not

    def discuss(self, name: str) -> str:
        """Return where a metric is discussed."""
        if not self.discussion or len(name) > ANCHOR_LIMIT - len("metrics/"):
            return ""
        return f"{self.discussion}?{urlencode({'anchor': f'metrics/{name}'}, safe='/')}#new"


Renderer = Callable[[Data, EvidenceFact, Beside], Iterator[Block]]


def body(fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    """Yield the blocks that show the body of evidence."""
    data: Data = dict(fact.data)
    renderer = RENDERERS.get(fact.kind)
    if renderer is None:
        yield from rest(data)
        return
    yield from renderer(data, fact, beside)
    yield from rest(data, f"Also {fact.source}")


def is_figure(value: Any) -> bool:
    """Tell whether a value is a number that can be computed with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return is_writable(value) and math.isfinite(value)


def taken(data: Data, name: str, *types: type) -> Any:
    """Take a member out of ``data`` if it is of one of ``types``; ``None`` leaves it there."""
    value = data.get(name)
    return data.pop(name) if isinstance(value, types) else None


def figures(data: Data, name: str) -> dict[str, float]:
    """Take the numbers of a member out of ``data``, and leave what is none."""
    value = data.get(name)
    if not isinstance(value, Mapping):
        return {}
    found = {n: v for n, v in value.items() if is_figure(v)}
    data[name] = {n: v for n, v in value.items() if n not in found}
    if not data[name]:
        del data[name]
    return found


def long(data: Data, name: str) -> str | None:
    """Take a text out of ``data`` that stands above the body already, where there is room for it:
    ``None``, or the whole of one that is cut there."""
    text: str | None = taken(data, name, str)
    return text if text and len(text) > LONG else None


def given(pairs: Mapping[str, Any]) -> Block:
    """Return those facts that are there."""
    return facts((name, value) for name, value in pairs.items() if value is not None)


def _metrics(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    numbers = {name: value for name, value in data.items() if is_figure(value)}
    for name in numbers:
        del data[name]
    compared = beside.live is not None
    rows = metric_rows([replace(fact, data=numbers)], list(beside.live or ()))

    def row(one: MetricComparison) -> Sequence[Cell]:
        own = figure(one.proposed)
        name = Cell(said(one.name), discuss=beside.discuss(one.name) if one.name in numbers else "")
        return [name, figure(one.live), own, Cell(change(one), "num")] if compared else [name, own]

    shown = ["Metric", beside.live_column, beside.own_column, "Change"]
    shown = shown if compared else ["Metric", beside.own_column]
    yield table(shown, rows, row, numbers=(1, 2, 3))


def _fairness(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    yield given({"Attribute": long(data, "attribute")})
    groups: dict[str, dict[str, float]] = {}
    single: dict[str, float] = {}
    for name, value in figures(data, "metrics").items():
        measure, at, group = name.partition("@")
        if at and measure and group:
            groups.setdefault(group, {})[measure] = value
        else:
            single[name] = value
    told = data.get("groups")
    if isinstance(told, Mapping):
        told = dict(told)
        for group in list(told):
            groups.setdefault(str(group), {}).update(figures(told, group))
        data["groups"] = told
        if not told:
            del data["groups"]
    groups = {group: measures for group, measures in sorted(groups.items()) if measures}
    names = sorted({name for measures in groups.values() for name in measures})
    for start in range(0, len(names), COLUMNS)[:BY_GROUP]:
        yield _by_group(groups, names[start : start + COLUMNS])
    yield Block((), max(len(names) - BY_GROUP * COLUMNS, 0))
    columns = ["Measure", "Value"]
    yield table(columns, list(single.items()), _pair, numbers=(1,))


def _by_group(groups: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> Block:
    """Return measures of each group, above them how far the groups lie apart."""
    lie = [[measures[name] for measures in groups.values() if name in measures] for name in names]
    gaps: list[tuple[str, list[Any]]] = [
        (
            "Gap, largest to smallest",
            [max(values) - min(values) if values[1:] else None for values in lie],
        )
    ]
    gaps = gaps if len(groups) > 1 else []
    rows = [(group, [measures.get(n) for n in names]) for group, measures in groups.items()]

    def row(one: tuple[str, list[Any]]) -> Sequence[Cell]:
        return [Cell(said(one[0])), *(Cell(said(value), "num") for value in one[1])]

    numbers = range(1, len(names) + 1)
    return table(["Group", *map(head, names)], [*gaps, *rows], row, numbers=numbers)


def _pair(one: tuple[str, Any]) -> Sequence[Cell]:
    return [Cell(said(one[0])), figure(one[1])]


def _explainability(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    yield given({"Method": long(data, "method")})
    found = figures(data, "importances")
    largest = max(map(abs, found.values()), default=0) or 1
    rows = sorted(found.items(), key=lambda one: -abs(one[1]))

    def row(one: tuple[str, float]) -> Sequence[Cell]:
        share = round(min(abs(one[1]) / largest, 1) * 100, 1)
        return [*_pair(one), Cell("", "bars", bar=share, is_below=one[1] < 0)]

    columns = ["Feature", "Contribution", "Relative"]
    yield table(columns, rows, row, numbers=(1,))


def _data_quality(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    checks = mappings(data.get("checks"))
    rows = sorted(checks, key=lambda one: one.get("passed") is True)
    yield given({"Rows": taken(data, "rows", int, float)})
    if isinstance(data.get("checks"), list) and len(checks) == len(data["checks"]):
        del data["checks"]

    def row(one: Mapping[str, Any]) -> Sequence[Cell]:
        passed = one.get("passed") is True
        more = {n: v for n, v in one.items() if n not in ("name", "passed")}
        sign = ("Passed", "pass") if passed else ("Failed", "fail")
        told = Cell(sign[0], "", tone=sign[1], icon=ICONS["pass" if passed else "fail"])
        return [cell(one.get("name")), told, Cell(said(more) if more else "")]

    yield table(["Check", "Result", "Details"], rows, row)


def _load_test(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    requests, bad = taken(data, "requests", int, float), taken(data, "failed", int, float)
    lost: Any = bad
    if is_figure(requests) and is_figure(bad) and requests > 0:
        tone, icon = ("wait", ICONS["wait"]) if bad else ("pass", ICONS["pass"])
        lost = Cell(f"{number(bad)} ({rate(bad / requests)})", tone=tone, icon=icon)
    each = [taken(data, name, int, float) for name in THROUGHPUT]
    speed = next((value for value in each if value is not None), None)
    throughput = None if speed is None else f"{said(speed)} requests a second"
    yield given({"Requests": requests, "Failed": lost, "Throughput": throughput})
    times = {n: v for n, v in data.items() if is_latency(str(n)) and is_figure(v)}
    for name in times:
        del data[name]
    rows = sorted(times.items(), key=lambda one: one[1])

    def row(one: tuple[str, float]) -> Sequence[Cell]:
        name = one[0].removesuffix("_ms").replace("_", ".")
        time = f"< {FINEST_MS}" if 0 < one[1] < FINEST_MS else said(one[1])
        return [Cell(said(name)), Cell(f"{time} ms", "num")]

    yield table(["Latency", "Time"], rows, row, numbers=(1,))


def _scan(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    taken(data, "verdict", str)  # which is said above
    files, scanner = taken(data, "files", int, float), taken(data, "scanner", dict)
    loads = taken(data, "what_loads_them", str)
    findings = mappings(data.get("findings"))
    if isinstance(data.get("findings"), list) and len(findings) == len(data["findings"]):
        del data["findings"]
    yield given({"Files": files, "Scanner": _program(scanner or {}), "What loads them": loads})
    order = [*SCANS][::-1]  # the gravest first: what no list knows

    def grave(one: Mapping[str, Any]) -> tuple[int, str]:
        word = str(one.get("verdict"))
        return order.index(word) if word in order else -1, str(one.get("path"))

    def row(one: Mapping[str, Any]) -> Sequence[Cell]:
        word = str(one.get("verdict", ""))
        sign = scan_tone(word)
        told = Cell(said(words(word)), tone=sign, icon=ICONS[sign])
        return [cell(one.get("path")), cell(one.get("what")), told]

    yield table(["File", "Finding", "Verdict"], sorted(findings, key=grave), row)


def _program(members: Mapping[str, Any]) -> str | None:
    """Return what a program is called, with its version and those of its parts."""
    name, version = members.get("name", ""), members.get("version", "")
    parts = [f"{n} {number(v)}" for n, v in members.items() if n not in ("name", "version")]
    return ", ".join(filter(None, [f"{number(name)} {number(version)}".strip(), *parts])) or None


def _smoke_test(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    result, rows = taken(data, "result", str), taken(data, "rows", int, float)
    taken(data, "equal", int, float)  # which is said above
    where, took = taken(data, "isolation", str), taken(data, "seconds", int, float)
    cold, slim = (taken(data, f"{of}cold_start_seconds", int, float) for of in ("", "slim_"))
    yield given(
        {
            "Found": taken(data, "detail", str),
            "Worth": WEAKER if result == "starts" else None,
            "Ran": where and ("in a sandbox" if where == "bwrap" else "as an unprivileged user"),
            "Took": span(took) if is_figure(took) else None,
            "Cold start": span(cold) if is_figure(cold) else None,
            "Cold start, slim": span(slim) if is_figure(slim) else None,
        }
    )
    if beside.version is not None:
        asked = int(rows) if is_figure(rows) and rows > 0 else None
        yield from _asked(beside.version, asked, ANSWERED.get(result or "", ""))


def _asked(version: ModelVersion, asked: int | None, answered: str) -> Iterator[Block]:
    """Yield the rows that a smoke test sent, and what should be ``answered`` to each. What was is
    kept of the first that differs alone, in the words of the test."""
    expected, sent = version.expected, version.example
    if not isinstance(sent, list):
        return
    sent = sent[:asked]
    wanted = expected if isinstance(expected, list) else []
    rows = [(at, one, wanted[at] if at < len(wanted) else None) for at, one in enumerate(sent)]

    def row(one: tuple[int, Any, Any]) -> Sequence[Cell]:
        last = [Cell(answered)] if answered else []
        return [Cell(str(one[0])), cell(one[1]), cell(one[2]), *last]

    columns = ["Row", "Sent", "Expected", *(["Answered"] if answered else [])]
    yield table(columns, rows, row)


def _acceleration(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    how = apart(data)
    for name in ("verdict", "rows", "equal", "max_absolute", "max_relative", "tolerance"):
        data.pop(name, None)
    yield given({"Predictions": how, "Found": taken(data, "detail", str)})


def _model_signature(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    data.pop("result", None)  # which is said above
    yield given({"Key": taken(data, "key", str) or None, "Files": data.pop("files", None)})


def _sbom(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    taken(data, "components", int, float)  # which is said above
    licences = "not in it: it lists packages, versions and hashes"
    form, sha256 = taken(data, "format", str), taken(data, "sha256", str)
    yield given({"Licences": licences, "Format": form, "SHA-256": sha256})


def _model_card(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    version, sha256 = beside.version, taken(data, "sha256", str)
    edited = version is not None and sha256 != card_data(version.card)["sha256"]
    now = "edited since: this is the digest of an earlier one" if edited else None
    yield given({"SHA-256": sha256, "Text": now})


def _document(data: Data, fact: EvidenceFact, beside: Beside) -> Iterator[Block]:
    title, sha256 = long(data, "title"), taken(data, "sha256", str)
    yield given({"Title": title, "SHA-256": sha256, "Content": NO_BYTES})


RENDERERS: dict[str, Renderer] = {
    "metrics": _metrics,
    "fairness": _fairness,
    "explainability": _explainability,
    "data_quality": _data_quality,
    "load_test": _load_test,
    "scan": _scan,
    "smoke_test": _smoke_test,
    "acceleration": _acceleration,
    "sbom": _sbom,
    "model_signature": _model_signature,
    "document": _document,
    "model_card": _model_card,
}  # in the order in which a reader wants to see them

"""Two versions side by side, as their page shows what differs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.text import capfirst

from apps.builds.models import Bento
from apps.console.queries.evidence_words import evidence_words
from apps.console.queries.page_parts import counted
from apps.console.templatetags.placet import difference, digest, metric_change, number
from apps.governance.queries.facts import was_called_safe
from apps.registry.comparison import ValueChange, VersionComparison
from apps.registry.formats import FORMATS
from apps.registry.models import Evidence, EvidenceSource, ModelVersion

UNDECLARED = "not declared"
NONE_YET, UNKNOWN = "none yet", "unknown"
UNTOLD = {NONE_YET, UNKNOWN}
FEW = 6  # rows that are the same and need no folding
SIGNS = {"added": "+", "removed": "−", "changed": "≠"}
CHECKS = {"scan": "Scan", "smoke_test": "Smoke test"}  # evidence that builds measure
MEASURED = EvidenceSource.MEASURED
LINES = {"+": "add", "-": "del"}


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One name on both sides, in words."""

    change: ValueChange

    @property
    def name(self) -> str:
        """What it is called."""
        return self.change.name

    @property
    def is_same(self) -> bool:
        """Whether nothing changed."""
        return self.change.state == "same"

    @property
    def before(self) -> str:
        """What the first version has."""
        return "–" if self.change.state == "added" else self.shown(self.change.before)

    @property
    def after(self) -> str:
        """What the second version has."""
        return "–" if self.change.state == "removed" else self.shown(self.change.after)

    def shown(self, value: Any) -> str:
        """Return a value as it stands in the table."""
        return number(value)

    @property
    def sign(self) -> str:
        """The sign beside a change that is no number."""
        return SIGNS.get(self.change.state, "") if self.change.change is None else ""

    @property
    def how(self) -> str:
        """How it changes: by how much, or in a word."""
        by = self.change.change
        if by is None or self.is_same:
            return self.change.state
        return difference(self.change.before, self.change.after)


class MetricRow(ChangeRow):
    """A metric on both sides."""

    @property
    def how(self) -> str:
        """By how much it changes, and whether that is better."""
        if self.change.change is None or self.is_same:
            return self.change.state
        return metric_change(self.name, self.change.before, self.change.after)


class FileRow(ChangeRow):
    """A file on both sides, by its digest."""

    def shown(self, value: str) -> str:
        """Return a digest short: whole it leaves no room for the name on a phone."""
        return digest(value)


class UntoldRow(ChangeRow):
    """Something that not both sides say: nobody can tell whether it changed."""

    @property
    def is_same(self) -> bool:
        """Whether nothing is known to have changed."""
        return True

    @property
    def sign(self) -> str:
        """No sign: it is no change."""
        return ""

    @property
    def how(self) -> str:
        """That it cannot be told."""
        return "cannot be told"


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """One table of a comparison. Long runs of what is the same are folded away."""

    title: str
    rows: Sequence[ChangeRow]
    narrow: bool = False
    note: str = ""

    @property
    def changed(self) -> int:
        """How many rows differ."""
        return sum(not row.is_same for row in self.rows)

    @property
    def differ(self) -> str:
        """How many rows differ, of how many."""
        return f"{self.changed} of {len(self.rows)} differ"

    @property
    def is_long(self) -> bool:
        """Whether what is the same is folded away."""
        return len(self.rows) - self.changed > FEW

    @property
    def shown(self) -> list[ChangeRow]:
        """The rows that are shown at once."""
        return [row for row in self.rows if not (self.is_long and row.is_same)]

    @property
    def folded(self) -> list[ChangeRow]:
        """The rows that show on demand."""
        return [row for row in self.rows if self.is_long and row.is_same]


def compared_parts(found: VersionComparison) -> list[ComparisonTable]:
    """Return the tables of a comparison that have rows, what matters most first."""
    parts = (
        ("Metrics", found.metrics, MetricRow, False),
        ("Inputs", found.inputs, ChangeRow, True),
        ("Outputs", found.outputs, ChangeRow, True),
        ("Requirements", found.requirements, ChangeRow, True),
        ("Parameters", found.parameters, ChangeRow, True),
        ("Files", found.files, FileRow, False),
    )
    return [
        ComparisonTable(
            title,
            [row(change) for change in changes],
            narrow,
            renamed(found) if title == "Outputs" else "",
        )
        for title, changes, row, narrow in parts
        if changes
    ]


def origin_of(found: VersionComparison) -> ComparisonTable:
    """Return what two versions were made from: the data, the code and the packages, where nothing
    was declared too."""
    data: list[ChangeRow] = [
        FileRow(replace(change, name=f"Data {change.name}")) for change in found.datasets
    ]
    code = [ChangeRow(change) for change in found.code]
    same = all(change.state == "same" for change in found.requirements)
    before, after = (_packages(found.requirements, gone) for gone in ("added", "removed"))
    packages = ValueChange("Packages", before, after, "same" if same else "changed")
    rows = [
        *(data or [_beside("Data", UNDECLARED, UNDECLARED)]),
        *(code or [_beside("Code", UNDECLARED, UNDECLARED)]),
        _python(found),
        ChangeRow(packages),
    ]
    return ComparisonTable("Data, code and dependencies", rows)


def _python(found: VersionComparison) -> ChangeRow:
    """Return with which Python two versions run: what they state, or else what the newest build
    took."""
    bentos = Bento.objects.filter(version__in=[found.a.id, found.b.id]).order_by("created_at")
    built = dict(bentos.values_list("version_id", "runtime__python_version"))
    (a, before), (b, after) = (
        (side.python_version or took, side.python_version or _default_python(took))
        for side in (found.a, found.b)
        for took in [built.get(side.id, "")]
    )
    change = ValueChange("Python", before, after, "same" if a == b else "changed")
    return ChangeRow(change) if a and b else UntoldRow(change)


def _default_python(built: str) -> str:
    took = f", built with {built}" if built else ""
    return f"not stated (platform default{took})"


def _packages(requirements: Sequence[ValueChange], without: str) -> str:
    count = sum(change.state != without for change in requirements)
    return f"{counted(count, 'package')} given" if count else "none given"


def checks_of(versions: tuple[ModelVersion, ModelVersion]) -> ComparisonTable:
    """Return the format of two versions beside what their newest scans and smoke tests found."""
    rows = Evidence.objects.filter(version__in=versions, kind__in=CHECKS, source=MEASURED)
    in_order = sorted(rows.order_by("created_at"), key=was_called_safe, reverse=True)
    found = {(row.version_id, row.kind): row for row in in_order}

    def said(version: ModelVersion, kind: str) -> str:
        row = found.get((version.pk, kind))
        return capfirst(evidence_words(row, {})) if row else NONE_YET

    formats = [version.format or UNKNOWN for version in versions]
    values = [("Format", formats)]
    values += [(title, [said(one, kind) for one in versions]) for kind, title in CHECKS.items()]
    return ComparisonTable("Format and checks", [_beside(name, *both) for name, both in values])


def _beside(name: str, before: str, after: str) -> ChangeRow:
    change = ValueChange(name, before, after, "same" if before == after else "changed")
    return UntoldRow(change) if {before, after} & UNTOLD else ChangeRow(change)


def renamed(found: VersionComparison) -> str:
    """Return what a new name of the only output changes for clients; '' where it got none, or
    where a folder answers in a form of its own."""
    if any(FORMATS[side.format].root for side in (found.a, found.b) if side.format):
        return ""
    if sorted(change.state for change in found.outputs) != ["added", "removed"]:
        return ""
    return "A single output is answered without its name: its new name changes no response."


def diff_lines(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Return the lines of a unified diff, each with how it is set."""
    return [(LINES.get(line[:1], ""), line) for line in lines]

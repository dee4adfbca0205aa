"""What somebody who must decide wants to know first about a release, in short answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.console.queries.page_parts import Tone, counted
from apps.console.queries.release_end import has_ended
from apps.console.queries.verdicts import ICONS, scan_tone, smoke_tone
from apps.console.queries.way_back import WayBack
from apps.governance import gates
from apps.governance.gates.facts import GateResult
from apps.governance.queries.changes import Changes
from apps.governance.queries.records import ReleaseRecord
from apps.governance.queries.release_detail import ReleaseView
from apps.registry.models import EvidenceSource

COMPATIBILITY = "API compatibility"


@dataclass(frozen=True, slots=True)
class SummaryTile:
    """One answer: a label, a word with its tone, and a note below."""

    label: str
    tone: Tone
    word: str
    note: str = ""
    sign: str = ""

    @property
    def icon(self) -> str:
        """The sign beside the word, so that no state is a colour alone."""
        return self.sign or ICONS[self.tone]


def tiles(view: ReleaseView, back: WayBack | None) -> list[SummaryTile]:
    """Return the answers: gates, scan, smoke test, what clients notice, and while it can go wrong
    the way back."""
    ended = has_ended(view.release)
    return tiles_of(view.gates, view.record, back, is_over=ended, is_unknown=view.is_unknown)


def tiles_of(
    results: Sequence[GateResult],
    record: ReleaseRecord,
    back: WayBack | None,
    *,
    is_over: bool = False,
    is_unknown: bool = False,
) -> list[SummaryTile]:
    """Return the same of what was shown at one moment."""
    return [
        gates_tile(results, is_over=is_over),
        scan_tile(_summary(record, "scan")),
        smoke_tile(_summary(record, "smoke_test")),
        clients_tile(record.changes, is_unknown=is_unknown),
        *([way_back_tile(back)] if back and back.sentence else []),
    ]


def _summary(record: ReleaseRecord, kind: str) -> Mapping[str, Any] | None:
    """Return what Placet measured; a release pins one piece of evidence of each kind and source."""
    measured = (one for one in record.evidence if one.source == EvidenceSource.MEASURED)
    return next((one.summary for one in measured if one.kind == kind), None)


def gates_tile(results: Sequence[GateResult], *, is_over: bool = False) -> SummaryTile:
    """Say how many gates passed, and name the first that holds the release back, or did so until it
    was over."""
    skipped = [g for g in results if g["state"] == "skipped"]
    held = gates.holding_back(results)
    word = f"{len(results) - len(held) - len(skipped)} of {len(results)} passed"
    if skipped and not held:
        count = len(skipped)
        return SummaryTile("Gates", "wait", word, f"{counted(count, 'gate')} bypassed")
    if not held:
        return SummaryTile(
            "Gates", "pass" if results else "plain", word if results else "Not evaluated"
        )
    broken = [g for g in held if g["state"] != "waiting"]
    first = (broken or held)[0]["title"]
    note = first if len(held) == 1 else f"{first}, and {len(held) - 1} more"
    if broken:
        return SummaryTile("Gates", "fail", word, note)
    if is_over:
        return SummaryTile("Gates", "plain", word, note)
    return SummaryTile("Gates", "wait", word, note, "◷")


def scan_tile(data: Mapping[str, Any] | None) -> SummaryTile:
    """Say what the scan found; code-carrying is allowed somewhere, and never hidden."""
    if data is None:
        return SummaryTile("Scan", "fail", "Not scanned")
    findings = counted(data["findings"], "finding")
    verdict = str(data.get("verdict") or "unknown")
    if "what_loads_them" in data:
        note = "called safe before it was looked at what loads the files"
        return SummaryTile("Scan", scan_tone(verdict), "Counts as code", note)
    word, note = {
        "safe": ("Safe to load", f"{findings}, no executable code"),
        "code-carrying": ("Can execute code", f"{findings}; sandboxed"),
    }.get(verdict, (verdict.capitalize(), findings))
    return SummaryTile("Scan", scan_tone(verdict), word, note)


def smoke_tile(data: Mapping[str, Any] | None) -> SummaryTile:
    """Say whether the built Bento answered its own example as expected."""
    if data is None:
        return SummaryTile("Smoke test", "fail", "Not run")
    where = "in a sandbox" if data.get("isolation") == "bwrap" else "as an unprivileged user"
    equal = f"{data.get('equal', 0)} of {data.get('rows', 0)} equal"
    result = str(data.get("result"))
    word, note = {
        "equal": (equal, where),
        "different": (equal, where),
        "starts": ("Starts", f"no expected output to compare; {where}"),
    }.get(result, ("Failed", where))
    return SummaryTile("Smoke test", smoke_tone(result), word, note)


def clients_tile(changes: Changes, *, is_unknown: bool) -> SummaryTile:
    """Say whether those who call the endpoint must change anything."""
    if not changes.compared_with:
        return SummaryTile(COMPATIBILITY, "plain", "Not recorded" if is_unknown else "Nothing live")
    breaking = [c for c in changes.schema if c["breaking"]]
    if breaking:
        return SummaryTile(
            COMPATIBILITY, "fail", "Breaking change", ", ".join(c["name"] for c in breaking[:3])
        )
    count = len(changes.schema)
    same = "same inputs and outputs"
    note = counted(count, "column differs", "columns differ") if count else same
    return SummaryTile(COMPATIBILITY, "pass", "Compatible", note)


def way_back_tile(back: WayBack) -> SummaryTile:
    """Say what a rollback would go back to."""
    if back.to:
        return SummaryTile("Rollback", "pass", "One click", back.note)
    return SummaryTile("Rollback", "plain", "None to go back to", back.note)

"""The model card of a release's version as its page shows it, and what changed of it since the
version that was approved before."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe

from apps.console.queries.comparison import diff_lines
from apps.console.queries.evidence_blocks import Allowance
from apps.console.queries.evidence_words import cut
from apps.governance.models import Release
from apps.registry.cards import CardError, parse, render
from apps.registry.models import ModelVersion
from placet.kernel.line_diff import line_diff

LETTERS, LINES, LONGEST = 12_000, 150, 300  # of a card, and of what differs
STEPS = 1_000_000  # of comparing


@dataclass(frozen=True, slots=True)
class CardChanges:
    """The card, and what differs from the one before, each as much as the page can hold."""

    card: SafeString  # as HTML; '' without one
    is_cut: bool
    lines: Sequence[tuple[str, str]]  # of what differs, with how each is set
    more_lines: int
    against: str  # what it is compared with, or why with nothing


def card_changes(row: Release, before: Release | None) -> CardChanges:
    """Return the card of a release beside that of what was approved ``before`` it."""
    version = row.version
    shown, is_cut = _shown(version)
    lines: list[str] = []
    if before is not None and before.version_id != version.pk:
        labels = (str(before.version), str(version))
        lines = line_diff(before.version.card, version.card, labels, steps=STEPS)
    return CardChanges(
        card=shown,
        is_cut=is_cut,
        lines=diff_lines(cut(line, LONGEST) for line in lines[:LINES]),
        more_lines=max(len(lines) - LINES, 0),
        against=_against(row, before, same=not lines),
    )


def _against(row: Release, before: Release | None, *, same: bool) -> str:
    place = f"{row.environment.name} / {row.endpoint.name}"
    if before is None:
        return f"No other version was approved for {place} before: there is nothing to compare."
    if before.endpoint.name != row.endpoint.name:
        place = row.environment.name
    last = "before this release" if row.approved_at or row.ended_at else "last"
    if before.version_id == row.version_id:
        return f"{row.version} itself was approved for {place} {last}: there is no other card."
    last = f"{before.version}, which was approved for {place} {last}"
    said = f"The same card as of {last}." if same else f"Compared with {last}."
    return f"{said} Cards are compared as they are now."


def _shown(version: ModelVersion) -> tuple[SafeString, bool]:
    """Return a version's card as HTML, cut after so many letters, and whether it was."""
    try:
        text = parse(version.card).body
    except CardError:
        text = version.card  # it was refused when it came: only ever an old one
    start = Allowance(LETTERS).text(text)
    if not start.strip():
        return mark_safe(""), bool(text.strip())
    # render sanitises: what it returns is safe to show as it is. No line above its first one is
    # taken for front matter
    return mark_safe(render(f"\n{start}")), len(start) < len(text)  # noqa: S308

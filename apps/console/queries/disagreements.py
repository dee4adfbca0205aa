"""Where two revisions disagree, as its page shows it."""

import json
from dataclasses import dataclass
from typing import Any

from django.utils.text import Truncator

from apps.console.queries.page_parts import counted
from apps.console.templatetags.placet import number, rate
from apps.monitoring.queries import Compared, Disagreement


@dataclass(frozen=True, slots=True)
class DisagreementRow:
    """One request to which two revisions gave different answers."""

    row: Disagreement

    @property
    def inputs(self) -> str:
        """What it was made of."""
        return _short(self.row.inputs, 240)

    @property
    def stable(self) -> str:
        """What the stable revision answered."""
        return _short(self.row.stable, 120)

    @property
    def candidate(self) -> str:
        """What the candidate answered."""
        return _short(self.row.candidate, 120)


@dataclass(frozen=True, slots=True)
class DisagreementPage:
    """The newest pairs of answers, and those that differ."""

    found: Compared

    @property
    def summary(self) -> str:
        """How many pairs differ."""
        compared = self.found
        if not compared.pairs:
            return "nothing to compare yet"
        return f"{number(compared.disagreements)} of {counted(compared.pairs, 'pair')} of answers"

    @property
    def title(self) -> str:
        """What stands above the list."""
        if not self.found.pairs:
            return "No request was captured by both"
        return f"{rate(self.found.share)} differ"

    @property
    def tolerance(self) -> str:
        """By how much numbers may differ, as the field holds it."""
        return f"{self.found.tolerance:g}"

    @property
    def rows(self) -> list[DisagreementRow]:
        """The newest of those that differ."""
        return [DisagreementRow(row) for row in self.found.shown]

    @property
    def more(self) -> str:
        """That there are more; '' when all are shown."""
        count = len(self.found.shown)
        return f"The newest {count} are shown." if self.found.disagreements > count else ""

    @property
    def empty(self) -> str:
        """Why there is nothing."""
        if self.found.pairs:
            return "Both revisions answered the same."
        return (
            "Both revisions must capture, and get the same requests: copies (set_mirror) do that, "
            "a split does not."
        )


def _short(value: Any, length: int) -> str:
    return Truncator(json.dumps(value, ensure_ascii=False)).chars(length)

"""Where two revisions disagree, as its page shows it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apps.console.queries.disagreement_groups import (
    DisagreementGroup,
    TwoWay,
    answers_of,
    differences,
    groups_of,
    two_way,
)
from apps.console.queries.page_parts import counted
from apps.console.queries.prediction_table import Spread
from apps.console.templatetags.placet import number, rate
from apps.monitoring.queries import Compared


@dataclass(frozen=True)
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
    def groups(self) -> list[DisagreementGroup]:
        """The newest of those that differ, equal ones together."""
        return groups_of(self.found.shown)

    @cached_property
    def _answers(self) -> list[tuple[Any, Any]]:
        return answers_of(self.found.shown)

    @property
    def apart(self) -> Spread | None:
        """How far the new answers lie from the old ones, where all are numbers."""
        whole = all(isinstance(one, int) for pair in self._answers for one in pair)
        return None if whole else differences(self._answers)

    @property
    def two_way(self) -> TwoWay | None:
        """Old answers by new ones, where they are no measured numbers."""
        return None if self.apart else two_way(self._answers)

    @property
    def sample(self) -> str:
        """Over what the charts count."""
        return f"of the newest {counted(len(self.found.shown), 'disagreement')}"

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
            "Needs shadow traffic: both revisions must record predictions and get the same "
            "requests (set_mirror). A split does not."
        )

"""Captured predictions as their page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.text import Truncator, capfirst

from apps.console.queries.page_parts import counted, listed
from apps.console.queries.prediction_table import (
    Column,
    PredictionTable,
    both,
    prediction_table,
    shown,
)
from apps.console.templatetags.placet import number
from apps.identity.queries import name_in
from apps.monitoring.models import Outcome
from apps.monitoring.parquet import ParquetRow
from apps.monitoring.queries import (
    Captured,
    Reported,
    captured_of,
    captured_predictions,
    contents,
    erasures_of,
    outcomes_for,
    reported,
)
from apps.serving.models import Endpoint, Revision
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import FieldError, InvalidInput

PAGE = 25
DETAILS = 200  # fields of one prediction that are listed


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """One captured prediction, with what lies in its file while that is there."""

    row: Any  # a captured prediction with the ``number`` of its revision
    content: ParquetRow | None
    outcomes: list[Outcome]

    @property
    def id(self) -> str:
        """What the client may name it by."""
        return str(self.row.prediction)

    @property
    def cohort(self) -> str:
        """Continues the words on when and where it was made: that no split decided on it."""
        return {"mirrored": ", shadow", "overridden": ", tester"}.get(self.row.cohort, "")

    @property
    def inputs(self) -> str:
        """What it was made of, or why that is not shown."""
        if self.content is None:
            return "no longer there"
        if not self.content.inputs:
            return f"{counted(self.content.row_count, 'row')}, over the bound"
        return Truncator(self.content.inputs).chars(240)

    @property
    def outputs(self) -> str:
        """What was answered."""
        outputs = self.content.outputs if self.content else None
        return Truncator(outputs).chars(120) if outputs else "–"

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Each input of its first row by name; none where that is not shown."""
        return [(name, shown(value)) for name, value in self._named.items()][:DETAILS]

    @property
    def _named(self) -> Mapping[str, Any]:
        return both(self.content)[0]

    @property
    def unlisted(self) -> str:
        """What ``fields`` leaves out; '' for nothing."""
        left = []
        if self.content and self.content.row_count > 1 and self._named:
            left.append(f"the first of {counted(self.content.row_count, 'row')}")
        if len(self._named) > DETAILS:
            left.append(f"the first {DETAILS} of {counted(len(self._named), 'input')}")
        return capfirst(f"{listed(left)}.") if left else ""

    @property
    def milliseconds(self) -> str:
        """How long it took."""
        return number(self.content.milliseconds) if self.content else ""


@dataclass(frozen=True, slots=True)
class CapturedCard:
    """What one revision captured over the last day."""

    figures: Captured

    @property
    def title(self) -> str:
        """What stands above it."""
        return f"Revision {self.figures.revision.number}, the last 24 h"

    @property
    def mark(self) -> str:
        """The state whose mark stands before its sentence; '' for none."""
        if self.figures.missing:
            return "failed"
        return "passed" if self.figures.expected else ""

    @property
    def expected(self) -> str:
        """How many should be there, give or take what chance explains."""
        chance = self.figures.chance
        give = f" ± {number(chance)}" if chance else ""
        return f"{number(self.figures.expected)}{give}"

    @property
    def says(self) -> str:
        """Whether all is there that should be."""
        if missing := self.figures.missing:
            are = "is" if missing == 1 else "are"
            many = counted(missing, "captured prediction")
            return f"About {many} {are} missing: more than chance explains."
        if self.figures.expected:
            return "Recorded as many as expected."
        return "Nothing to compare yet: a prediction counts once it is a minute old."


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """What was reported under one name."""

    reported: Reported

    @property
    def waits(self) -> str:
        """How many reports came before their prediction; '' for none."""
        count = self.reported.waiting
        if not count:
            return ""
        return counted(count, "waits for its prediction", "wait for their predictions")


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """One unit that was erased, or is being erased."""

    erasure: Any  # with the name of ``who`` asked for it

    @property
    def done(self) -> str:
        """How much of it was there."""
        if self.erasure.done_at is None:
            return "under way"
        return counted(self.erasure.erased, "prediction")


@dataclass(frozen=True)
class CapturedPage:
    """Everything the page shows."""

    figures: list[CapturedCard]
    rows: list[PredictionRow]
    outcomes: list[ReportedRow]
    erasures: list[ErasureRow]
    key: str
    may_erase: bool
    filters: "PredictionFilter | None" = None

    @cached_property
    def table(self) -> PredictionTable:
        """The columns of the rows that are shown."""
        return prediction_table([row.content for row in self.rows])

    @property
    def lines(self) -> list[tuple[PredictionRow, list[tuple[Column, str]]]]:
        """Each row with what it has in each column."""
        return [(row, self.table.cells(row.content)) for row in self.rows]

    @property
    def sample(self) -> str:
        """Over how many predictions the columns are counted."""
        return f"over the {counted(self.table.rows, 'prediction')} of this page"

    @property
    def older(self) -> str:
        """The query of the page after this one."""
        return urlencode(self.filters.given | {"after": self.key} if self.filters else {})

    @property
    def empty(self) -> str:
        """Why there is nothing."""
        if self.filters and self.filters.given:
            return "No captured prediction matches these filters."
        if self.figures:
            return (
                "Nothing was captured yet. What is answered from now on appears here within half a"
                " minute."
            )
        return (
            "No revision here captures predictions. A release asks for it: capture is a part of"
            " what is approved."
        )


@dataclass(frozen=True, slots=True)
class PredictionFilter:
    """What the list is narrowed to, as it was typed."""

    revision: str = ""
    since: str = ""
    until: str = ""

    @property
    def given(self) -> dict[str, str]:
        """Those that say something, by the name of their field."""
        fields = {"revision": self.revision, "since": self.since, "until": self.until}
        return {name: text for name, text in fields.items() if text}

    def narrowed(self, rows: QuerySet[Any], endpoint: Endpoint) -> QuerySet[Any]:
        """Return those of ``rows`` that match, or raise :class:`InvalidInput`."""
        if self.revision:
            if not (self.revision.isascii() and self.revision.isdigit() and len(self.revision) < 9):
                detail = "The number of a revision, such as 2"
                raise InvalidInput(errors=[FieldError("revision", detail)])
            named = endpoint.revisions.filter(number=int(self.revision))
            rows = rows.filter(revision__in=named.values("pk"))
        if self.since:
            rows = rows.filter(at__gte=_instant("since", self.since))
        return rows.filter(at__lte=_instant("until", self.until)) if self.until else rows


def _instant(field: str, text: str) -> datetime:
    """Read a date and time; UTC where no zone is said."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        detail = "A date and time like 2026-03-14T10:00, in UTC"
        raise InvalidInput(errors=[FieldError(field, detail)]) from None


def captured_page(
    endpoint: Endpoint, actor: Actor, *, after: str = "", filters: PredictionFilter | None = None
) -> CapturedPage:
    """Return one page of what was captured. Needs ``prediction.view``."""
    filters = filters or PredictionFilter()
    revision = Revision.objects.filter(pk=OuterRef("revision")).values("number")
    rows = captured_predictions(endpoint, actor).order_by("-pk").annotate(number=Subquery(revision))
    rows = filters.narrowed(rows, endpoint)
    if after.isascii() and after.isdigit() and len(after) < 19:
        rows = rows.filter(pk__lt=int(after))
    page_rows = list(rows[: PAGE + 1])
    key = str(page_rows[PAGE - 1].pk) if len(page_rows) > PAGE else ""
    page_rows = page_rows[:PAGE]
    content, outcomes_by_row = contents(page_rows), outcomes_for(page_rows)
    erasures = erasures_of(endpoint, actor).order_by("-pk").annotate(who=name_in("requested_by"))
    scope = Scope(endpoint.project_scope(), endpoint.environment_scope())
    return CapturedPage(
        figures=[CapturedCard(figures) for figures in captured_of(endpoint)],
        rows=[
            PredictionRow(row, content.get(row.pk), outcomes_by_row[row.pk]) for row in page_rows
        ],
        outcomes=[ReportedRow(row) for row in reported(endpoint)],
        erasures=[ErasureRow(row) for row in erasures[:10]],
        key=key,
        may_erase=actor.can("prediction.erase", scope),
        filters=filters,
    )

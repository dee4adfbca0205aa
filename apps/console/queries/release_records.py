"""What the page of a release showed to who decided: beside each decision in print, and on a page of
its own beside what differs today."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.text import capfirst

from apps.console.queries.evidence_words import summary_tone, summary_words
from apps.console.queries.page_parts import Link, Sign, Tone
from apps.console.queries.release_changes import ShownChanges
from apps.console.queries.release_end import link_to_live, serving_beside, with_live_now
from apps.console.queries.release_rows import with_requester
from apps.console.queries.release_words import with_words
from apps.console.queries.summary_tiles import SummaryTile, tiles_of
from apps.console.queries.verdicts import ICONS
from apps.console.queries.way_back import WayBack, way_back_then
from apps.console.templatetags.placet import state_word, words
from apps.governance.gates.facts import GateResult
from apps.governance.models import Decision, Release
from apps.governance.queries.decision_detail import DecisionView, decision_view, is_kept, kept_with
from apps.governance.queries.records import LiveThen, PinnedThen, ReleaseRecord
from apps.governance.queries.release_detail import DecisionRow
from apps.registry.models import EvidenceSource
from placet.kernel.actor import Actor

GATE_WORDS = {"error": "not answered", "skipped": "bypassed"}


@dataclass(frozen=True, slots=True)
class Today:
    """What the page of the release shows today."""

    gates: Sequence[GateResult]
    record: ReleaseRecord


@dataclass(frozen=True, slots=True)
class ShownGate:
    """What a gate said, and says today where that is something else."""

    state: str
    title: str
    reason: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class ShownPin:
    """A piece of evidence as it was summed up, and that it is gone today."""

    kind: str
    said: str
    tone: Tone
    digest: str
    is_measured: bool = False
    since: str = ""

    @property
    def title(self) -> str:
        """What its kind is called."""
        return words(self.kind)

    @property
    def icon(self) -> str:
        """The sign beside it, so that no state is a colour alone."""
        return ICONS[self.tone]


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """What one decision was made on. Where ``today`` is given, what differs there is said."""

    release: Release
    decision: DecisionRow
    results: Sequence[GateResult]
    record: ReleaseRecord | None  # None where there is none that can be read
    is_kept: bool  # not of a decision from before that was done
    today: Today | None = None

    @property
    def title(self) -> str:
        """What it is."""
        return f"What {self.decision.name} saw"

    @property
    def gates(self) -> list[ShownGate]:
        """What the gates said."""
        today = self.today.gates if self.today else ()
        known = {(gate["gate"], gate["title"]): gate for gate in today}
        return [
            ShownGate(gate["state"], gate["title"], gate["reason"], self._since(gate, known))
            for gate in self.results
        ]

    def _since(self, then: GateResult, known: Mapping[tuple[str, str], GateResult]) -> str:
        if self.today is None:
            return ""
        now = known.get((then["gate"], then["title"]))
        if now is None:
            return "not asked for"
        if now["state"] != then["state"]:
            return f"{_gate_word(now)}, then {_gate_word(then)}. {now['reason']}"
        return now["reason"] if now["reason"] != then["reason"] else ""

    @property
    def new_gates(self) -> list[str]:
        """The gates that are asked for today and were not then."""
        then = {(gate["gate"], gate["title"]) for gate in self.results}
        now = self.today.gates if self.today else ()
        return [g["title"] for g in now if (g["gate"], g["title"]) not in then]

    @property
    def changes(self) -> ShownChanges | None:
        """What the release changes."""
        if self.record is None:
            return None
        number = self.record.live.version if self.record.live else ""
        columns = f"then {self._live_word} {number}", f"proposed {self.release.version.number}"
        return ShownChanges(self.record, *columns, self.today.record if self.today else None)

    @property
    def _live_word(self) -> str:
        return "stopped" if self.record and self.record.is_stopped else "live"

    @property
    def live(self) -> LiveThen | None:
        """What was live at its endpoint."""
        return self.record.live if self.record else None

    @property
    def against(self) -> str:
        """What it was compared with, in a few words."""
        if self.record is None or self.record.live is None:
            return "nothing was live"
        return f"{self.record.changes.compared_with} ({self._live_word})"

    @property
    def against_since(self) -> str:
        """What it is compared with today, where that is another release."""
        if self.today is None or self.record is None:
            return ""
        then, now = self.record.live, self.today.record.live
        if (then and then.release) == (now and now.release):
            return ""
        if now is None:
            return "compared with nothing"
        return f"compared with {self.today.record.changes.compared_with}, release {now.number}"

    @property
    def evidence(self) -> list[ShownPin]:
        """The evidence that the request pinned."""
        return list(self._evidence()) if self.record else []

    def _evidence(self) -> Iterator[ShownPin]:
        assert self.record is not None
        today = self.today.record if self.today else self.record
        known = {one.digest for one in today.evidence}
        for pin in self.record.evidence:
            since = "" if pin.digest in known else "gone or altered since it was pinned"
            yield _pin(pin, since)
        for lost in self.record.lost:
            said = "Gone or altered since it was pinned: no gate counted it"
            yield ShownPin(lost.kind, said, "fail", lost.digest)

    @property
    def more_evidence(self) -> int:
        """How many pieces there was no room to keep."""
        left_out = self.record.left_out if self.record else {}
        return left_out.get("evidence", 0) + left_out.get("lost", 0)

    @property
    def tiles(self) -> list[SummaryTile]:
        """The short answers."""
        return tiles_of(self.results, self.record, self.back) if self.record else []

    @property
    def back(self) -> WayBack | None:
        """What would have happened, had it gone wrong."""
        return way_back_then(self.release.plan, self.record) if self.record else None


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """Everything the page of one decision shows."""

    view: DecisionView

    @property
    def release(self) -> Any:
        """The release itself, with who asked for it and what is live now."""
        return self.view.release

    @property
    def decision(self) -> DecisionRow:
        """Who decided, how and why."""
        return self.view.decision

    @property
    def shown(self) -> ShownRecord:
        """What its page showed then, and what differs today."""
        view, today = self.view, Today(self.view.gates_now, self.view.record_now)
        decision, record = view.decision, view.record
        return ShownRecord(view.release, decision, view.gates, record, view.is_kept, today)

    @property
    def live_now(self) -> Link:
        """What is live at its endpoint now."""
        return link_to_live(self.release)

    @property
    def serving_now(self) -> str:
        """What serves there where nothing is live, in a few words."""
        return serving_beside(self.release)

    @property
    def sign(self) -> Sign | None:
        """Whether the record is the one that the log has; ``None`` where there is none."""
        logged = self.view.logged
        if not self.view.is_kept:
            return None
        if logged.leaf is None:
            return Sign("wait", ICONS["wait"], "The log has no event of it any more", wrap=True)
        if not logged.is_same:
            text = "Not what was logged: somebody changed this record in the database"
            return Sign("fail", ICONS["fail"], text, wrap=True)
        return Sign("pass", ICONS["pass"], "As it was logged with the decision", wrap=True)

    @property
    def url(self) -> str:
        """Where the release is read."""
        return reverse("release", args=[self.release.pk])


def kept_record(release: Release, row: DecisionRow, made: Decision) -> ShownRecord:
    """Return what was kept with a decision that was read with its record."""
    return ShownRecord(release, row, made.gates, kept_with(made), is_kept(made))


def decision_page(release_id: str, decision_id: str, actor: Actor) -> DecisionPage:
    """Return everything that page shows, or raise ``NotFound``: at most eight queries."""

    def along(rows: QuerySet[Release]) -> QuerySet[Release, Any]:
        return with_live_now(with_requester(with_words(rows)))

    return DecisionPage(decision_view(release_id, decision_id, actor, along))


def _pin(pin: PinnedThen, since: str) -> ShownPin:
    return ShownPin(
        kind=pin.kind,
        said=capfirst(summary_words(pin.kind, pin.summary)),
        tone=summary_tone(pin.kind, pin.summary),
        digest=pin.digest,
        is_measured=pin.source == EvidenceSource.MEASURED,
        since=since,
    )


def _gate_word(gate: GateResult) -> str:
    return GATE_WORDS.get(gate["state"]) or state_word(gate["state"]).lower()

"""Who witnesses the log and which logs are witnessed, as the page shows it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from apps.audit.models import (
    Checkpoint,
    TimestampState,
    Witness,
    WitnessedHead,
    WitnessedLog,
    WitnessFault,
)
from apps.audit.queries import latest_checkpoint
from apps.audit.queries.timestamps import timestamp_states
from apps.audit.queries.witnesses import (
    OwnKeys,
    heads_of,
    own_keys,
    witnessed_logs_visible,
    witnesses_visible,
)
from apps.console.queries.page_parts import Sign, counted
from placet.kernel.actor import Actor

ICONS = {"fail": "✕", "wait": "◷", "pass": "✓"}


@dataclass(frozen=True, slots=True)
class LogFaultBanner:
    """What somebody outside shows about this log, above everything else on the page."""

    tone: Literal["danger", "warning"]
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class WitnessRow:
    """One witness: what it holds of the ``signed`` events, in an icon and a word."""

    witness: Witness
    signed: int

    @property
    def tone(self) -> str:
        """The colour of the state, which the word says too."""
        state = self.witness.state
        if state.fault:
            return "fail"
        return "wait" if state.error or state.size < self.signed or not state.size else "pass"

    @property
    def icon(self) -> str:
        """The sign before the word."""
        return ICONS[self.tone]

    @property
    def word(self) -> str:
        """How it stands."""
        state = self.witness.state
        if state.fault == WitnessFault.AHEAD:
            return "Has events that are missing here"
        if state.fault:
            return "Has a different history"
        if state.error:
            return "Not responding" if state.size else "Not reached yet"
        if not state.size:
            return "Pending"
        return "Behind" if state.size < self.signed else "Up to date"

    @property
    def where(self) -> str:
        """How and where it is reached, and how long it locks what it keeps."""
        witness = self.witness
        address = f"{witness.get_kind_display()}: {witness.address}"
        days = witness.retain_days
        return f"{address}, locked for {counted(days, 'day')}" if days else address

    @property
    def at(self) -> datetime | None:
        """When it saw the newest checkpoint that it took."""
        return self.witness.state.seen_at


@dataclass(frozen=True, slots=True)
class LogRow:
    """A log of others and what was last cosigned of it."""

    log: WitnessedLog
    head: WitnessedHead | None

    @property
    def sign(self) -> Sign:
        """How it stands here."""
        if self.head and self.head.fork:
            return Sign("fail", "✕", "Showed two histories")
        if self.cosigned_at:
            return Sign("pass", "✓", "Co-signed")
        return Sign("wait", "◷", "Nothing shown yet")

    @property
    def cosigned_at(self) -> datetime | None:
        """When it was last co-signed, unless it has shown two histories since."""
        return self.head.cosigned_at if self.head and not self.head.fork else None

    @property
    def size(self) -> int:
        """How many events its newest checkpoint has."""
        return self.head.size if self.head else 0


@dataclass(frozen=True, slots=True)
class StampRow:
    """An authority that stamps checkpoints with the time: how far it has come."""

    state: TimestampState
    signed: int

    @property
    def tone(self) -> str:
        """The colour of the state, which the word says too."""
        if self.state.fault:
            return "fail"
        return "wait" if self.state.error or not self.state.size else "pass"

    @property
    def icon(self) -> str:
        """The sign before the word."""
        return ICONS[self.tone]

    @property
    def word(self) -> str:
        """How it stands."""
        if self.state.fault:
            return "Its clock contradicts ours" if self.state.fault == "clock" else "Too old"
        if self.state.error:
            return "Last request failed"
        return "Stamped" if self.state.size else "Pending"

    @property
    def said(self) -> str:
        """What time its newest stamp says."""
        return f"{self.state.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if self.state.at else "–"

    @property
    def url(self) -> str:
        """Where its newest stamp is downloaded, if there is one."""
        path = f"{self.state.size}/{self.state.authority}"
        return f"/api/v1/audit/timestamps/{path}" if self.state.at else ""


@dataclass(frozen=True, slots=True)
class WitnessListPage:
    """Both lists, who stamps the time, and the keys that others are given."""

    witnesses: list[WitnessRow]
    stamps: list[StampRow]
    logs: list[LogRow]
    keys: OwnKeys
    may_change: bool

    @property
    def faults(self) -> list[LogFaultBanner]:
        """What they show about this log."""
        return list(log_faults(self.witnesses, self.stamps))


def log_faults(
    witnesses: Sequence[WitnessRow], stamps: Sequence[StampRow]
) -> Iterator[LogFaultBanner]:
    """Yield what witnesses show about this log, then what stamps do."""
    for state in (row.witness.state for row in witnesses):
        if state.fault:
            title = "Witnesses have a different history of this log."
            yield LogFaultBanner("danger", title, f"{state.sentence}.")
    for stamp in (row.state for row in stamps):
        if stamp.fault == "clock":
            title = "A time stamp contradicts this log."
            yield LogFaultBanner("danger", title, f"{stamp.sentence}.")
        elif stamp.fault:
            title = "The log's time stamps are too old."
            yield LogFaultBanner("warning", title, f"{stamp.sentence}.")


def witness_rows(head: Checkpoint | None, actor: Actor) -> list[WitnessRow]:
    """Return the witnesses by name (one query), as far as each has come to ``head``."""
    signed = head.size if head else 0
    return [WitnessRow(row, signed) for row in witnesses_visible(actor).order_by("name")]


def stamp_rows(head: Checkpoint | None) -> list[StampRow]:
    """Return who stamps checkpoints with the time, by name (one query)."""
    return [StampRow(state, head.size if head else 0) for state in timestamp_states()]


def log_rows(actor: Actor) -> list[LogRow]:
    """Return the logs of others by origin (two queries)."""
    logs = list(witnessed_logs_visible(actor).order_by("origin", "created_at"))
    heads = heads_of(logs)
    return [LogRow(log, heads.get(log.origin)) for log in logs]


def witness_list_page(actor: Actor) -> WitnessListPage:
    """Return the page, or raise ``Forbidden`` to who may not see it."""
    head = latest_checkpoint()
    return WitnessListPage(
        witnesses=witness_rows(head, actor),
        stamps=stamp_rows(head),
        logs=log_rows(actor),
        keys=own_keys(),
        may_change=actor.can("audit.witness"),
    )

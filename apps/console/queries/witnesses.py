"""Who witnesses the log and which logs are witnessed, as the page shows it."""

from dataclasses import dataclass

from apps.audit.models import Witness, WitnessedHead, WitnessedLog, WitnessFault
from apps.audit.queries import latest_checkpoint
from apps.audit.queries.witnesses import (
    OwnKeys,
    heads_of,
    own_keys,
    witnessed_logs_visible,
    witnesses_visible,
)
from placet.kernel.actor import Actor


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
        return {"fail": "✕", "wait": "◷", "pass": "✓"}[self.tone]

    @property
    def word(self) -> str:
        """How it stands."""
        state = self.witness.state
        if state.fault == WitnessFault.AHEAD:
            return "Saw events that are missing here"
        if state.fault:
            return "Saw another history"
        if state.error:
            return "Does not answer" if state.size else "Not reached yet"
        if not state.size:
            return "Not asked yet"
        return "Behind" if state.size < self.signed else "Up to date"


@dataclass(frozen=True, slots=True)
class LogRow:
    """A log of others and what was last cosigned of it."""

    log: WitnessedLog
    head: WitnessedHead | None


@dataclass(frozen=True, slots=True)
class WitnessPage:
    """Both lists, and the keys that others are given."""

    witnesses: list[WitnessRow]
    logs: list[LogRow]
    keys: OwnKeys
    may_change: bool


def witness_rows(actor: Actor) -> list[WitnessRow]:
    """Return the witnesses by name (two queries)."""
    head = latest_checkpoint()
    signed = head.size if head else 0
    return [WitnessRow(row, signed) for row in witnesses_visible(actor).order_by("name")]


def log_rows(actor: Actor) -> list[LogRow]:
    """Return the logs of others by origin (two queries)."""
    logs = list(witnessed_logs_visible(actor).order_by("origin", "created_at"))
    heads = heads_of(logs)
    return [LogRow(log, heads.get(log.origin)) for log in logs]


def witness_page(actor: Actor) -> WitnessPage:
    """Return the page, or raise ``Forbidden`` to who may not see it."""
    return WitnessPage(
        witnesses=witness_rows(actor),
        logs=log_rows(actor),
        keys=own_keys(),
        may_change=actor.can("audit.witness"),
    )

"""Reads a report strictly: what a node says is data from outside, however well it is signed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict

from placet.kernel.problems import FieldError, InvalidInput
from placet_verify import canonical
from placet_verify.errors import Refused

PHASES = frozenset(
    {"preparing", "starting", "ready", "serving", "drained", "stopped", "failed", "refused"}
)
MAX_ROWS, MAX_WINDOWS, MAX_DETAIL = 500, 2000, 2000
MAX_COUNT = 2**31 - 1
MAX_RECEIPTS, MAX_RECEIPT = 100, 8192
COUNTS = ("status_2xx", "status_4xx", "status_5xx")
# What a newer agent counts beside these is left out.
COHORTS = ("no_unit", "overridden", "mirrored")
GUARD_RULES = ("consecutive_failures", "error_rate", "latency")


class Generation(TypedDict):
    """The number of a state."""

    epoch: int
    number: int


class RevisionRow(TypedDict):
    """What a node sees of one revision."""

    id: str
    phase: str
    ready_replicas: int
    weight: int
    detail: str
    bento_digest: str
    since: str


class Counts(TypedDict):
    """How requests were answered."""

    status_2xx: int
    status_4xx: int
    status_5xx: int
    latency: dict[str, int]


class Window(Counts):
    """Requests of one revision in one window; those ``apart`` stand there alone, by cohort.

    ``first`` has the first request of each unit that was drawn.
    """

    revision: str
    started_at: str
    seconds: float
    first: Counts | None
    apart: dict[str, Counts]
    error: str


class AbortRow(TypedDict):
    """The node took the requests of ``revision`` back by a rule of its guard."""

    revision: str
    rule: str
    detail: str
    at: str
    state: Generation


class ErrorRow(TypedDict):
    """Something a node refused or could not do."""

    code: str
    detail: str


class Report(TypedDict):
    """A report, checked."""

    number: int
    at: str
    applied: Generation
    agent_version: str
    platform: dict[str, Any]
    checkpoint: str | None
    revisions: list[RevisionRow]
    prefetched: list[str]
    recalled: list[str]
    errors: list[ErrorRow]
    aborts: list[AbortRow]
    receipts: list[str]
    metrics: list[Window]


def parse_report(payload: bytes, node: str) -> Report:
    """Return the report in ``payload``, which must say that it is by ``node``."""
    try:
        data = canonical.loads(payload)
    except Refused as refusal:
        raise InvalidInput(refusal.sentence) from refusal
    if not isinstance(data, dict) or data.get("v") != 1 or data.get("node") != node:
        raise InvalidInput("This is not a report of version 1 by this node")
    platform = data.get("platform", {})
    if not isinstance(platform, dict):
        raise _fault("/platform", "an object")
    checkpoint = data.get("checkpoint")
    return Report(
        number=_whole(data, "number", "/number"),
        at=_text(data, "at", "/at"),
        applied=_generation(data.get("applied"), "/applied"),
        agent_version=str(platform.get("agent_version", ""))[:20],
        platform=platform,
        checkpoint=None if checkpoint is None else _text(data, "checkpoint", "/checkpoint"),
        revisions=_rows(data, "revisions", _revision, MAX_ROWS),
        prefetched=_rows(data, "prefetched", _plain, MAX_ROWS),
        recalled=_rows(data, "recalled", _plain, MAX_ROWS),
        errors=_rows(data, "errors", _error, MAX_ROWS),
        aborts=_rows(data, "aborts", _abort, MAX_ROWS),
        receipts=_rows(data, "receipts", _receipt, MAX_RECEIPTS),
        metrics=_rows(data, "metrics", _window, MAX_WINDOWS),
    )


def _fault(pointer: str, wanted: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError(pointer, f"Must be {wanted}")])


def _whole(data: Any, name: str, pointer: str, high: int = 2**53 - 1) -> int:
    value = data.get(name, 0) if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
        raise _fault(pointer, f"a whole number from 0 to {high}")
    return value


def _text(data: Any, name: str, pointer: str, limit: int = MAX_DETAIL) -> str:
    value = data.get(name, "") if isinstance(data, dict) else None
    if not isinstance(value, str) or "\x00" in value:
        raise _fault(pointer, "text")
    return value[:limit]


def _rows(data: Any, name: str, read: Callable[[Any, str], Any], limit: int) -> list[Any]:
    rows = data.get(name, [])
    if not isinstance(rows, list) or len(rows) > limit:
        raise _fault(f"/{name}", f"a list of at most {limit}")
    return [read(row, f"/{name}/{index}") for index, row in enumerate(rows)]


def _generation(data: Any, pointer: str) -> Generation:
    return Generation(
        epoch=_whole(data, "epoch", f"{pointer}/epoch", 2**31 - 2),
        number=_whole(data, "number", f"{pointer}/number"),
    )


def _revision(data: Any, pointer: str) -> RevisionRow:
    phase = _text(data, "phase", f"{pointer}/phase")
    if phase not in PHASES:
        raise _fault(f"{pointer}/phase", f"one of {', '.join(sorted(PHASES))}")
    return RevisionRow(
        id=_text(data, "id", f"{pointer}/id", 40),
        phase=phase,
        ready_replicas=_whole(data, "ready_replicas", f"{pointer}/ready_replicas"),
        weight=_whole(data, "weight", f"{pointer}/weight", 10_000),
        detail=_text(data, "detail", f"{pointer}/detail"),
        bento_digest=_text(data, "bento_digest", f"{pointer}/bento_digest", 71),
        since=_text(data, "since", f"{pointer}/since", 40),
    )


def _error(data: Any, pointer: str) -> ErrorRow:
    code = _text(data, "code", f"{pointer}/code", 40)
    if not code.replace("_", "").isalnum() or not code.isascii():
        raise _fault(f"{pointer}/code", "a word")
    return ErrorRow(code=code, detail=_text(data, "detail", f"{pointer}/detail"))


def _abort(data: Any, pointer: str) -> AbortRow:
    rule = _text(data, "rule", f"{pointer}/rule", 40)
    if rule not in GUARD_RULES:
        raise _fault(f"{pointer}/rule", f"one of {', '.join(GUARD_RULES)}")
    return AbortRow(
        revision=_text(data, "revision", f"{pointer}/revision", 40),
        rule=rule,
        detail=_text(data, "detail", f"{pointer}/detail", 500),
        at=_text(data, "at", f"{pointer}/at", 40),
        state=_generation(data.get("state"), f"{pointer}/state"),
    )


def _window(data: Any, pointer: str) -> Window:
    started_at = _text(data, "started_at", f"{pointer}/started_at", 40)
    try:
        if datetime.fromisoformat(started_at).tzinfo is None:
            raise ValueError
    except ValueError:
        raise _fault(f"{pointer}/started_at", "a time with its zone") from None
    seconds, apart = data.get("seconds"), data.get("apart", {})
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 3600:
        raise _fault(f"{pointer}/seconds", "a number above 0, at most 3600")
    if not isinstance(apart, dict):
        raise _fault(f"{pointer}/apart", "counts per cohort")
    counts = _counts(data, pointer)
    return Window(
        revision=_text(data, "revision", f"{pointer}/revision", 40),
        started_at=started_at,
        seconds=float(seconds),
        status_2xx=counts["status_2xx"],
        status_4xx=counts["status_4xx"],
        status_5xx=counts["status_5xx"],
        latency=counts["latency"],
        first=_counts(data["first"], f"{pointer}/first") if "first" in data else None,
        apart={c: _counts(apart[c], f"{pointer}/apart/{c}") for c in COHORTS if c in apart},
        error=_text(data, "error", f"{pointer}/error", 200),
    )


def _counts(data: Any, pointer: str) -> Counts:
    latency = data.get("latency", {}) if isinstance(data, dict) else None
    if not isinstance(latency, dict) or len(latency) > 64:
        raise _fault(f"{pointer}/latency", "counts per upper bound")
    two, four, five = (_whole(data, name, f"{pointer}/{name}", MAX_COUNT) for name in COUNTS)
    return Counts(
        status_2xx=two,
        status_4xx=four,
        status_5xx=five,
        latency={b: _whole(latency, b, f"{pointer}/latency/{b}") for b in latency},
    )


def _receipt(data: Any, pointer: str) -> str:
    """Return an envelope as it was sent; who signed what is for whoever keeps it to verify."""
    if not isinstance(data, str) or len(data) > MAX_RECEIPT or "\x00" in data:
        raise _fault(pointer, f"an envelope of at most {MAX_RECEIPT} characters")
    return data


def _plain(data: Any, pointer: str) -> str:
    if not isinstance(data, str):
        raise _fault(pointer, "text")
    return data[:80]

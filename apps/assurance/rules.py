"""Pure decisions about recalls."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from placet_protocol.report import READY_PHASES

IN_PROJECT = ("version", "bento", "dataset")
SIGNERS = ("passkey", "person")  # whose signatures on decisions count no more

_HEX64 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_KEY = re.compile(r"[0-9a-f]{16}")
CLOCK_STEP = timedelta(seconds=2)

# What a node says that its own receipt denies.
CONTRADICTIONS = {
    "reported_running": "reports that it still runs",
    "answered_after": "reports requests that it answered after that",
    "ran_after": "signed that it ran after that",
}


def written(kind: str, text: str) -> str | None:
    """Return ``text`` in the form that rows hold it in; ``None`` when it cannot be of ``kind``."""
    text = text.strip()
    if kind in ("bento", "dataset", "wheel"):
        match = _HEX64.fullmatch(text.lower())
        return f"sha256:{match[1]}" if match else None
    if kind == "key":
        return text.lower() if _KEY.fullmatch(text.lower()) else None
    prefix = {"version": "ver_", "passkey": "pky_", "person": "per_"}[kind]
    return text if text.startswith(prefix) and len(text) <= 40 else None


FORMS = {
    "version": "The id of a version: ver_…",
    "bento": "The digest of a Bento: sha256: and 64 hex digits",
    "dataset": "The digest of a dataset as versions name it: sha256: and 64 hex digits",
    "wheel": "The SHA-256 of a wheel: 64 hex digits",
    "key": "The id of a key, as `manage.py keys list` shows it: 16 hex digits",
    "passkey": "The id of a passkey: pky_…",
    "person": "The id of a person: per_…",
}


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A release of which a node has signed that nothing runs any more."""

    revisions: Collection[str]
    release: str
    at: datetime


def _runs(row: Mapping[str, Any]) -> bool:
    alive = row["phase"] in {"starting", "asleep", *READY_PHASES}
    return alive or bool(row["ready_replicas"] or row["weight"])


def contradiction(
    confirmed: Confirmed,
    *,
    rows: Iterable[Mapping[str, Any]],
    windows: Iterable[Mapping[str, Any]],
    ran: Iterable[tuple[str, datetime]],
) -> str:
    """Return which of :data:`CONTRADICTIONS` a report holds, '' for none.

    ``windows`` count requests; ``ran`` are pairs of release and end, as the node signed them. The
    node's clock may have been stepped a little in between.
    """
    mine = set(confirmed.revisions)
    if any(row["id"] in mine and _runs(row) for row in rows):
        return "reported_running"
    late = confirmed.at + CLOCK_STEP
    for window in windows:
        answered = sum(window[name] for name in ("status_2xx", "status_4xx", "status_5xx"))
        after = datetime.fromisoformat(window["started_at"]) > late
        if window["revision"] in mine and after and answered:
            return "answered_after"
    if any(release == confirmed.release and end > late for release, end in ran):
        return "ran_after"
    return ""

"""Rows that the log vouches for: what was written beside the log does not pass for them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import structlog

from apps.audit.entries import pending
from apps.audit.models import Audited, Event
from apps.audit.queries.filtering import touching
from apps.audit.rows import plain_state, row_key
from placet.kernel.keystore import ring
from placet_verify import canonical
from placet_verify.errors import Refused
from placet_verify.log import seals

RowState = dict[str, Any]
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LoggedRows:
    """What the log says last of some rows, by row key, and of one member of ``data``.

    A row that the log never saw is missing in ``states``, one that it saw deleted is ``None``.
    """

    states: dict[str, RowState | None] = field(default_factory=dict)
    datum: Any = None


def last_logged(rows: Iterable[Audited], *, datum: tuple[str, str] | None = None) -> LoggedRows:
    """Return what sealed events say last of ``rows``, and of ``datum`` (at most one query).

    Events that the open unit of work is about to append are asked first.

    ``datum`` names a subject and a member of ``data``. An event that nobody sealed, that was sealed
    for another place, or by a key that may not, was appended past Placet: it says nothing.
    """
    keys = {row_key(row): str(row.pk) for row in rows}
    logged = LoggedRows()
    ids = [*keys.values(), *([datum[0]] if datum else [])]
    for event in chain(_about_to_be_sealed(), _sealed(ids)):
        for key in keys.keys() - logged.states.keys():
            if key in event.after:
                logged.states[key] = event.after[key]
        if datum and logged.datum is None and event.subject == datum[0]:
            logged.datum = event.data.get(datum[1])
        if len(logged.states) == len(keys) and (datum is None or logged.datum is not None):
            break
    return logged


def is_logged(row: Audited, states: dict[str, RowState | None]) -> bool:
    """Tell whether ``row`` is, column by column, what the log says of it last.

    For rows without sealed columns: those are commitments in the log and text in the row.
    """
    return states.get(row_key(row)) == plain_state(row)


@dataclass(frozen=True, slots=True)
class _Said:
    subject: str
    after: dict[str, RowState | None]
    data: dict[str, Any]


def _about_to_be_sealed() -> Iterator[_Said]:
    for entry in reversed(pending()):
        if entry.kind.sealed:
            yield _Said(entry.subject, entry.after, entry.data)


def _sealed(ids: list[str]) -> Iterator[_Said]:
    """Yield the events with a good seal that touch ``ids``, the newest first.

    Newest by the time that was sealed: whoever writes to the database could move the head of the
    log, and so have a newer event stand before an older one.
    """
    if not ids:
        return
    events = touching(Event.objects.filter(kind__in=seals.SEALED_KINDS), ids)
    rows = events.order_by("-at", "-index").values_list("index", "body")
    keys = ring()
    for index, text in rows.iterator(chunk_size=50):
        try:
            body = canonical.loads(text)
            seals.verify(body, index, keys)
        except Refused as refusal:
            log.warning("event_not_sealed", index=index, reason=refusal.sentence)
            continue
        if body["kind"] in seals.SEALED_KINDS:
            yield _Said(body["subject"], body["after"], body["data"])

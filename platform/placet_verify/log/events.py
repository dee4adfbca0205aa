"""The events that travel with a bundle: each is proven to be in one signed log, and read for what
it says of nodes, of what was put on them, and of what they signed.

Rows are read by their columns. One that has not the columns of its kind says nothing.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from placet_verify import canonical, times
from placet_verify.errors import Malformed, Refused
from placet_verify.log import checkpoint, seals, tlog_proof
from placet_verify.signing.keys import KeyRing

_ENVELOPES = ("envelope", "request_envelope")  # the columns of logged rows that hold one


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row as an event shows it: after what the event says."""

    index: int
    event: str  # its kind
    at: datetime  # of the event
    columns: Mapping[str, Any]

    def texts(self, *names: str) -> list[str] | None:
        """Return these columns; ``None`` unless all of them are text."""
        values = [self.columns.get(name) for name in names]
        texts = [value for value in values if isinstance(value, str)]
        return texts if len(texts) == len(values) else None


@dataclass(slots=True)
class ProvenEvents:
    """What proven events hold: rows by the name of their table, in the order of the log."""

    size: int = 0  # of the log
    count: int = 0
    # text → the first event that shows it: a row is shown again with each change of it
    envelopes: dict[str, int] = field(default_factory=dict)
    tables: dict[str, list[EventRow]] = field(default_factory=dict)

    def rows(self, table: str) -> Sequence[EventRow]:
        """Return what the events show of a table, first things first."""
        return sorted(self.tables.get(table, ()), key=lambda row: row.index)


def check(
    files: Mapping[str, bytes], names: Sequence[str], ring: KeyRing
) -> Generator[str, None, ProvenEvents]:
    """Verify the proof of every event, yielding a line for each; return what they hold.

    ``names`` are the files that must be events. Raises ``Refused`` unless all are of one log.
    """
    keys, origins, logged = checkpoint.log_keys(ring), set[str](), ProvenEvents()
    for name in sorted(names):
        proof = tlog_proof.parse(text_of(files, name))
        if name != f"log/{proof.index}.tlog-proof":
            raise Malformed(f"{name} does not belong here")
        signed = tlog_proof.verify(proof, keys, proof.extra)
        body = _body(proof.extra)
        if sentence := seals.fault(proof.extra.decode("utf-8"), proof.index, ring):
            raise Refused("unsealed", f"event {proof.index}: {sentence}")
        origins.add(signed.origin)
        _take(logged, proof.index, body)
        logged.size, logged.count = max(logged.size, signed.size), logged.count + 1
        yield f"log: event {proof.index} of {signed.size}: {body['kind']} at {body['at']}"
    if len(origins) != 1:
        raise Refused("no_log", "there must be events, all of one log")
    return logged


def read(bodies: Mapping[int, str]) -> ProvenEvents:
    """Return what events hold that nobody has to prove: the platform's own."""
    logged = ProvenEvents(count=len(bodies))
    for index, body in sorted(bodies.items()):
        _take(logged, index, _body(body.encode("utf-8")))
    return logged


def text_of(files: Mapping[str, bytes], name: str) -> str:
    """Return a file as text; raise ``Malformed`` when it is not there or is none."""
    if name not in files:
        raise Malformed(f"there is no {name}")
    try:
        return files[name].decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"{name} is not UTF-8 text") from None


def _body(content: bytes) -> dict[str, Any]:
    match canonical.loads(content):
        case {"kind": str(), "at": str()} as body:
            return dict(body)
    raise Malformed("an event of the log is an object with kind and at")


def _take(logged: ProvenEvents, index: int, body: dict[str, Any]) -> None:
    at, after = times.parse(body["at"]), body.get("after")
    for key, columns in after.items() if isinstance(after, dict) else ():
        if isinstance(columns, dict):
            table = key.partition(":")[0]
            logged.tables.setdefault(table, []).append(EventRow(index, body["kind"], at, columns))
            for text in _envelopes(columns):
                logged.envelopes[text] = min(index, logged.envelopes.get(text, index))


def _envelopes(columns: Mapping[str, Any]) -> Iterator[str]:
    for name in _ENVELOPES:
        if isinstance(columns.get(name), str):
            yield columns[name]

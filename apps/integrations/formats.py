"""What goes over the wire: JSON lines, CloudEvents 1.0 in batches, syslog. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from placet_verify.bundle.export import log_line

MAX_MSGID = 32  # RFC 5424, section 6
LOG_AUDIT = 13  # the facility
SD_ID = "placet@32473"  # RFC 5612: the number kept for examples; Placet has none registered
BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """One event of the log. Without a body the stream may not carry more than the hash."""

    index: int
    leaf_hash: bytes
    body: str | None
    at: str = ""
    kind: str = ""
    actor: str = ""
    subject: str = ""
    project: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class StreamedHead:
    """A signed tree head."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive events from ``first`` on, and the tree head that covers them, if there is one."""

    origin: str
    first: int
    leaves: tuple[StreamedEvent, ...]
    head: StreamedHead | None = None
    test: bool = False

    @property
    def next(self) -> int:
        """The index that follows."""
        return self.first + len(self.leaves)


@dataclass(frozen=True, slots=True)
class Payload:
    """A batch as bytes; ``media`` is the content type over HTTP."""

    body: bytes
    media: str = ""


def jsonl(batch: Batch) -> Payload:
    """Return one line for each event, as the offline verifier reads them, and for the tree head."""
    origin = batch.origin
    lines = [_line(leaf, origin) for leaf in batch.leaves]
    if batch.head is not None:
        lines.append(_json({"checkpoint": batch.head.note, **_head(batch.head), "origin": origin}))
    if batch.test:
        lines.append(_json({"test": True, "origin": origin}))
    return Payload("".join(f"{line}\n" for line in lines).encode(), "application/x-ndjson")


def _line(leaf: StreamedEvent, origin: str) -> str:
    line = log_line(leaf.index, leaf.body, leaf.leaf_hash).decode("utf-8").rstrip("\n")
    return f"{line[:-1]},{_json({'origin': origin, **_known(leaf)})[1:]}"


def _known(leaf: StreamedEvent) -> dict[str, str]:
    """Return what is searched for, beside the body; nothing of an event that has none here."""
    if leaf.body is None:
        return {}
    known = {
        "at": leaf.at,
        "kind": leaf.kind,
        "actor": leaf.actor,
        "subject": leaf.subject,
        "project": leaf.project,
        "environment": leaf.environment,
    }
    return {name: value for name, value in known.items() if value}


def _head(head: StreamedHead) -> dict[str, int | str]:
    return {"size": head.size, "root": head.root.hex()}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def cloudevents(batch: Batch) -> Payload:
    """Return a batch (JSON Batch Format). ``data`` is the very text that was hashed.

    The index is text in ``id`` and ``leafindex``: an Integer of CloudEvents ends at 2³¹.
    """
    events = [_cloudevent(leaf, batch.origin) for leaf in batch.leaves]
    if batch.head is not None:
        data = {**_head(batch.head), "note": batch.head.note}
        named = f"checkpoint-{batch.head.size}"
        events.append(_with_data(_envelope(named, batch.origin, "checkpoint.v1"), _json(data)))
    if batch.test:
        events.append(_with_data(_envelope("test", batch.origin, "test.v1"), "{}"))
    body = f"[{','.join(events)}]"
    return Payload(body.encode(), "application/cloudevents-batch+json; charset=utf-8")


def single(leaf: StreamedEvent, origin: str) -> bytes:
    """Return one event (structured mode). ``data`` is the very text that was hashed."""
    return _cloudevent(leaf, origin).encode()


def single_test(named: str, origin: str) -> bytes:
    """Return a test as one event, which holds nothing of the log."""
    return _with_data(_envelope(named, origin, "test.v1"), "{}").encode()


def _envelope(named: str, origin: str, kind: str) -> dict[str, str]:
    return {"specversion": "1.0", "id": named, "source": origin, "type": f"dev.placet.{kind}"}


def _cloudevent(leaf: StreamedEvent, origin: str) -> str:
    extensions = {"leafindex": str(leaf.index), "leafhash": leaf.leaf_hash.hex()}
    if leaf.body is None:
        return _json({**_envelope(str(leaf.index), origin, "leaf.v1"), **extensions})
    event = {**_envelope(str(leaf.index), origin, leaf.kind), **extensions, "time": leaf.at}
    if leaf.subject:
        event["subject"] = leaf.subject
    return _with_data(event, leaf.body)


def _with_data(event: dict[str, str], data: str) -> str:
    """Put ``data``, which is JSON already, into an event as it is."""
    head = _json({**event, "datacontenttype": "application/json"})
    return f'{head[:-1]},"data":{data}}}'


def syslog(batch: Batch, host: str) -> Payload:
    """Return messages of RFC 5424, each behind its length (RFC 6587 octet counting, RFC 5425)."""
    frames = []
    for message in _messages(batch, host):
        encoded = message.encode("utf-8")
        frames.append(f"{len(encoded)} ".encode() + encoded)
    return Payload(b"".join(frames))


def _messages(batch: Batch, host: str) -> Iterator[str]:
    for leaf in batch.leaves:
        fields = {"index": str(leaf.index), "hash": leaf.leaf_hash.hex(), "origin": batch.origin}
        fields |= {name: value for name, value in _known(leaf).items() if name != "at"}
        yield _message(leaf.kind or "leaf", host, fields, at=leaf.at, text=leaf.body)
    if batch.head is not None:
        size, root = str(batch.head.size), batch.head.root.hex()
        fields = {"size": size, "root": root, "origin": batch.origin}
        yield _message("checkpoint", host, fields, text=batch.head.note)
    if batch.test:
        yield _message("test", host, {"origin": batch.origin}, text="A test of the stream")


def _message(
    kind: str, host: str, fields: dict[str, str], *, at: str = "", text: str | None = None
) -> str:
    priority = LOG_AUDIT * 8 + severity(kind)
    data = "".join(f' {name}="{_escaped(value)}"' for name, value in fields.items())
    head = f"<{priority}>1 {at or '-'} {host} placet - {kind[:MAX_MSGID]} [{SD_ID}{data}]"
    return head if text is None else f"{head} {BOM}{text}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


# Severities of RFC 5424 by what happened: the second word of a kind, or both of its words where
# others mean something else by the second.
ERROR, WARNING, NOTICE, INFORMATIONAL = 3, 4, 5, 6
SEVERITIES = {
    ERROR: ("blocked", "checkpoint_ahead", "state_ahead", "ahead", "forked", "contradicted"),
    WARNING: (
        "denied",
        "failed",
        "failing",
        "refused",
        "aborted",
        "aborting",
        "alert.opened",
        "break_glass.opened",
        "reported_error",
        "revoked",
        "requests_taken_back",
    ),
    NOTICE: (
        "rejected",
        "withdrawn",
        "deactivated",
        "erased",
        "deleted",
        "removed",
        "granted",
        "published",
        "rollback_started",
        "rolled_back",
        "restored",
        "reset",
        "changed",
        "paused",
        "stopped",
        "retired",
    ),
}
_SEVERITY = {word: level for level, words in SEVERITIES.items() for word in words}


def severity(kind: str) -> int:
    """Return the severity of a kind of event, e.g. ``release.rejected.v1``."""
    family, _, rest = kind.partition(".")
    word = rest.split(".")[0]
    return _SEVERITY.get(f"{family}.{word}", _SEVERITY.get(word, INFORMATIONAL))

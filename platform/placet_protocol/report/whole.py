"""A report as a whole: the payload of an envelope that the node's key signs."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, TypedDict

from placet_protocol import bounded
from placet_protocol.fields import ProtocolError
from placet_protocol.report.host import MAX_REPLICAS, PlatformInfo, read_platform
from placet_protocol.report.proxy import ProxyReport, read_proxy
from placet_protocol.report.rows import (
    Generation,
    LocalAbort,
    NodeError,
    RevisionReport,
    read_abort,
    read_error,
    read_generation,
    read_revision_report,
)
from placet_protocol.report.windows import MetricWindow, read_window
from placet_verify import canonical
from placet_verify.errors import Refused
from placet_verify.log import checkpoint

STALE_REPORT: Final = "stale_report"  # the code of the answer to a number that is not higher
MAX_WINDOWS = 2000
MAX_RECEIPTS, MAX_RECEIPT = 100, 8192
MAX_DIGEST = 80
MAX_BYTES = 1_500_000  # the platform takes 2 MiB of an envelope, in which they are base64
_NAMED = 10  # of what is cut
_SHORTER = (bounded.MAX_DETAIL, 500, 100, 0)  # characters of each detail, until all of it fits


class Report(TypedDict):
    """The payload of a report envelope."""

    v: int
    node: str
    number: int
    at: str
    applied: Generation
    platform: PlatformInfo
    proxy: ProxyReport
    checkpoint: str | None  # the newest note this node keeps
    revisions: list[RevisionReport]
    prefetched: list[str]  # Bento digests that lie ready
    recalled: list[str]  # recalled Bentos of which nothing runs here: confirmed
    errors: list[NodeError]
    aborts: list[LocalAbort]
    receipts: list[str]
    warm: int  # processes that have a runtime imported and wait to be taken
    metrics: list[MetricWindow]


class ReportReply(TypedDict):
    """What a node is told about its report."""

    v: int
    number: int


def write_report(report: Report) -> bytes:
    """Return the bytes of a report that are signed, such that ``read_report`` takes them.

    What a replica printed may hold anything, and lists may be longer than any report is: both are
    cut here, as ``errors`` says of the longest, and details shortened until it fits, for a report
    that is refused tells of nothing at all. One that does not fit without any has no counts of what
    was reached either.
    """
    payload = b""
    for longest in _SHORTER:
        payload = canonical.dumps(_cut(report, longest))
        if len(payload) <= MAX_BYTES:
            break
    return payload


def _cut(report: Report, longest: int) -> dict[str, Any]:
    def rows(name: str, most: int = bounded.MAX_ROWS) -> list[dict[str, Any]]:
        return [_storable(row, longest) for row in ordered_report[name][:most]]

    ordered = _newest_first(report["revisions"])
    errors = [*_left_out(ordered, report), *report["errors"]]
    ordered_report: Mapping[str, Any] = {**report, "revisions": ordered, "errors": errors}
    return {
        **ordered_report,
        "revisions": rows("revisions"),
        "errors": rows("errors"),
        "aborts": rows("aborts"),
        "metrics": rows("metrics", MAX_WINDOWS),
        "prefetched": report["prefetched"][: bounded.MAX_ROWS],
        "recalled": report["recalled"][: bounded.MAX_ROWS],
        "receipts": report["receipts"][:MAX_RECEIPTS],
    }


def _newest_first(revisions: list[RevisionReport]) -> list[RevisionReport]:
    """Return the rows, where there are too many, such that those that matter least are cut: what is
    stopped, and that for longest, of which an earlier report has told."""
    if len(revisions) <= bounded.MAX_ROWS:
        return revisions
    newest = sorted(revisions, key=lambda row: row["since"], reverse=True)
    return sorted(newest, key=lambda row: row["phase"] == "stopped")


def _left_out(ordered: list[RevisionReport], report: Report) -> list[NodeError]:
    """Return an error for each list that is longer than a report may be."""
    lists: dict[str, list[str]] = {
        "revisions": [row["id"] for row in ordered],
        "Bentos that lie ready": report["prefetched"],
        "recalled Bentos": report["recalled"],
    }
    return [_told_of(what, names) for what, names in lists.items() if len(names) > bounded.MAX_ROWS]


def _told_of(what: str, names: list[str]) -> NodeError:
    cut = names[bounded.MAX_ROWS :]
    some = ", ".join(cut[:_NAMED]) + " …" * (len(cut) > _NAMED)
    room = f"more than the {bounded.MAX_ROWS} that a report has room for"
    return NodeError(code="report_cut", detail=f"{len(names)} {what} are {room}; not in it: {some}")


def _storable(row: Mapping[str, Any], longest: int) -> dict[str, Any]:
    texts = {name: row[name] for name in ("detail", "error") if name in row}
    less = {name: list[Any]() for name in ("egress", "secrets") if not longest and name in row}
    return {**row, **less, **{name: bounded.storable(t[:longest]) for name, t in texts.items()}}


def read_report(payload: bytes, node: str) -> Report:
    """Return the report in ``payload``, which must say that it is by ``node``.

    What a newer agent adds is left out, and what an older one does not send has a default. Raises
    ``ProtocolError`` with a JSON pointer for what is not as the protocol says.
    """
    try:
        data = canonical.loads(payload)
    except Refused as refusal:
        raise ProtocolError(refusal.sentence) from refusal
    if not isinstance(data, dict) or data.get("v") != 1 or data.get("node") != node:
        raise ProtocolError("This is not a report of version 1 by this node")
    seen = bounded.text(data, "at", "", 40)
    return Report(
        v=1,
        node=node,
        number=bounded.whole(data, "number", ""),
        at=seen,
        applied=read_generation(data.get("applied"), "/applied"),
        platform=read_platform(data.get("platform", {})),
        proxy=read_proxy(data.get("proxy"), "/proxy", seen=seen),
        checkpoint=None if data.get("checkpoint") is None else _note(data),
        revisions=bounded.rows(data, "revisions", partial(read_revision_report, seen=seen)),
        prefetched=bounded.rows(data, "prefetched", _digest),
        recalled=bounded.rows(data, "recalled", _digest),
        errors=bounded.rows(data, "errors", read_error),
        aborts=bounded.rows(data, "aborts", read_abort),
        receipts=bounded.rows(data, "receipts", _receipt, MAX_RECEIPTS),
        warm=bounded.whole(data, "warm", "", MAX_REPLICAS),
        metrics=bounded.rows(data, "metrics", read_window, MAX_WINDOWS),
    )


def _receipt(data: Any, at: str) -> str:
    """Return an envelope as it was sent; who signed what is for whoever keeps it to verify."""
    if not bounded.is_text(data) or len(data) > MAX_RECEIPT:
        raise bounded.fault(at, f"an envelope of at most {MAX_RECEIPT} characters")
    return str(data)


def _digest(data: Any, at: str) -> str:
    if not bounded.is_text(data):
        raise bounded.fault(at, "text")
    return str(data)[:MAX_DIGEST]


def _note(data: Any) -> str:
    """Read the newest note of the log that a node keeps. One that is none is anybody's; of one that
    is, the size goes into the log, which holds no greater whole number."""
    note = bounded.text(data, "checkpoint", "")
    try:
        size = checkpoint.parse(note).size
    except Refused:
        return note
    if size > bounded.MAX_WHOLE:
        raise bounded.fault("/checkpoint", f"of at most {bounded.MAX_WHOLE} leaves")
    return note

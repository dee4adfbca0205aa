"""What a node reports: verified, stored, and logged where an audit must know."""

from collections.abc import Mapping
from typing import Any

from apps.audit.actions import Recorder, record
from apps.audit.events import EventKind
from apps.audit.models import Checkpoint, LogHead
from apps.audit.queries import events_about
from apps.jobs.actions import enqueue
from apps.serving import desired, hooks, windows
from apps.serving.actions.nodes import node_actor
from apps.serving.actions.secrets import note_given
from apps.serving.errors import NodeRefused, StaleReport, TooManyWindows, malformed
from apps.serving.events import (
    NODE_CHANGED,
    NODE_CHECKPOINT_AHEAD,
    NODE_REPORTED_ERROR,
    NODE_STATE_AHEAD,
    REQUESTS_TAKEN_BACK,
    REVISION_REFUSED,
)
from apps.serving.models import DesiredState, Node, Revision
from apps.serving.noted import first_in_a_minute, take
from apps.serving.rules import EndpointState, RevisionState
from placet.kernel.clock import now, rfc3339
from placet.kernel.faults import crash_point
from placet_protocol.fields import ProtocolError
from placet_protocol.report import ERROR_CODES, Generation, Report, read_report
from placet_verify import canonical
from placet_verify.errors import Refused
from placet_verify.log.checkpoint import parse as parse_note
from placet_verify.signing import dsse
from placet_verify.signing.keys import PublicKey

PASSED_ON = ("metrics", "receipts")  # to who keeps them: no part of what the node was seen to do
# states that wait for what a node says
MOVING = (RevisionState.STARTING, RevisionState.READY, RevisionState.DRAINING)
EPOCHS_AHEAD = 100  # restores that a copy of the database may have missed


def receive_report(node: Node, envelope: str | bytes) -> Node:
    """Store a report that ``node`` signed and that is newer than the last one.

    In the same transaction: an event for what the node refused, did or found by itself, a job for
    its metrics, and a ring for whoever waits for what it says. A node cannot fill the log: each of
    these events comes at most once a minute, and once of a deleted endpoint's revision. Nor can it
    fill the queue: a report with more windows than a minute has room for is refused as a whole
    (:class:`TooManyWindows`).
    """
    report = _read(node, envelope)
    with record(node_actor(node)) as log:
        row = (
            Node.objects.select_for_update(of=("self",), no_key=True)
            .select_related("target")
            .get(pk=node.pk)
        )
        if report["number"] <= row.report_number:
            raise StaleReport(row.report_number)
        if not take(row, "windows", windows.portions(report["metrics"]), windows.PORTIONS_A_MINUTE):
            raise TooManyWindows
        before: Mapping[str, Any] = row.report
        row.report = {name: value for name, value in report.items() if name not in PASSED_ON}
        row.report["waiting"] = before.get("waiting", [])  # receipts that are logged later
        row.report_number = report["number"]
        row.last_seen_at = row.last_report_at = at = now()
        codes = {error["code"] for error in report["errors"]}
        row.errors_since = {code: row.errors_since.get(code, rfc3339(at)) for code in sorted(codes)}
        _note_refusals(log, row, before, report)
        _note_aborts(log, row, before, report)
        _note_errors(log, row, before, report)
        _note_state_ahead(log, row, report)
        hooks.keeper().heard(row, report, log)
        _note_changes(log, row, report)
        if measured := windows.timely(report["metrics"]):
            enqueue("monitoring.ingest", node=row.pk, windows=measured)
        if _worth_a_look(row, before, report):
            enqueue("rollouts.reconcile_target", key=row.target_id, target=row.target_id)
        crash_point("serving.before_report_commit")
    crash_point("serving.after_report_commit")
    return row


def _read(node: Node, envelope: str | bytes) -> Report:
    try:
        key = PublicKey.from_base64(node.public_key)
        payload = dsse.verify(dsse.Envelope.from_json(envelope), [key], dsse.REPORT)
    except Refused as refusal:
        raise NodeRefused(refusal.sentence) from refusal
    try:
        return read_report(payload, node.pk)
    except ProtocolError as error:
        raise malformed(error) from error


def _note_changes(log: Recorder, node: Node, report: Report) -> None:
    """Store and log what the log keeps of a node, together: within a minute of the last change the
    row stays as the log has it, and a later report brings what is so then. Secrets that it was
    given are logged whenever they come, each once."""
    note_given(log, node, report)
    known, fault = _logged(node), _checkpoint_fault(report)
    before = node.platform, node.agent_version, node.fault
    platform = dict(report["platform"])
    node.platform, node.agent_version = platform, report["platform"]["agent_version"]
    node.fault = fault
    names = {name for name, _ in _logged(node).items() ^ known.items()}
    # What stood in a row before members were bounded may have any name.
    changed = sorted({name if name in platform or name == "fault" else "other" for name in names})
    if changed and not first_in_a_minute(node, "changed"):
        node.platform, node.agent_version, node.fault = before
        changed = []
    if node.fault and node.fault != before[2]:
        size = parse_note(report["checkpoint"] or "").size
        log.add(NODE_CHECKPOINT_AHEAD, subject=node.pk, data={"size": size})
    node.save()
    if "secret_key" in changed:
        desired.publish(node.target_id)  # what is sealed for another key does not open there
    if changed:
        log.add(NODE_CHANGED, node, data={"what": ", ".join(changed)})


def _logged(node: Node) -> dict[str, bytes]:
    """Return what the log keeps of a node and a report may change: what it runs on, isolation and
    limits included, and what is wrong with it."""
    parts = node.platform | {"fault": node.fault}
    return {name: canonical.dumps(value) for name, value in parts.items()}


def _phases(report: Mapping[str, Any]) -> dict[str, str]:
    return {row["id"]: row["phase"] for row in report.get("revisions", [])}


def _note_refusals(log: Recorder, node: Node, before: Mapping[str, Any], report: Report) -> None:
    """A node that refuses a revision found that its permit or its bytes are not in order."""
    known, newly = _phases(before), _phases(report)
    refused = [pk for pk, phase in newly.items() if phase == "refused" != known.get(pk)]
    revisions = Revision.objects.filter(pk__in=refused, endpoint__target=node.target_id)
    for revision in revisions.select_related("endpoint"):
        if _first(node, revision, "refused", REVISION_REFUSED):
            log.add(REVISION_REFUSED, revision, data={"node": node.pk, "bento": revision.bento_id})


def _note_aborts(log: Recorder, node: Node, before: Mapping[str, Any], report: Report) -> None:
    """The node took requests back by itself. Its words stay in the report: the log has none."""
    known = {row["revision"] for row in before.get("aborts", [])}
    newly = {row["revision"]: row for row in report["aborts"] if row["revision"] not in known}
    revisions = Revision.objects.filter(pk__in=newly, endpoint__target=node.target_id)
    for revision in revisions.select_related("endpoint"):
        row = newly[revision.pk]
        data = {"node": node.pk, "rule": row["rule"], "state": row["state"]}
        if _first(node, revision, "took back", REQUESTS_TAKEN_BACK):
            log.add(REQUESTS_TAKEN_BACK, revision, data=data)


def _first(node: Node, revision: Revision, what: str, kind: EventKind) -> bool:
    """Tell whether the log has nothing of it yet: of the last minute, or ever once the endpoint was
    deleted, where nothing is asked of the node any more."""
    if revision.endpoint.state == EndpointState.DELETED and events_about([revision.pk], kind):
        return False
    return first_in_a_minute(node, f"{what} {revision.pk}")


def _note_errors(log: Recorder, node: Node, before: Mapping[str, Any], report: Report) -> None:
    """What the node did or found alone, once per stretch of time in which it goes on.

    A code is a word of the protocol: one that a node makes up is shown, but the log says ``other``.
    """
    known = {row["code"] for row in before.get("errors", [])}
    newly = {row["code"] for row in report["errors"]} - known
    for code in sorted({code if code in ERROR_CODES else "other" for code in newly}):
        if first_in_a_minute(node, f"error {code}"):
            log.add(NODE_REPORTED_ERROR, subject=node.pk, data={"code": code})


def _checkpoint_fault(report: Report) -> str:
    """Name a checkpoint that this log does not contain: the database was restored from an old copy,
    or somebody cut or rewrote the log."""
    note = report["checkpoint"]
    return "checkpoint_ahead" if note and not _contains(note) else ""


def _contains(note: str) -> bool:
    """Tell whether our log is at least as long and had the same root at that size."""
    try:
        head = parse_note(note)
    except Refused:
        return True  # not ours to judge: the node checks signatures before it keeps a note
    ours = Checkpoint.objects.filter(size=head.size).first()
    if ours is not None:
        return bytes(ours.root) == head.root
    return bool(LogHead.objects.filter(size__gte=head.size).exists())


def _note_state_ahead(log: Recorder, node: Node, report: Report) -> None:
    """A node that runs a newer state than we know would refuse ours for ever: raise the epoch.

    By a little, and once a minute: a node that lies can spend so few epochs that they never end.
    """
    applied = report["applied"]
    known, _ = DesiredState.objects.get_or_create(target_id=node.target_id)
    if not _ahead(applied, known):  # looked at without waiting for whoever signs the next one
        return
    state = DesiredState.objects.select_for_update(no_key=True).get(target=node.target_id)
    if not _ahead(applied, state) or not first_in_a_minute(node, "state ahead"):
        return
    state.epoch, state.number, state.content_digest = applied["epoch"] + 1, 0, ""
    state.save()
    log.add(NODE_STATE_AHEAD, subject=node.pk, data={"epoch": state.epoch})
    desired.publish(node.target_id)


def _ahead(applied: Generation, state: DesiredState) -> bool:
    newer = (applied["epoch"], applied["number"]) > (state.epoch, state.number)
    return newer and applied["epoch"] <= state.epoch + EPOCHS_AHEAD


def _worth_a_look(node: Node, before: Mapping[str, Any], report: Report) -> bool:
    """Tell whether a rollout may be waiting for this."""
    if _facts(before) != _facts(report):
        return True
    return Revision.objects.filter(endpoint__target=node.target_id, state__in=MOVING).exists()


def _facts(report: Mapping[str, Any]) -> tuple[object, ...]:
    rows = [
        (row["id"], row["phase"], row["ready_replicas"], row["weight"])
        for row in report.get("revisions", [])
    ]
    aborts = [row["revision"] for row in report.get("aborts", [])]
    return report.get("applied"), rows, aborts

"""Taking in what a node signed, and comparing it with what the node says otherwise.

A receipt is believed as far as its signature goes: that this node said so. Where a node's own
words deny each other the release is shown as contradicted, which is as good as open.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from apps.assurance.events import (
    RECALL_CONFIRMED,
    RECALL_CONTRADICTED,
    RECEIPT_KEPT,
    RECEIPT_REFUSED,
)
from apps.assurance.models import (
    UNCONFIRMED,
    EffectState,
    Recall,
    RecallEffect,
    Receipt,
    ReceiptKind,
)
from apps.assurance.rules import CONTRADICTIONS, Confirmed, contradiction
from apps.audit.actions import Recorder
from apps.monitoring.actions import open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import AlertKind
from apps.serving.models import Node, Revision
from apps.serving.noted import first_in_a_minute
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.states import move
from placet_protocol.report import MAX_RECEIPTS, Report
from placet_verify import recalls
from placet_verify.errors import Refused
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import PublicKey
from placet_verify.statements import RanReceipt, StoppedReceipt

SKEW = timedelta(seconds=120)  # a node's clock may differ from ours by so much
MAX_WAITING = 600  # an agent sends 50 with a report, every five seconds


def take_in(node: Node, report: Report, log: Recorder) -> None:
    """Keep what is new of the receipts in ``report``, confirm what they confirm, and note what
    contradicts an earlier one.

    The log gets one event a minute for each release that ran and each recall that was followed, so
    that a node cannot fill it. What comes meanwhile waits with the node's report, and one event
    shows all of it when the minute is over: nothing that was signed is lost.
    """
    new_receipts = _new(node, [*node.report.get("waiting", []), *report["receipts"]], log)
    ran = [(row.release, row.at) for row in new_receipts if row.kind == ReceiptKind.RAN]
    waiting = list[Receipt]()
    for about, rows in _by_subject(new_receipts).items():
        due = first_in_a_minute(node, f"receipt {about}")
        waiting += rows[MAX_RECEIPTS:] if due else rows
        if due:
            _keep(node, rows[:MAX_RECEIPTS], report, ran, log)
    node.report["waiting"] = [row.envelope for row in waiting[:MAX_WAITING]]
    confirmed = RecallEffect.objects.filter(target=node.target_id, state=EffectState.CONFIRMED)
    for effect in confirmed.select_related("release", "endpoint"):
        assert effect.confirmed_at is not None
        if why := _denied(effect, effect.confirmed_at, report, ran):
            _contradict(node, effect, why, log)


def _by_subject(rows: Iterable[Receipt]) -> dict[str, list[Receipt]]:
    """Return the receipts of each release that ran, and of each recall: what one event shows, for
    a bundle holds whole events and nothing of another release."""
    by_subject = dict[str, list[Receipt]]()
    for row in rows:
        by_subject.setdefault(row.release or row.recall, []).append(row)
    return by_subject


def _new(node: Node, texts: Iterable[str], log: Recorder) -> list[Receipt]:
    """Return what is not known of receipts that count, none of it twice and none saved."""
    by_digest = dict[str, Receipt]()
    for text in texts:
        try:
            row = _read(node, text)
        except Refused as refusal:
            if first_in_a_minute(node, f"receipt {refusal.code}"):
                log.add(RECEIPT_REFUSED, subject=node.pk, data={"code": refusal.code})
        else:
            by_digest.setdefault(row.digest, row)
    known = set(Receipt.objects.filter(digest__in=by_digest).values_list("digest", flat=True))
    return [row for digest, row in by_digest.items() if digest not in known]


def _read(node: Node, text: str) -> Receipt:
    """Verify one receipt; raise ``Refused`` when it does not count."""
    envelope = Envelope.from_json(text)
    receipt = recalls.receipt(envelope, PublicKey.from_base64(node.public_key), node.pk)
    if b"\\u0000" in envelope.payload:  # JSON writes it in no other way
        raise recalls.RecallRefused("malformed", "it holds a null character")
    row = Receipt(
        node=node,
        target_id=node.target_id,
        public_key=node.public_key,
        digest=receipt.digest,
        envelope=envelope.to_json(),
        at=receipt.at,
    )
    if receipt.target != node.target_id or receipt.at > now() + SKEW:
        raise recalls.RecallRefused("impossible", "another target, or a time to come")
    if isinstance(receipt, StoppedReceipt):
        _stopped(row, receipt)
    else:
        _ran(row, receipt)
    return row


def _keep(
    node: Node,
    rows: list[Receipt],
    report: Report,
    ran: Iterable[tuple[str, datetime]],
    log: Recorder,
) -> None:
    """Write down receipts about one release or recall, with one event. Of those that say the same
    recall was followed the newest says most: what ran before it does not deny it."""
    if rows[0].kind == ReceiptKind.STOPPED:
        newest = max(rows, key=lambda row: row.at)
        newest.save(force_insert=True)
        return _confirm(node, newest, report, ran, log)
    for row in rows:
        row.save(force_insert=True)
    return log.add(RECEIPT_KEPT, *rows, subject=rows[0].endpoint)


def _stopped(row: Receipt, receipt: StoppedReceipt) -> None:
    recall = Recall.objects.filter(
        pk=receipt.recall, statement_digest=receipt.recall_digest
    ).first()
    if recall is None or receipt.at < recall.created_at - SKEW:
        raise recalls.RecallRefused("unknown_recall", "there was no such recall then")
    row.kind, row.recall, row.project_id = ReceiptKind.STOPPED, recall.pk, recall.project_id


def _ran(row: Receipt, receipt: RanReceipt) -> None:
    revision = Revision.objects.filter(
        pk=receipt.revision,
        release=receipt.release,
        endpoint=receipt.endpoint,
        bento=receipt.bento_digest,
        endpoint__target=receipt.target,
    ).first()
    if revision is None:
        raise recalls.RecallRefused("unknown_revision", "nothing like this is on its target")
    row.kind, row.project_id = ReceiptKind.RAN, revision.project_id
    row.endpoint, row.release, row.revision = receipt.endpoint, receipt.release, receipt.revision
    row.bento_digest, row.started_at = receipt.bento_digest, receipt.started_at


def _confirm(
    node: Node, receipt: Receipt, report: Report, ran: Iterable[tuple[str, datetime]], log: Recorder
) -> None:
    rows = RecallEffect.objects.filter(
        recall=receipt.recall, target=node.target_id, state__in=UNCONFIRMED
    )
    effects = list(rows.select_related("release", "endpoint").order_by("pk"))
    earlier = Receipt.objects.filter(
        kind=ReceiptKind.RAN,
        target=node.target_id,
        at__gt=receipt.at,
        release__in=[effect.release_id for effect in effects],
    )
    known = [*ran, *earlier.values_list("release", "at")]
    done = []
    for effect in effects:
        if why := _denied(effect, receipt.at, report, known):
            _contradict(node, effect, why, log)
        elif move(
            effect,
            expected=UNCONFIRMED,
            to=EffectState.CONFIRMED,
            receipt=receipt.pk,
            confirmed_at=receipt.at,
            contradiction="",
        ):
            done.append(effect)
    log.add(
        RECALL_CONFIRMED,
        receipt,
        *done,
        subject=receipt.recall,
        data={"node": node.pk, "releases": len(done)},
    )


def _denied(
    effect: RecallEffect, at: datetime, report: Report, ran: Iterable[tuple[str, datetime]]
) -> str:
    confirmed = Confirmed(effect.revisions, effect.release_id, at)
    return contradiction(confirmed, rows=report["revisions"], windows=report["metrics"], ran=ran)


def _contradict(node: Node, effect: RecallEffect, why: str, log: Recorder) -> None:
    in_turns = effect.state == EffectState.CONTRADICTED  # for another reason
    if effect.contradiction == why or (in_turns and not first_in_a_minute(node, effect.pk)):
        return
    if not move(
        effect,
        expected=(EffectState.OPEN, EffectState.CONFIRMED, EffectState.CONTRADICTED),
        to=EffectState.CONTRADICTED,
        contradiction=why,
    ):
        return
    log.add(RECALL_CONTRADICTED, effect, subject=effect.recall_id, data={"what": why})
    endpoint = effect.endpoint
    summary = (
        f"The node signed that nothing runs of release {effect.release.number}, which was "
        f"recalled, and {CONTRADICTIONS[why]}. Look at the host."
    )
    finding = AlertFinding(
        AlertKind.RECALL_BROKEN,
        subject=endpoint.pk,
        summary=summary,
        endpoint=endpoint,
        about=f"{endpoint.name} in {endpoint.environment}",
    )
    open_alert(finding, actor=SYSTEM)

"""Handing a recall to an outsider: everything that they need to see how far it is without us."""

from collections import deque

from apps.assurance.errors import NotVerifiable
from apps.assurance.models import Recall
from apps.assurance.queries import of_recall
from apps.audit.actions import log_export
from apps.audit.queries.proofs import tlog_proofs
from apps.identity.queries import authorize
from placet.kernel.actor import Actor
from placet.kernel.keystore import keys_document, ring, root_public
from placet_verify.bundle import bundle, nodes, recall_report
from placet_verify.errors import Refused
from placet_verify.log import events


def report_of(recall: Recall, actor: Actor) -> dict[str, bytes]:
    """Return the files of a recall's report (:mod:`placet_verify.bundle.recall_report`).

    Needs ``audit.export`` where the recall counts: it holds events of the log, and taking it is
    one. Raises ``NotYetSigned`` for the seconds until a checkpoint covers all of them, and
    :class:`NotVerifiable` where rows do not agree with the log: nothing is handed out that an
    outsider would have to refuse.
    """
    authorize(actor, "audit.export", recall, view="recall.view")
    bodies = of_recall(recall)
    proofs = tlog_proofs(bodies.items())
    files = {
        **nodes.papers(events.read(bodies)),
        bundle.KEYS: keys_document().encode("utf-8"),
        bundle.ROOT: root_public().to_pem(),
        bundle.README: recall_report.README_TEXT.encode("utf-8"),
    } | {f"log/{index}.tlog-proof": text.encode("utf-8") for index, text in proofs.items()}
    try:
        deque(recall_report.verify(files, ring()), maxlen=0)
    except Refused as refusal:
        raise NotVerifiable(f"Nobody could verify it: {refusal.sentence}") from None
    log_export(actor, form="recall", count=len(bodies), project=recall.project_id)
    return files

"""What this app writes into the log. ``data`` holds ids, numbers and enumerated words only."""

from apps.assurance.models import RecallKind
from apps.audit.events import event_kind

RECALLED = event_kind(
    "recall.created",
    "Recalled a {kind}: {releases:release} revoked at {endpoints:endpoint}",
    seals=("reason_sealed",),
    words={"kind": RecallKind.values},
)
RECALL_REACHED = event_kind("recall.reached", "A recall reached {releases:release} of the endpoint")
RECALL_LIFTED = event_kind(
    "recall.lifted",
    "Withdrew the recall of a {kind}",
    seals=("lift_reason_sealed",),
    words={"kind": RecallKind.values},
)
RECALL_CONFIRMED = event_kind(
    "recall.confirmed", "Signed a recall receipt, nothing of it runs: {releases:release}"
)
RECALL_CONTRADICTED = event_kind(
    "recall.contradicted", "Contradicts its own receipt of a recall: {what:word}"
)
RECEIPT_KEPT = event_kind("receipt.kept", "Signed a run receipt for a build")
RECEIPT_REFUSED = event_kind("receipt.refused", "Sent a receipt that does not count: {code:word}")
RETENTION_SET = event_kind("retention.set", "Set the archive rule: after {days} days")
LEGAL_HOLD_PLACED = event_kind(
    "legal_hold.placed", "Placed a legal hold on {scope}", seals=("reason_sealed",)
)
LEGAL_HOLD_LIFTED = event_kind(
    "legal_hold.lifted", "Lifted a legal hold on {scope}", seals=("lift_reason_sealed",)
)

"""What this app writes into the log."""

from apps.audit.events import event_kind
from apps.monitoring.models import AlertKind

OBJECTIVE_SET = event_kind("objective.set", "Set the SLO of an endpoint")
OBJECTIVE_REMOVED = event_kind("objective.removed", "Removed the SLO of an endpoint")
ERASURE_REQUESTED = event_kind(
    "erasure.requested", "Requested erasure of the predictions of one subject"
)
ERASURE_DONE = event_kind("erasure.done", "Erased {erased} logged predictions of one subject")
ALERT_OPENED = event_kind(
    "alert.opened", "Opened an alert: {kind:word}", words={"kind": AlertKind.values}
)
ALERT_ACKNOWLEDGED = event_kind(
    "alert.acknowledged", "Acknowledged an alert: {kind:word}", words={"kind": AlertKind.values}
)
ALERT_ANSWERED = event_kind("alert.answered", "Commented on an alert")
ALERT_RECALL_WITHDRAWN = event_kind(
    "alert.recall_withdrawn", "Noted on an alert that its recall was withdrawn"
)
ALERT_RESOLVED = event_kind(
    "alert.resolved", "Resolved an alert: {kind:word}", words={"kind": AlertKind.values}
)

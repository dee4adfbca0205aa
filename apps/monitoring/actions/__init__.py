"""Every write of monitoring: windows, objectives, alerts."""

from apps.monitoring.actions.alerts import (
    acknowledge,
    close_settled,
    note_answer,
    open_alert,
    resolve,
)
from apps.monitoring.actions.mail import mail_alert
from apps.monitoring.actions.objectives import remove_objective, set_objective
from apps.monitoring.actions.windows import forget_old, ingest

__all__ = [
    "acknowledge",
    "close_settled",
    "forget_old",
    "ingest",
    "mail_alert",
    "note_answer",
    "open_alert",
    "remove_objective",
    "resolve",
    "set_objective",
]

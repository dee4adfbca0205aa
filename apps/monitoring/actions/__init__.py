"""Every write of monitoring: windows, objectives, alerts, captured predictions, outcomes."""

from apps.monitoring.actions.alerts import (
    acknowledge,
    close_settled,
    note_answer,
    note_withdrawn,
    open_alert,
    resolve,
)
from apps.monitoring.actions.captures import forget_captures, receive_lines, store_captures
from apps.monitoring.actions.erasing import (
    ask_for_open,
    carry_out,
    carry_out_open,
    erase_unit,
)
from apps.monitoring.actions.hours import add_up_hours
from apps.monitoring.actions.mail import mail_alert
from apps.monitoring.actions.objectives import remove_objective, set_objective
from apps.monitoring.actions.outcomes import (
    ReceivedOutcomes,
    Said,
    forget_outcomes,
    report_outcomes,
)
from apps.monitoring.actions.windows import forget_old, ingest

__all__ = [
    "ReceivedOutcomes",
    "Said",
    "acknowledge",
    "add_up_hours",
    "ask_for_open",
    "carry_out",
    "carry_out_open",
    "close_settled",
    "erase_unit",
    "forget_captures",
    "forget_old",
    "forget_outcomes",
    "ingest",
    "mail_alert",
    "note_answer",
    "note_withdrawn",
    "open_alert",
    "receive_lines",
    "remove_objective",
    "report_outcomes",
    "resolve",
    "set_objective",
    "store_captures",
]

"""Every write of this app."""

from apps.rollouts.actions.aborted import go_back_after_abort
from apps.rollouts.actions.advance import advance, keep_look, record_command, retire
from apps.rollouts.actions.answer import answer_alert, give_up
from apps.rollouts.actions.control import pause, promote, resume, ship, skip
from apps.rollouts.actions.operate import abort, rollback
from apps.rollouts.actions.queueing import turn_of
from apps.rollouts.actions.start import retry, start_rollout

__all__ = [
    "abort",
    "advance",
    "answer_alert",
    "give_up",
    "go_back_after_abort",
    "keep_look",
    "pause",
    "promote",
    "record_command",
    "resume",
    "retire",
    "retry",
    "rollback",
    "ship",
    "skip",
    "start_rollout",
    "turn_of",
]

"""Every write of this app."""

from apps.rollouts.actions.abort_and_rollback import abort, rollback
from apps.rollouts.actions.advance import advance, keep_look, record_command, retire
from apps.rollouts.actions.after_abort import go_back_after_abort
from apps.rollouts.actions.after_recall import TakenOff, take_off
from apps.rollouts.actions.alert_rollback import answer_alert, give_up
from apps.rollouts.actions.aliases import follow_live
from apps.rollouts.actions.drills import finish_drill, run_drill, run_planned, tell_if_stuck
from apps.rollouts.actions.passing import confirm_passing, decline_passing, withdraw_passing
from apps.rollouts.actions.queueing import BUSY, take_turn
from apps.rollouts.actions.scheduling import schedule_drills, unschedule_drills
from apps.rollouts.actions.start import retry, start_rollout
from apps.rollouts.actions.steps import pause, promote, resume, ship, skip

__all__ = [
    "BUSY",
    "TakenOff",
    "abort",
    "advance",
    "answer_alert",
    "confirm_passing",
    "decline_passing",
    "finish_drill",
    "follow_live",
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
    "run_drill",
    "run_planned",
    "schedule_drills",
    "ship",
    "skip",
    "start_rollout",
    "take_off",
    "take_turn",
    "tell_if_stuck",
    "unschedule_drills",
    "withdraw_passing",
]

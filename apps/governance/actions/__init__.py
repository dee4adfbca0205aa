"""Every write of governance."""

from apps.governance.actions.absences import clear_absence, set_absence
from apps.governance.actions.after_recall import revoke, uncount
from apps.governance.actions.break_glass import (
    ask_to_confirm,
    ask_to_open,
    confirm_break_glass,
    open_break_glass,
)
from apps.governance.actions.break_glass_ends import (
    end_break_glass,
    end_break_glasses_due,
    review_break_glass,
)
from apps.governance.actions.decisions import ask_to_decide, decide
from apps.governance.actions.environments import (
    create_environment,
    create_project_defaults,
    update_environment,
)
from apps.governance.actions.freezes import lift_freeze, set_freeze
from apps.governance.actions.held import withdraw_changes
from apps.governance.actions.lifecycle import (
    assemble_permit,
    begin_rollout,
    mark_aborted,
    mark_failed,
    mark_live,
    mark_rolled_back,
    permit_to_hand_out,
    reopen,
    restore_live,
)
from apps.governance.actions.policies import (
    ask_to_publish,
    draft_policy,
    publish_policy,
    withdraw_policy,
)
from apps.governance.actions.promoting import open_promoted
from apps.governance.actions.releases import comment, request_release
from apps.governance.actions.reviewing import (
    Reviewers,
    remove_review_request,
    request_review,
    tell_overdue,
)
from apps.governance.actions.sweeps import advance_waiting, expire_due, start_waiting
from apps.governance.actions.withdrawing import withdraw
from apps.governance.queries.facts import evaluate

__all__ = [
    "Reviewers",
    "advance_waiting",
    "ask_to_confirm",
    "ask_to_decide",
    "ask_to_open",
    "ask_to_publish",
    "assemble_permit",
    "begin_rollout",
    "clear_absence",
    "comment",
    "confirm_break_glass",
    "create_environment",
    "create_project_defaults",
    "decide",
    "draft_policy",
    "end_break_glass",
    "end_break_glasses_due",
    "evaluate",
    "expire_due",
    "lift_freeze",
    "mark_aborted",
    "mark_failed",
    "mark_live",
    "mark_rolled_back",
    "open_break_glass",
    "open_promoted",
    "permit_to_hand_out",
    "publish_policy",
    "remove_review_request",
    "reopen",
    "request_release",
    "request_review",
    "restore_live",
    "review_break_glass",
    "revoke",
    "set_absence",
    "set_freeze",
    "start_waiting",
    "tell_overdue",
    "uncount",
    "update_environment",
    "withdraw",
    "withdraw_changes",
    "withdraw_policy",
]

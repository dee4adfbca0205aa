"""What governance lets one read."""

from apps.governance.queries.dry_run import DryRunRow, dry_run
from apps.governance.queries.facts import evaluate, evaluate_many
from apps.governance.queries.freezes import freezes, frozen
from apps.governance.queries.needed import bentos_needed
from apps.governance.queries.release_detail import (
    DecisionRow,
    ReleaseView,
    StoryRow,
    decision_rows,
    release_view,
)
from apps.governance.queries.remarks import CommentRow, comment_rows
from apps.governance.queries.visible_rows import (
    comments,
    decision,
    decisions,
    environment,
    environments,
    inbox,
    menu,
    policies,
    policy,
    release,
    releases,
)

__all__ = [
    "CommentRow",
    "DecisionRow",
    "DryRunRow",
    "ReleaseView",
    "StoryRow",
    "bentos_needed",
    "comment_rows",
    "comments",
    "decision",
    "decision_rows",
    "decisions",
    "dry_run",
    "environment",
    "environments",
    "evaluate",
    "evaluate_many",
    "freezes",
    "frozen",
    "inbox",
    "menu",
    "policies",
    "policy",
    "release",
    "release_view",
    "releases",
]

"""Environments, policies, releases, who is asked to review, decisions, comments and freezes."""

from apps.governance.models.break_glass import BreakGlass, BreakGlassSignature
from apps.governance.models.environments import Environment, Freeze, PolicyRevision
from apps.governance.models.releases import (
    FIRST_LIVE,
    OPEN_STATES,
    UNFINISHED_STATES,
    Comment,
    Decision,
    DecisionRecord,
    Promotion,
    Release,
)
from apps.governance.models.reviews import Absence, ReviewRequest

__all__ = [
    "FIRST_LIVE",
    "OPEN_STATES",
    "UNFINISHED_STATES",
    "Absence",
    "BreakGlass",
    "BreakGlassSignature",
    "Comment",
    "Decision",
    "DecisionRecord",
    "Environment",
    "Freeze",
    "PolicyRevision",
    "Promotion",
    "Release",
    "ReviewRequest",
]

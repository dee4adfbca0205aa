"""Every write of the app: what people choose, and what they are told."""

from apps.notices.actions.choosing import (
    choose,
    choose_all,
    refuse_program,
    watch_project,
    watch_release,
)
from apps.notices.actions.sending import claim, settle
from apps.notices.actions.spreading import add_expiring, forget_old, spread

__all__ = [
    "add_expiring",
    "choose",
    "choose_all",
    "claim",
    "forget_old",
    "refuse_program",
    "settle",
    "spread",
    "watch_project",
    "watch_release",
]

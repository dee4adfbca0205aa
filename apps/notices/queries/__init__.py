"""What is watched and chosen, whom events concern, and what is to be sent."""

from apps.notices.queries.audience import Concerned, audience
from apps.notices.queries.concerning import still_concerns
from apps.notices.queries.due import LOOK, anything_to_do, due_notices, following, is_due, unread
from apps.notices.queries.preferences import (
    KindChoice,
    KindPreference,
    choices_of,
    own_preferences,
    own_watches,
    project_preferences,
    refuse_program,
    watches_project,
    ways,
    with_watched,
)

__all__ = [
    "LOOK",
    "Concerned",
    "KindChoice",
    "KindPreference",
    "anything_to_do",
    "audience",
    "choices_of",
    "due_notices",
    "following",
    "is_due",
    "own_preferences",
    "own_watches",
    "project_preferences",
    "refuse_program",
    "still_concerns",
    "unread",
    "watches_project",
    "ways",
    "with_watched",
]

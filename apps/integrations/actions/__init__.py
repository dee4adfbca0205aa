"""Every write of the app: streams as people set them up, what comes of sending, and trying out."""

from apps.integrations.actions.delivering import delivered, fell_through, smaller, tested
from apps.integrations.actions.streams import (
    add_stream,
    ask_for_test,
    pause_stream,
    remove_stream,
    resume_stream,
    rewind_stream,
)
from apps.integrations.actions.trying import try_out

__all__ = [
    "add_stream",
    "ask_for_test",
    "delivered",
    "fell_through",
    "pause_stream",
    "remove_stream",
    "resume_stream",
    "rewind_stream",
    "smaller",
    "tested",
    "try_out",
]

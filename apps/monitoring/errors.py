"""Refusals of this app."""

from placet.kernel.problems import Conflict


class AlertMoved(Conflict):
    """Somebody else took it on, or it is resolved."""

    code, title = "alert_moved", "The alert is no longer in that state"


class ResolvesItself(Conflict):
    """The condition is measured, so the alert ends when the condition does."""

    code, title = "resolves_itself", "This alert is resolved when what it says is no longer so"

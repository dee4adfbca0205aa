"""Refusals of the app."""

from placet.kernel.problems import Conflict


class StreamMoved(Conflict):
    """The stream is in a state that does not allow this."""

    code, title = "stream_moved", "The stream is no longer in that state"


class WebhookMoved(Conflict):
    """The webhook, or its delivery, is in a state that does not allow this."""

    code, title = "webhook_moved", "The webhook is no longer in that state"

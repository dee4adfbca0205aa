"""Refusals of the app."""

from placet.kernel.problems import Conflict


class StreamMoved(Conflict):
    """The stream is in a state that does not allow this."""

    code, title = "stream_moved", "The stream is no longer in that state"


class WebhookMoved(Conflict):
    """The webhook, or its delivery, is in a state that does not allow this."""

    code, title = "webhook_moved", "The webhook is no longer in that state"


class TriedOnce(Conflict):
    """A test was sent already: nothing is sent in its place but another."""

    code, title = "tried_once", "A test is tried once"


class RotatedOften(Conflict):
    """So many former secrets sign beside the one in use that no other has room."""

    code, title = "rotated_often", "The secret was rotated too often"


class NothingSigned(Conflict):
    """What is told signs nothing."""

    code, title = "nothing_signed", "A chat has no secret"

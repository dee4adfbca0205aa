"""Refusals of the app."""

from placet.kernel.problems import Conflict


class StreamMoved(Conflict):
    """The stream is in a state that does not allow this."""

    code, title = "stream_moved", "The stream is no longer in that state"

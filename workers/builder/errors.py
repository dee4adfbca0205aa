"""How a build ends when it does not succeed."""


class BuildFailed(Exception):
    """The build cannot succeed; the text says why, in words for the person who asked for it."""


class BuildCancelled(Exception):
    """Somebody asked for an end, or the job was taken over by another worker."""

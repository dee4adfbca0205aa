"""Why somebody does something to a rollout or rolls an endpoint back: nobody does so without."""

from placet.kernel.texts import clean_text

MAX_REASON = 2000


def why(reason: str) -> str:
    """Return the reason as it is kept, or refuse it: there has to be one."""
    return clean_text("reason", reason, limit=MAX_REASON)

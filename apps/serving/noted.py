"""How often the log says of a node what it says over and over."""

from datetime import datetime, timedelta

from apps.serving.models import Node
from placet.kernel.clock import now, rfc3339

LOG_EVERY = timedelta(minutes=1)


def first_in_a_minute(node: Node, what: str) -> bool:
    """Tell whether ``what`` may be logged of ``node`` now, and note that it was.

    The caller holds the node's row, and saves it: of two reports the second sees what the first
    noted.
    """
    at, kept = now(), dict[str, str]()
    for name, moment in node.noted.items():
        if abs(at - datetime.fromisoformat(moment)) < LOG_EVERY:  # a clock may be set back
            kept[name] = moment
    if what in kept:
        return False
    node.noted = {**kept, what: rfc3339(at)}
    return True

"""What a policy says of passing over analyses of a plan that people signed.

::

    pass_over_analyses: second_person   # allow, second_person or forbid

Left out, as in policies from before there was such a member, it is allowed. An operator who skips
an analysis or promotes past it then does so at once. ``second_person`` has somebody else confirm
it, ``forbid`` lets nobody: then an analysis ends by itself, or by an abort.
"""

from collections.abc import Mapping
from typing import Any

ALLOW, SECOND_PERSON, FORBID = "allow", "second_person", "forbid"
WORDS = (ALLOW, SECOND_PERSON, FORBID)
MEMBER = "pass_over_analyses"
TITLES = {
    ALLOW: "Analyses of the rollout plan may be skipped, and promoted past",
    SECOND_PERSON: "Passing over an analysis of the rollout plan needs a second person",
    FORBID: "No analysis of the rollout plan may be skipped or promoted past",
}


def passing_over(document: Mapping[str, Any]) -> str:
    """Return what a policy says of it. A word of a later release, which none of today's says, is
    the strictest one."""
    said = document.get(MEMBER, ALLOW)
    return said if said in WORDS else FORBID

"""Rules about independence in words: what is asked, and why somebody does not meet it.

What each means is said in ``placet_verify.permit.standing``, where nodes and outsiders count by it.
"""

from collections.abc import Iterable

from placet_verify.permit import standing
from placet_verify.permit.standing import (
    DEMANDS,
    NOT_LAST_TOUCHED,
    OTHER_REPORTING_LINE,
    SECOND_LINE,
)

PEOPLE = frozenset({SECOND_LINE, OTHER_REPORTING_LINE})  # asked of positions
FLAGS = DEMANDS[1:]  # members of a gate that are true or false
# a checklist names this one in words of its own, which stand in stored results of gates
TITLES = standing.TITLES | {NOT_LAST_TOUCHED: "without a hand in the artifact"}
RECALLED = "recalled"
WHY = {
    RECALLED: "decisions were recalled",
    "no_line": "no line of defence is set",
    "not_second_line": "not of the second line of defence",
    "no_reporting_line": "no reporting line up to the top is set",
    "no_reporting_line_of_requester": "the requester has no reporting line set",
    "no_reporting_line_of_author": "no reporting line is set of the author of the version",
    "reporting_line_of_requester": "in the same reporting line as the requester",
    "reporting_line_of_author": "in the same reporting line as the author of the version",
    "touched": "had a hand in the artifact",
    "touched_unknown": "the log does not say who had a hand in the artifact",
    "data_owner": "owns some of the data",
    "data_owner_unknown": "no owner is declared of some of the data",
    "code_author": "wrote the training code",
    "code_author_unknown": "no author of the training code is declared",
}


def sentence(name: str, words: Iterable[str]) -> str:
    """Say why somebody does not count: ``Rita cannot count: no line of defence is set``."""
    return f"{name} cannot count: {', '.join(WHY.get(word, word) for word in words)}"

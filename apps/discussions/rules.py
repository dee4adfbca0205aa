"""How much may be said where, whom a text mentions, and what part of a thing is talked about."""

import re
from collections.abc import Collection
from datetime import timedelta

from placet.kernel.texts import TURNING, TURNS

TEXT_LIMIT, ANCHOR_LIMIT = 4000, 120  # characters
MOST_THREADS, MOST_COMMENTS = 200, 500  # of one object, of one thread; deleted ones count
MOST_MENTIONS = 20  # of one comment
RATE, RATE_SPAN = 30, timedelta(minutes=10)  # comments of one person
MOST_SENT = 30  # forms of one person in a minute, those too that were sent before
SHARES, LEAST_SHARE = 4, 10_000_000  # of a project's files for one person; what one comment takes
# What the scanner says of a file, and what people read then.
SCANNED = {
    "": "Being scanned",
    "safe": "Scanned: nothing dangerous found",
    "unknown": "Scanned: nothing dangerous found, but not all of it could be checked",
    "code-carrying": "Scanned: can run code when it is opened",
    "malicious": "Removed: malicious",
    "unscanned": "Removed: it could not be scanned, send it again",
}
DANGEROUS = frozenset(("malicious", "unscanned"))  # whose bytes are not kept
# @dana or @dana@example.com, and no part of an address
_MENTION = re.compile(r"(?<![\w@.+%-])@(\w[\w.+%-]*(?:@\w[\w.-]*)?)")
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def handles_in(texts: Collection[str]) -> list[str]:
    """Return whom ``texts`` mention, as they typed it without the ``@``, each once."""
    found = (name.rstrip(".+%-") for text in texts for name in _MENTION.findall(text))
    return list(dict.fromkeys(found))


def share_of(quota: int) -> int:
    """Return how many bytes of the ``quota`` of a project's files one person may fill."""
    return min(quota, max(quota // SHARES, LEAST_SHARE))


def anchor_fault(anchor: str, parts: Collection[str]) -> str:
    """Return why ``anchor`` names no place of a thing with these ``parts``, '' where it does.

    An anchor is one of them, or a name in it: ``metrics/auc``.
    """
    part, slash, name = anchor.partition("/")
    if part not in parts:
        offered = ", ".join(parts) or "nothing: leave it out"
        return f"Not a part of it: choose from {offered}"
    if slash and not name.strip():
        return f"Name what is meant in {part}, or leave the slash out"
    if len(anchor) > ANCHOR_LIMIT:
        return f"At most {ANCHOR_LIMIT} characters"
    if TURNING & set(anchor):
        return TURNS
    return "It holds a control character" if _ODD.search(anchor) else ""

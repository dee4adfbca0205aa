"""A recall in one folder, with all that an outsider needs to see how far it is.

``recalls.json`` (the recall as the decision key signed it, and its lift), ``receipts.json`` (what
nodes signed about it, and when what it names ran), the public keys, and under ``log/`` the events
that show each of them, which node joined with which key, and what the recall did to every release
that it names. Open, confirmed or contradicted is computed from these bytes.
"""

from collections.abc import Generator, Mapping

from placet_verify.bundle import narrative, nodes
from placet_verify.bundle.bundle import KEYS, README, ROOT
from placet_verify.bundle.narrative import CONFIRMED, CONTRADICTED, NEVER_RAN, OPEN
from placet_verify.bundle.nodes import RECALLS, RECEIPTS, NodeHistory, VerifiedRecall
from placet_verify.errors import Refused
from placet_verify.log import events
from placet_verify.signing.keys import KeyRing
from placet_verify.statements import RanReceipt

MAX_FILES = 100_000  # a recall may reach thousands of nodes, each with a handful of events
FIXED = frozenset({RECALLS, RECEIPTS, KEYS, ROOT, README})

README_TEXT = """\
A recall of Placet, with everything that is needed to see how far it is
=======================================================================

recalls.json      the recall as it was signed, and its lift where it was lifted
receipts.json     what nodes signed: that nothing runs of it any more, and what ran from when to
                  when
log/N.tlog-proof  event N of the audit log, and the proof that it is there (C2SP tlog-proof)
keys.json         the keys of the installation, signed by its root
root.pub          the root. Use the one that you were given, not this

    python -m placet_verify recall FOLDER --root root.pub

says for every release that it names whether its node has confirmed it. Format 1.
"""


def verify(files: Mapping[str, bytes], ring: KeyRing) -> Generator[str, None, dict[str, int]]:
    """Yield a line for each thing that is proven; raise ``Refused`` at the first that is not.

    Returns how many of the releases that it names are confirmed, open, contradicted, never ran.
    """
    if files.get(ROOT) != ring.root.to_pem():
        raise Refused("other_root", "root.pub in the report is not the root that you trust")
    if files.get(README) != README_TEXT.encode("utf-8"):
        raise Refused("differs", "README.txt is not the one that Placet writes")
    checked = events.check(files, [name for name in files if name not in FIXED], ring)
    logged = yield from _quietly(checked)
    story = nodes.hear(files, ring, logged)
    known = _only(story)
    counts = yield from narrative.about_recall(story, known)
    ran = sum(counts[state] for state in (CONFIRMED, OPEN, CONTRADICTED))
    yield (
        f"recall {known.recall.recall}: of {ran} releases that ran {counts[CONFIRMED]} confirmed,"
        f" {counts[OPEN]} open, {counts[CONTRADICTED]} contradicted; {counts[NEVER_RAN]} never ran"
    )
    return counts


def _quietly(
    checked: Generator[str, None, events.ProvenEvents],
) -> Generator[str, None, events.ProvenEvents]:
    """Say in one line what a bundle says in one for each event: there may be thousands."""
    while True:
        try:
            next(checked)
        except StopIteration as end:
            logged: events.ProvenEvents = end.value
            break
    yield f"log: {logged.count} events of {logged.size}, each proven to be in it"
    return logged


def _only(story: NodeHistory) -> VerifiedRecall:
    """Return the one recall of a report, when every receipt is about what it names."""
    if len(story.recalls) != 1:
        raise Refused("other_recall", f"{RECALLS} must hold one recall")
    [known] = story.recalls
    named = known.recall.names.releases
    for one in story.heard:
        if isinstance(one.said, RanReceipt) and one.said.release not in named:
            raise Refused("other_release", f"a receipt is of release {one.said.release}")
    return known

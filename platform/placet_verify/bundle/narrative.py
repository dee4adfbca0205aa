"""In words, line by line: what ran where from when to when, what was recalled, and whether that is
confirmed, open or contradicted, from the signed bytes alone.

A line begins with ``contradicted:`` where a node's signed words deny each other, a recall or the
order of things; with ``open:`` where a node has not signed; with ``not checked:`` where nothing
here can say it. None of that is a refusal: the bytes are genuine, and this is what they say.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from placet_verify import times
from placet_verify.bundle.nodes import (
    SKEW,
    STEP,
    NodeFacts,
    NodeHistory,
    RevisionPlacement,
    VerifiedRecall,
    VerifiedReceipt,
)
from placet_verify.errors import Refused
from placet_verify.permit.permit import Permit
from placet_verify.statements import RanReceipt, RecallStatement, StoppedReceipt

CONFIRMED, OPEN, CONTRADICTED, NEVER_RAN = "confirmed", "open", "contradicted", "never ran"
BEYOND = (
    "not checked: what nodes did beyond what they signed, and what receipts or recalls are not here"
)


@dataclass(frozen=True, slots=True)
class Status:
    """How far a recall is with one release."""

    state: str
    sentence: str


def about_release(story: NodeHistory, permit: Permit) -> Generator[str, None, bool]:
    """Yield what is known of a release on nodes; return whether a recall takes it away.

    Raises ``Refused`` for a receipt or a recall that is not about this release.
    """
    _refuse_others(story, permit)
    request, facts = permit.request, story.facts
    decided = max([request.at, *(decision.at for decision in permit.decisions)])
    placed = [one for one in facts.placed.values() if one.release == request.release]
    target = facts.targets.get(request.endpoint, "")
    yield from _nodes(story, {target})
    for one in placed:
        yield from _runs(story, one, facts.nodes.get(target, ""))
    if not placed:
        yield "not checked: what nodes really ran: no event here puts this release on one"
    yield from faults(story, decided)
    recalled = False
    for known in story.recalls:
        names = known.recall.names
        gone = request.release in names.releases
        counts = gone or known.lift is None
        recalled = recalled or counts
        what = "it names this release" if gone else "it names this Bento, not this release"
        yield f"{'recalled' if counts else 'recall'}: {_recall(known)}: {what}"
        yield from _lifted(known)
        if gone:
            status = status_of(story, known.recall, request.release)
            yield f"{status.state}: recall {known.recall.recall}: {status.sentence}"
            yield from late(story, known.recall, request.release)
    yield BEYOND
    return recalled


def _refuse_others(story: NodeHistory, permit: Permit) -> None:
    request, mine = permit.request, permit.request.release
    for known in story.recalls:
        names = known.recall.names
        if mine not in names.releases and request.bento_digest not in names.bentos:
            raise Refused("other_recall", f"recall {known.recall.recall} names no part of this")
    for placed in story.facts.placed.values():
        is_it = (placed.bento, placed.endpoint) == (request.bento_digest, request.endpoint)
        if placed.release == mine and not is_it:
            raise Refused("other_release", f"event {placed.index} puts something else there")
    for one in story.heard:
        if isinstance(one.said, RanReceipt) and one.said.release != mine:
            raise Refused("other_release", f"a receipt is of release {one.said.release}")


def about_recall(story: NodeHistory, known: VerifiedRecall) -> Generator[str, None, dict[str, int]]:
    """Yield what is known of a recall; return how many releases are in which state."""
    recall, counts = known.recall, dict.fromkeys((CONFIRMED, OPEN, CONTRADICTED, NEVER_RAN), 0)
    names = recall.names
    yield f"recalled: {_recall(known)}"
    yield (
        f"it names: Bentos {len(names.bentos)}, releases {len(names.releases)}, keys"
        f" {len(names.keys)}, passkeys {len(names.passkeys)}, people {len(names.people)}"
    )
    yield from _lifted(known)
    targets = {effect.target for effect in story.facts.effects.values()}
    yield from _nodes(story, targets)
    for release in names.releases:
        status = status_of(story, recall, release)
        counts[status.state] += 1
        yield f"{status.state}: release {release}: {status.sentence}"
        for ran, one in story.runs(release):
            yield _ran(ran, one)
        yield from late(story, recall, release)
    yield from faults(story)
    yield BEYOND
    return counts


def status_of(story: NodeHistory, recall: RecallStatement, release: str) -> Status:
    """Say whether the node of a release has confirmed a recall that names it.

    The receipts decide. The platform's own word, which the log alone vouches for, can make it
    worse and never better: raises ``Refused`` where it says confirmed and no receipt does.
    """
    facts = story.facts
    effect = facts.effects.get((recall.recall, release))
    if effect is None:
        what = f"what recall {recall.recall} did to {release}"
        raise Refused("left_out", f"no event here shows {what}")
    runs = [ran for ran, _ in story.runs(release)]
    if not (runs or release in facts.released or effect.ran):
        return Status(NEVER_RAN, f"it was put on no node, says event {effect.index}")
    stops = story.stops(recall, effect.target)
    if not stops:
        if effect.state == CONFIRMED:
            raise Refused("unproven", f"event {effect.index} says confirmed, and no receipt does")
        return Status(OPEN, _silence(facts, effect.target))
    last, heard = stops[-1]
    signed = f"node {last.node} signed at {times.rfc3339(last.at)} that nothing of it runs"
    after = [ran for ran in runs if ran.ended_at > last.at + STEP]
    if after:
        worst = max(after, key=lambda ran: ran.ended_at)
        until = f"{worst.revision} ran until {times.rfc3339(worst.ended_at)}"
        return Status(CONTRADICTED, f"{signed}, and that {until}")
    if effect.state == CONTRADICTED:
        word = f"event {effect.index} says that it denied this, on the platform's word alone"
        return Status(CONTRADICTED, f"{signed}, and {word}")
    return Status(CONFIRMED, f"{signed}, event {heard.index}")


def _silence(facts: NodeFacts, target: str) -> str:
    node = facts.nodes.get(target, "")
    if not node:
        return f"no event here shows a node on target {target}"
    return f"node {node} has not signed that nothing of it runs"


def late(story: NodeHistory, recall: RecallStatement, release: str) -> Iterator[str]:
    """Say for how long a release ran after it was recalled, as its node signed."""
    for ran, _ in story.runs(release):
        longer = ran.ended_at - max(ran.started_at, recall.at)
        if ran.ended_at > recall.at:
            seconds = longer // timedelta(seconds=1)
            span = f"{seconds} s" if seconds else "less than a second"
            yield f"recall {recall.recall}: {ran.revision} ran {span} longer than that"


def faults(story: NodeHistory, decided: datetime | None = None) -> Iterator[str]:
    """Say where signed times deny each other or the order of events.

    ``decided`` is when the release was approved, by the signed decisions.
    """
    heard = story.heard
    recalled = {known.recall.recall: known.recall.at for known in story.recalls}
    for one in heard:
        if isinstance(one.said, RanReceipt):
            yield from _ran_when(one.said, one, story.facts.placed[one.said.revision], decided)
        else:
            yield from _stopped_when(one.said, one, recalled[one.said.recall])
    yield from _overlaps([one.said for one in heard if isinstance(one.said, RanReceipt)])


def _ran_when(
    receipt: RanReceipt, one: VerifiedReceipt, placed: RevisionPlacement, decided: datetime | None
) -> Iterator[str]:
    who = f"contradicted: node {receipt.node} signed that {receipt.revision} ran"
    if receipt.ended_at > one.at + SKEW:
        until = times.rfc3339(receipt.ended_at)
        yield f"{who} until {until}, which was yet to come at event {one.index}"
    since = times.rfc3339(receipt.started_at)
    if receipt.started_at < placed.at - SKEW:
        yield f"{who} from {since} on, before event {placed.index} put it there"
    if decided is not None and receipt.started_at < decided - SKEW:
        yield f"{who} from {since} on, before it was approved at {times.rfc3339(decided)}"


def _stopped_when(
    receipt: StoppedReceipt, one: VerifiedReceipt, recalled: datetime
) -> Iterator[str]:
    at = times.rfc3339(receipt.at)
    what = f"nothing ran of recall {receipt.recall} at {at}"
    who = f"contradicted: node {receipt.node} signed that {what}"
    if receipt.at > one.at + SKEW:
        yield f"{who}, which was yet to come at event {one.index}"
    if receipt.at < recalled - SKEW:
        yield f"{who}, before it was recalled"


def _overlaps(runs: list[RanReceipt]) -> Iterator[str]:
    together: dict[tuple[str, str], list[RanReceipt]] = {}
    for ran in runs:
        together.setdefault((ran.node, ran.revision), []).append(ran)
    for receipts in together.values():
        first, *others = sorted(receipts, key=lambda ran: (ran.started_at, ran.ended_at))
        for ran in others:
            if ran.started_at + STEP < first.ended_at:
                who = f"contradicted: node {ran.node} signed two runs of {ran.revision}"
                yield f"{who} that overlap: {_span(first)}, and {_span(ran)}"
            first = ran if ran.ended_at > first.ended_at else first


def _nodes(story: NodeHistory, targets: set[str]) -> Iterator[str]:
    facts = story.facts
    used = {one.join.index for one in story.heard}
    used |= {join.index for join in facts.joins if join.target in targets}
    for join in facts.joins:
        if join.index in used:
            yield (
                f"node {join.node}: joined target {join.target} with key {join.key.id},"
                f" event {join.index}"
            )
    if used:
        yield "not checked: whose host a node is: the log alone says with which key it joined"


def _runs(story: NodeHistory, placed: RevisionPlacement, node: str) -> Iterator[str]:
    at = times.rfc3339(placed.at)
    yield f"revision {placed.revision}: put behind {placed.endpoint} at {at}, event {placed.index}"
    runs = [one for one in story.runs(placed.release) if one[0].revision == placed.revision]
    for ran, heard in runs:
        yield _ran(ran, heard)
    if not runs and node:
        why = f"node {node} has signed no receipt of it, and it may run still"
        yield f"not checked: whether {placed.revision} ran: {why}"
    elif not runs:
        yield f"not checked: whether {placed.revision} ran: no event here shows a node for it"


def _ran(ran: RanReceipt, heard: VerifiedReceipt) -> str:
    return f"ran: {ran.revision} {_span(ran)}, signed by node {ran.node}, event {heard.index}"


def _span(ran: RanReceipt) -> str:
    return f"from {times.rfc3339(ran.started_at)} to {times.rfc3339(ran.ended_at)}"


def _recall(known: VerifiedRecall) -> str:
    recall = known.recall
    what, at = f"{recall.kind} {recall.what}", times.rfc3339(recall.at)
    return f"{what}, by {recall.by} at {at}, recall {recall.recall}, event {known.index}"


def _lifted(known: VerifiedRecall) -> Iterator[str]:
    if known.lift is not None:
        at = times.rfc3339(known.lift.at)
        yield f"lifted: by {known.lift.by} at {at}; the releases that it names stay revoked"

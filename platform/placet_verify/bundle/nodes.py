"""What nodes signed, and the recalls that it is about, as they travel with a bundle.

A node's key stands in no ``keys.json``: what binds it is the event of the log by which the node
joined its target with it. So a receipt proves that whoever joined as this node said so, and the
log alone vouches for who that was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from placet_verify import canonical, recalls
from placet_verify.errors import Malformed, Refused
from placet_verify.log.events import EventRow, ProvenEvents, text_of
from placet_verify.predicates import RAN_TYPE, STOPPED_TYPE
from placet_verify.signing import dsse
from placet_verify.signing.keys import KeyRing, PublicKey
from placet_verify.statements import LiftStatement, RanReceipt, RecallStatement, StoppedReceipt
from placet_verify.statements.recall import NodeReceipt

RECALLS, RECEIPTS = "recalls.json", "receipts.json"
SKEW = timedelta(seconds=120)  # a node's clock may differ from the platform's by so much
STEP = timedelta(seconds=2)  # and be stepped by so much between two receipts


@dataclass(frozen=True, slots=True)
class NodeJoin:
    """A node joined a target with a key."""

    index: int
    node: str
    target: str
    key: PublicKey


@dataclass(frozen=True, slots=True)
class RevisionPlacement:
    """A revision was put behind an endpoint: a Bento, by a release."""

    index: int
    at: datetime
    revision: str
    release: str
    bento: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class LoggedEffect:
    """What the platform says of a release that a recall reached."""

    index: int
    recall: str
    release: str
    target: str
    state: str
    ran: bool  # it was ever on its target


class NodeFacts:
    """What the events say of nodes, and which receipts and recalls they show."""

    def __init__(self, logged: ProvenEvents) -> None:
        self.logged = logged
        self.joins = [join for row in logged.rows("serving.node") if (join := _join(row))]
        self.nodes = {join.target: join.node for join in self.joins}  # the newest of each target
        placements = [one for row in logged.rows("serving.revision") if (one := _placed(row))]
        self.placed = {one.revision: one for one in placements}
        self.released = {one.release for one in placements}
        effect_rows = logged.rows("assurance.recalleffect")
        effects = [effect for row in effect_rows if (effect := _effect(row))]
        # the newest word of the platform on what a recall did to a release
        self.effects = {(one.recall, one.release): one for one in effects}
        self.targets: dict[str, str] = {}  # of endpoints
        for row in logged.rows("serving.endpoint"):
            if texts := row.texts("id", "target_id"):
                self.targets[texts[0]] = texts[1]
        self.receipts = _shown(logged, "assurance.receipt", "envelope")
        self.recalls = _shown(logged, "assurance.recall", "envelope", "lift_envelope")
        self._of_node: dict[str, list[NodeJoin]] = {}
        for join in self.joins:
            self._of_node.setdefault(join.node, []).append(join)

    def join_of(self, node: str, index: int) -> NodeJoin | None:
        """Return how a node had joined before this event."""
        earlier = [join for join in self._of_node.get(node, ()) if join.index < index]
        return earlier[-1] if earlier else None


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt that its node signed, and the event by which the platform took it."""

    said: NodeReceipt
    index: int
    at: datetime  # of the event
    join: NodeJoin


@dataclass(frozen=True, slots=True)
class VerifiedRecall:
    """A recall that the decision key signed, its lift if it has one, and their events."""

    recall: RecallStatement
    index: int
    lift: LiftStatement | None = None


class NodeHistory:
    """What is verified of recalls and receipts; ``heard`` in the order of the log."""

    def __init__(
        self, facts: NodeFacts, recalls: Iterable[VerifiedRecall], heard: Iterable[VerifiedReceipt]
    ) -> None:
        self.facts = facts
        self.recalls = tuple(recalls)
        self.heard = sorted(heard, key=lambda one: one.index)
        self._runs: dict[str, list[tuple[RanReceipt, VerifiedReceipt]]] = {}
        self._stops: dict[tuple[str, str], list[tuple[StoppedReceipt, VerifiedReceipt]]] = {}
        for one in self.heard:
            if isinstance(one.said, RanReceipt):
                self._runs.setdefault(one.said.release, []).append((one.said, one))
            else:
                about = (one.said.recall, one.said.target)
                self._stops.setdefault(about, []).append((one.said, one))

    def runs(self, release: str) -> list[tuple[RanReceipt, VerifiedReceipt]]:
        """Return what nodes signed to have run of a release, in the order of the log."""
        return self._runs.get(release, [])

    def stops(
        self, recall: RecallStatement, target: str
    ) -> list[tuple[StoppedReceipt, VerifiedReceipt]]:
        """Return what the node of a target signed about a recall that can be true, by its time."""
        stops = [
            (receipt, one)
            for receipt, one in self._stops.get((recall.recall, target), [])
            if recall.at - SKEW <= receipt.at <= one.at + SKEW
        ]
        return sorted(stops, key=lambda pair: (pair[0].at, pair[1].index))


def papers(logged: ProvenEvents) -> dict[str, bytes]:
    """Return the two files that go with these events: every recall, lift and receipt in them."""
    facts = NodeFacts(logged)
    return {
        name: canonical.dumps([canonical.loads(text) for text in texts])
        for name, texts in ((RECALLS, facts.recalls), (RECEIPTS, facts.receipts))
    }


def hear(files: Mapping[str, bytes], ring: KeyRing, logged: ProvenEvents) -> NodeHistory:
    """Verify recalls and receipts: by whom they are, and that the log shows each as signed.

    Raises ``Refused`` also when an event shows one that the files leave out.
    """
    facts = NodeFacts(logged)
    known = dict[str, VerifiedRecall]()
    for envelope, row in _listed(files, RECALLS, facts.recalls, "recall"):
        statement = recalls.read(envelope, ring)
        before = known.get(statement.recall)
        if isinstance(statement, RecallStatement) and before is None:
            known[statement.recall] = VerifiedRecall(statement, row.index)
        elif isinstance(statement, LiftStatement) and before and before.lift is None:
            if statement.recall_digest != before.recall.digest:
                raise Refused(
                    "other_recall", f"the lift of {statement.recall} is of another recall"
                )
            known[statement.recall] = VerifiedRecall(before.recall, before.index, statement)
        else:
            raise Refused(
                "other_recall", f"{RECALLS} must name {statement.recall} once, then its lift"
            )
    listed = _listed(files, RECEIPTS, facts.receipts, "receipt")
    heard = [_heard(envelope, row, facts) for envelope, row in listed]
    for one in heard:
        _check(one.said, facts, known)
    return NodeHistory(facts, known.values(), heard)


def _heard(envelope: dsse.Envelope, row: EventRow, facts: NodeFacts) -> VerifiedReceipt:
    claimed = _claimed(envelope)
    join = facts.join_of(claimed.node, row.index)
    if join is None:
        raise Refused("unknown_node", f"no event here shows the key of node {claimed.node}")
    receipt = recalls.receipt(envelope, join.key, join.node)
    if receipt.target != join.target:
        raise Refused("other_target", f"node {join.node} joined another target than it signs for")
    return VerifiedReceipt(receipt, row.index, row.at, join)


def _claimed(envelope: dsse.Envelope) -> NodeReceipt:
    if envelope.payload_type == dsse.STATEMENT:
        match canonical.loads(envelope.payload):
            case {"predicateType": kind} if kind == RAN_TYPE:
                return RanReceipt.parse(envelope.payload)
            case {"predicateType": kind} if kind == STOPPED_TYPE:
                return StoppedReceipt.parse(envelope.payload)
    raise Refused("wrong_type", "this is no receipt of a node")


def _check(receipt: NodeReceipt, facts: NodeFacts, known: Mapping[str, VerifiedRecall]) -> None:
    """A receipt is about something that stands here too."""
    if isinstance(receipt, StoppedReceipt):
        about = known.get(receipt.recall)
        if about is None or about.recall.digest != receipt.recall_digest:
            raise Refused("other_recall", f"a receipt is about {receipt.recall}, which is not here")
        return
    placed = facts.placed.get(receipt.revision)
    is_it = (receipt.release, receipt.bento_digest, receipt.endpoint)
    if placed is None or (placed.release, placed.bento, placed.endpoint) != is_it:
        raise Refused(
            "unknown_revision", f"no event here puts {receipt.revision} as a receipt has it"
        )


def _listed(
    files: Mapping[str, bytes], name: str, rows: Mapping[str, EventRow], what: str
) -> list[tuple[dsse.Envelope, EventRow]]:
    """Return the envelopes of a file, each with its event: those of the events, and no others."""
    listed = canonical.loads(text_of(files, name))
    if not isinstance(listed, list) or canonical.dumps(listed) != files[name]:
        raise Malformed(f"{name} is no list in canonical JSON")
    envelopes = [dsse.Envelope.from_dict(one) for one in listed]
    texts = [envelope.to_json() for envelope in envelopes]
    if len(set(texts)) != len(texts):
        raise Refused("twice", f"{name} holds a {what} twice")
    if any(text not in rows for text in texts):
        raise Refused("not_logged", f"no event here shows the {what} in the log")
    in_file = set(texts)
    if left := [row.index for text, row in rows.items() if text not in in_file]:
        raise Refused("left_out", f"event {min(left)} shows a {what} that {name} leaves out")
    return [(one, rows[text]) for one, text in zip(envelopes, texts, strict=True)]


def _shown(logged: ProvenEvents, table: str, *columns: str) -> dict[str, EventRow]:
    rows: dict[str, EventRow] = {}
    for row in logged.rows(table):
        for column in columns:
            if (text := row.columns.get(column)) and isinstance(text, str):
                rows.setdefault(text, row)
    return rows


def _join(row: EventRow) -> NodeJoin | None:
    texts = row.texts("id", "target_id", "public_key")
    if row.event != "node.joined.v1" or texts is None:
        return None
    node, target, key = texts
    return NodeJoin(row.index, node, target, PublicKey.from_base64(key))


def _placed(row: EventRow) -> RevisionPlacement | None:
    texts = row.texts("id", "release", "bento_id", "endpoint_id")
    if row.event != "revision.added.v1" or texts is None:
        return None
    return RevisionPlacement(row.index, row.at, *texts)


def _effect(row: EventRow) -> LoggedEffect | None:
    texts = row.texts("recall_id", "release_id", "target_id", "state")
    if texts is None:
        return None
    revisions = row.columns.get("revisions")
    recall, release, target, state = texts
    ran = isinstance(revisions, list) and revisions != []
    return LoggedEffect(row.index, recall, release, target, state, ran)

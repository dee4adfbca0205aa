"""What a node believes: the pinned root, the keys it signed, states and permits checked by them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from placet_agent.home import Home
from placet_agent.recalls import Recalls
from placet_protocol.fields import ProtocolError
from placet_protocol.report import NodeError
from placet_protocol.state import DesiredEndpoint, DesiredRevision, DesiredState, parse_state
from placet_verify import canonical, checkpoint, permit, recalls
from placet_verify.capture import capture_of
from placet_verify.dsse import Envelope
from placet_verify.errors import Malformed, Refused
from placet_verify.keys import KeyRing, PublicKey
from placet_verify.serving import egress_of
from placet_verify.statements import LiftStatement, RecallStatement
from placet_verify.units import UnitSource, unit_source

FetchKeys = Callable[[], dict[str, Any]]


class StateRefused(Exception):
    """The node does not take this state."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Verdict:
    """Whether one revision may run here; ``reason`` says why not.

    ``unit`` is what its permit says about the split: whoever writes a state cannot change it.
    """

    allowed: bool
    reason: str = ""
    unit: UnitSource | None = None
    capture: str = ""  # what its service is told to write down, as its permit says; '': nothing
    egress: tuple[str, ...] | None = None  # what it may reach; None: approved before that was asked


def open_keys(answer: dict[str, Any], root: PublicKey, floor: int) -> tuple[KeyRing, str]:
    """Return the list of keys that came with ``GET keys``, and its text, if ``root`` signed it."""
    document = answer.get("keys")
    text = document if isinstance(document, str) else canonical.dumps(document).decode()
    return KeyRing.open(text, root, floor=floor), text


class Trust:
    """Checks states and permits. Used by one thread at a time."""

    def __init__(self, home: Home, target: str, root: PublicKey, fetch_keys: FetchKeys) -> None:
        self.home = home
        self.target = target
        self.root = root
        self._fetch_keys = fetch_keys
        self._lock = threading.Lock()
        self.recalls = Recalls(home.folder / "recalls.json")
        stored = home.read_text("keys.json")
        floor = home.remembered().keys_number
        self.ring = KeyRing.open(stored, root, floor=floor) if stored else KeyRing(0, (), root)

    def refresh_keys(self) -> bool:
        """Fetch the list of keys; tell whether it is newer. A lower number is refused."""
        ring, text = open_keys(self._fetch_keys(), self.root, self.ring.number)
        if ring.number == self.ring.number:
            return False
        self.home.write_text("keys.json", text)
        self.home.remember(keys_number=ring.number)
        self.ring = ring
        return True

    def open_state(self, text: str, *, stored: bool = False) -> DesiredState:
        """Return the state in an envelope, or raise ``StateRefused``.

        ``stored`` is for the one on disk: no keys are fetched for it.
        """
        try:
            envelope = Envelope.from_json(text)
            payload = self._verified(envelope, fetch=not stored)
            state = parse_state(canonical.loads(payload))
        except Refused as refusal:
            raise StateRefused(refusal.code, refusal.sentence) from refusal
        except ProtocolError as error:
            raise StateRefused("malformed", str(error)) from error
        if state.target != self.target:
            raise StateRefused(
                "other_target", f"the state is for {state.target}, not for this node"
            )
        memory = self.home.remembered()
        if state.generation < (memory.epoch, memory.number):
            raise StateRefused(
                "generation_went_back",
                f"the state has generation {state.epoch}.{state.number}, "
                f"this node has already taken {memory.epoch}.{memory.number}",
            )
        return state

    def _verified(self, envelope: Envelope, *, fetch: bool) -> bytes:
        try:
            return self._verify(envelope)
        except Refused:
            if not fetch or not self.refresh_keys():
                raise
        return self._verify(envelope)

    def _verify(self, envelope: Envelope) -> bytes:
        payload = self.ring.verify(envelope, "state")
        # A state says itself when it was signed, and a thief of a lost key would say "before".
        ended = {s.keyid: self.ring.get(s.keyid).ended for s in envelope.signatures}
        if "lost" in ended.values():
            raise Malformed("the state is signed by a key that was lost", "key_lost")
        return payload

    def learn(self, state: DesiredState) -> list[NodeError]:
        """Remember for good what a state tells of recalls; return what it tells wrongly."""
        return self.recalls.learn(state.recalls, self._recall)

    def _recall(self, envelope: Envelope) -> RecallStatement | LiftStatement:
        try:
            return recalls.read(envelope, self.ring)
        except Refused:
            if not self.refresh_keys():
                raise
        return recalls.read(envelope, self.ring)

    def keep(self, state: DesiredState, text: str) -> list[NodeError]:
        """Store a state that was accepted; return what is odd about its checkpoint."""
        errors = self._keep_checkpoint(state.checkpoint)
        self.home.write_text("state.json", text)
        self.home.remember(epoch=state.epoch, number=state.number)
        return errors

    def _keep_checkpoint(self, note: str | None) -> list[NodeError]:
        if note is None:
            return []
        try:
            new = checkpoint.verify(note, checkpoint.log_keys(self.ring))
        except Refused as refusal:
            return [NodeError(code="checkpoint_refused", detail=refusal.sentence)]
        kept = self.home.remembered().checkpoint
        old = checkpoint.parse(kept) if kept else None
        if old is not None and old.origin == new.origin:
            if new.size < old.size:
                detail = f"the log has {new.size} entries, but had {old.size} before"
                return [NodeError(code="checkpoint_went_back", detail=detail)]
            if new.size == old.size and new.root != old.root:
                detail = f"the log of {new.size} entries has another root than before"
                return [NodeError(code="checkpoint_differs", detail=detail)]
        self.home.remember(checkpoint=note)
        return []

    def judge(self, state: DesiredState, *, fetch: bool = True) -> dict[str, Verdict]:
        """Return, for every revision of a state, whether it may run here."""
        first = self.home.fresh
        verdicts = {}
        for endpoint in state.endpoints:
            for revision in endpoint.revisions:
                verdicts[revision.id] = self._judge(state, endpoint, revision, first, fetch)
        return verdicts

    def _judge(
        self,
        state: DesiredState,
        endpoint: DesiredEndpoint,
        revision: DesiredRevision,
        first: bool,
        fetch: bool,
    ) -> Verdict:
        digest, release = revision.bento_digest, revision.release
        if digest in state.recalled:
            return Verdict(False, "this Bento was recalled")
        if recall := self.recalls.book.forbids(bento_digest=digest, release=release):
            return Verdict(False, f"it was recalled: {recall.kind} {recall.what}")
        try:
            found = self._permit(endpoint, revision, first)
        except Refused as refusal:
            known = refusal.code not in {"unknown_key", "key_not_valid"}
            try:
                if known or not fetch or not self.refresh_keys():
                    return Verdict(False, refusal.sentence)
                found = self._permit(endpoint, revision, first)
            except Refused as again:
                return Verdict(False, again.sentence)
        reason = _differs(found, revision) or self._moved(endpoint)
        if reason:
            return Verdict(False, reason)
        serving = found.request.serving
        try:
            unit = unit_source(serving)
        except ValueError as error:
            return Verdict(False, f"the approved unit {error}")
        try:
            capture = capture_of(serving)
        except ValueError as error:
            return Verdict(False, f"the approved capture: {error}")
        self._admit(endpoint, revision, found)
        told = capture.told(serving.get("unit")) if capture else ""
        reach = egress_of(serving)
        return Verdict(
            True,
            unit=unit,
            capture=told,
            egress=None if reach is None else tuple(map(str, reach)),
        )

    def _permit(
        self, endpoint: DesiredEndpoint, revision: DesiredRevision, first: bool
    ) -> permit.Permit:
        """Check the permit. What was let in before is not stopped by time or a newer policy.

        A node with an empty disk cannot tell what already served, so its first state is taken
        as serving; the signature over the state stands for that.
        """
        memory = self.home.remembered()
        known = first or memory.admitted.get(revision.release) == revision.bento_digest
        scope = f"{endpoint.project} {endpoint.environment}"
        return permit.permit(
            revision.permit,
            self.ring,
            expect=permit.Expected(
                project=endpoint.project,
                environment=endpoint.environment,
                endpoint=endpoint.id,
                bento_digest=revision.bento_digest,
                release=revision.release,
            ),
            starting_at=None if known else datetime.now(UTC),
            policy_floor=0 if known else memory.policy_floors.get(scope, 0),
            uncounted=self.recalls.book.uncounted,
        )

    def _moved(self, endpoint: DesiredEndpoint) -> str:
        """Say that an address changed hands: what was approved for one must not answer another."""
        paths = self.home.remembered().paths
        if paths.get(endpoint.path, endpoint.id) != endpoint.id:
            return "the address is another endpoint's"
        if any(kept == endpoint.id and path != endpoint.path for path, kept in paths.items()):
            return "the endpoint has another address"
        return ""

    def _admit(
        self, endpoint: DesiredEndpoint, revision: DesiredRevision, found: permit.Permit
    ) -> None:
        memory = self.home.remembered()
        scope = f"{endpoint.project} {endpoint.environment}"
        floor = max(memory.policy_floors.get(scope, 0), found.policy.number)
        known = memory.admitted.get(revision.release) == revision.bento_digest
        placed = memory.paths.get(endpoint.path) == endpoint.id
        if known and placed and floor == memory.policy_floors.get(scope):
            return
        self.home.remember(
            paths={**memory.paths, endpoint.path: endpoint.id},
            policy_floors={**memory.policy_floors, scope: floor},
            admitted={**memory.admitted, revision.release: revision.bento_digest},
        )


def _differs(found: permit.Permit, revision: DesiredRevision) -> str:
    """Say what of the serving configuration is not what was approved; replicas may be scaled."""
    serving = found.request.serving
    if dict(revision.variables) != serving.get("variables", {}):
        return "the variables are not those that were approved"
    if revision.memory_mb != serving.get("memory_mb", revision.memory_mb):
        return "the memory limit is not the one that was approved"
    return ""

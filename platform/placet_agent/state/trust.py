"""What a node believes: the pinned root, the keys it signed, states and permits checked by them."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from placet_agent.client import Rejected, Unreachable
from placet_agent.state.admission import Admission, CheckedPermits
from placet_agent.state.data_dir import Home
from placet_agent.state.latest import Latest
from placet_agent.state.recalls import RecallFile
from placet_protocol.fields import ProtocolError
from placet_protocol.report import NodeError
from placet_protocol.state import (
    DEFAULT_MEMORY_MB,
    DesiredEndpoint,
    DesiredRevision,
    DesiredState,
    StateNews,
    read_head,
    read_heard,
    read_state,
)
from placet_verify import canonical, recalls
from placet_verify.capture import capture_of
from placet_verify.errors import Malformed, Refused
from placet_verify.log import checkpoint
from placet_verify.permit import permit, serving
from placet_verify.permit.limits import Limits, limits_of
from placet_verify.permit.named_secrets import secrets_of
from placet_verify.permit.scaling import Scaling, scaling_of
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import KeyRing, PublicKey
from placet_verify.statements import LiftStatement, RecallStatement
from placet_verify.units import UnitSource, unit_source

log = logging.getLogger(__name__)
FetchKeys = Callable[[], dict[str, Any]]


class StateRefused(Exception):
    """The node does not take this state."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class OpenedState:
    """A state that the ``state`` key signed, and what was learned of it before the rest is read."""

    data: Any
    heard: StateNews
    errors: tuple[NodeError, ...]
    refusal: StateRefused | None  # it is not for this node, or older than what was taken


@dataclass(frozen=True)
class PermitVerdict:
    """Whether one revision may run here; ``reason`` says why not.

    ``unit`` is what its permit says about the split: whoever writes a state cannot change it.
    """

    allowed: bool
    reason: str = ""
    unit: UnitSource | None = None
    capture: str = ""  # what its service is told to write down, as its permit says; '': nothing
    egress: tuple[str, ...] | None = None  # what it may reach; None: approved before that was asked
    slim: bool = False  # whether it is served without BentoML
    limits: Limits | None = None  # of its requests
    secrets: Mapping[str, str] = field(default_factory=dict)  # names, by files of replicas
    scaling: Scaling | None = None  # by its load; None: it has the replicas that a state says


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
        self.recalls = RecallFile(home.folder / "recalls.json")
        self.latest = Latest(home)
        self._keys_unstored = ""  # the list of keys that the disk did not take
        self._checked = CheckedPermits()
        self._waiting = False  # whether something is not let in because the disk was full
        stored = home.read_text("keys.json")
        floor = home.remembered().keys_number
        self.ring = KeyRing.open(stored, root, floor=floor) if stored else KeyRing(0, (), root)

    def refresh_keys(self) -> bool:
        """Fetch the list of keys; tell whether it is newer. A lower number is refused."""
        ring, text = open_keys(self._fetch_keys(), self.root, self.ring.number)
        if ring.number == self.ring.number:
            return False
        self.ring, self._keys_unstored = ring, text
        try:
            self._store_keys()
        except OSError as error:  # what a key no longer signs must not count on a full disk either
            log.warning("the list of keys cannot be written down: %s", error)
        return True

    def _store_keys(self) -> None:
        if self._keys_unstored:
            self.home.write_text("keys.json", self._keys_unstored)
            self.home.remember(keys_number=self.ring.number)
            self._keys_unstored = ""

    def hear(self, text: str, *, stored: bool = False) -> OpenedState:
        """Verify an envelope and learn what must not run, before anything else of it is read.

        Raises ``StateRefused`` for what the ``state`` key did not sign, or what is no JSON. Recalls
        are learned of any state that it signed, an older one or one for another target too: each
        is signed by the ``decision`` key, and the book only grows. The list of recalled Bentos and
        the log's checkpoint count only in a state that is this node's and not older than the one it
        has. ``stored`` is for the one on disk: no keys are fetched for it.
        """
        try:
            payload = self._verified(Envelope.from_json(text), fetch=not stored)
            data = canonical.loads(payload)
        except Refused as refusal:
            raise StateRefused(refusal.code, refusal.sentence) from refusal
        heard = read_heard(data)
        errors = [*heard.errors, *self.learn(heard, fetch=not stored)]
        misplaced = self._misplaced(data)
        if misplaced is not None:
            heard = replace(heard, recalled=frozenset())
        elif not stored or self.home.remembered().checkpoint is None:
            # The one on disk may be behind: a newer state teaches it though it is not taken.
            errors += self._keep_checkpoint(heard.checkpoint)
        return OpenedState(data, heard, tuple(errors), misplaced)

    def state_of(self, opened: OpenedState) -> DesiredState:
        """Read the rest of a state, or raise ``StateRefused``."""
        if opened.refusal is not None:
            raise opened.refusal
        try:
            return read_state(opened.data, opened.heard)
        except ProtocolError as error:
            raise StateRefused("malformed", str(error)) from error

    def open_state(self, text: str, *, stored: bool = False) -> DesiredState:
        """Return the state in an envelope, or raise ``StateRefused``; see ``hear``."""
        return self.state_of(self.hear(text, stored=stored))

    def _misplaced(self, data: Any) -> StateRefused | None:
        """Say that a state is not for this node, or older than the one it has."""
        try:
            head = read_head(data)
        except ProtocolError as error:
            return StateRefused("malformed", str(error))
        if head.target != self.target:
            return StateRefused(
                "other_target", f"the state is for {head.target}, not for this node"
            )
        epoch, number = self.latest.generation
        if head.generation < (epoch, number):
            return StateRefused(
                "generation_went_back",
                f"the state has generation {head.epoch}.{head.number}, "
                f"this node has already taken {epoch}.{number}",
            )
        return None

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

    def learn(self, state: StateNews | DesiredState, *, fetch: bool = True) -> list[NodeError]:
        """Remember for good what a state tells of recalls; return what it tells wrongly.

        Newer keys are asked for once, and whatever comes of that the other recalls are learned.
        """
        may_fetch = [True] if fetch else []

        def read(envelope: Envelope) -> RecallStatement | LiftStatement:
            try:
                return recalls.read(envelope, self.ring)
            except Refused:
                if not (may_fetch and may_fetch.pop()) or not self._newer_keys():
                    raise
            return recalls.read(envelope, self.ring)

        return self.recalls.learn(state.recalls, read)

    def _newer_keys(self) -> bool:
        try:
            return self.refresh_keys()
        except (Refused, Unreachable, Rejected) as error:
            log.warning("no newer keys: %s", error)
            return False

    def keep(self, state: DesiredState, text: str) -> str:
        """Have a state that was accepted count; return why the disk does not have it all."""
        self.latest.follow(state, text)
        return self.store()

    @property
    def behind(self) -> bool:
        """Whether the disk lacks something, or something waits for it to have room."""
        parts = (self.latest, self.home, self.recalls)
        return self._waiting or bool(self._keys_unstored) or not all(p.stored for p in parts)

    def store(self) -> str:
        """Write down what the disk did not take before; return why it still does not."""
        try:
            self.recalls.store()
            self._store_keys()
            self.latest.store()
            self.home.store()
        except OSError as error:
            log.warning("what is followed cannot be written down: %s", error)
            return str(error)[:500]
        return ""

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
        # a full disk keeps nobody from what else the state says
        fault = self.home.note(checkpoint=note)
        return [NodeError(code="checkpoint_unstored", detail=fault)] if fault else []

    def judge(self, state: DesiredState, *, fetch: bool = True) -> dict[str, PermitVerdict]:
        """Return, for every revision of a state, whether it may run here.

        What is let in anew is on disk before it runs; where the disk does not take it, it waits.
        """
        self._checked.begin()
        first = self.latest.first(state)
        known = Admission.beginning(self.home.remembered())
        verdicts = {
            revision.id: self._judge(state, endpoint, revision, known, first, fetch)
            for endpoint in state.endpoints
            for revision in endpoint.revisions
        }
        self._waiting = False
        if known.changed:
            try:
                self.home.remember(**known.changes)
            except OSError as error:
                self._waiting = True
                refused = PermitVerdict(False, f"that it is let in cannot be written down: {error}")
                verdicts |= dict.fromkeys(known.fresh, refused)
        return verdicts

    def judge_anew(
        self, state: DesiredState, endpoint: DesiredEndpoint, revision: DesiredRevision
    ) -> PermitVerdict:
        """Return whether a revision that was let in may run now, from its permit's bytes. Changes
        nothing here, so that any thread may ask."""
        known, first = Admission.beginning(self.home.remembered()), self.latest.first(state)
        return self._judge(state, endpoint, revision, known, first, fetch=False, anew=True)

    def _judge(
        self,
        state: DesiredState,
        endpoint: DesiredEndpoint,
        revision: DesiredRevision,
        known: Admission,
        first: bool,
        fetch: bool,
        anew: bool = False,
    ) -> PermitVerdict:
        digest, release = revision.bento_digest, revision.release
        if digest in state.recalled:
            return PermitVerdict(False, "this Bento was recalled")
        if recall := self.recalls.book.forbids(bento_digest=digest, release=release):
            return PermitVerdict(False, f"it was recalled: {recall.kind} {recall.what}")
        try:
            checked_permit = self._permit(endpoint, revision, known, first, anew)
        except Refused as refusal:
            final = refusal.code not in {"unknown_key", "key_not_valid"}
            try:
                if final or not fetch or not self.refresh_keys():
                    return PermitVerdict(False, refusal.sentence)
                checked_permit = self._permit(endpoint, revision, known, first)
            except Refused as again:
                return PermitVerdict(False, again.sentence)
        reason = _differs(checked_permit, revision) or known.moved(endpoint)
        if reason:
            return PermitVerdict(False, reason)
        verdict = _as_approved(checked_permit.request.serving)
        if verdict.allowed:
            known.admit(endpoint, revision, checked_permit)
        return verdict

    def _permit(
        self,
        endpoint: DesiredEndpoint,
        revision: DesiredRevision,
        known: Admission,
        first: bool,
        anew: bool = False,
    ) -> permit.Permit:
        """Check the permit. What was let in before is not stopped by time or a newer policy.

        A node with an empty disk cannot tell what already served, so its first state is taken
        as serving; the signature over the state stands for that.
        """
        before = first or known.knows(revision)
        ring, book = self.ring, self.recalls.book
        expect = permit.Expected(
            project=endpoint.project,
            environment=endpoint.environment,
            endpoint=endpoint.id,
            bento_digest=revision.bento_digest,
            release=revision.release,
        )

        def check() -> permit.Permit:
            return permit.permit(
                revision.permit,
                ring,
                expect=expect,
                starting_at=None if before else datetime.now(UTC),
                policy_floor=0 if before else known.floor(endpoint),
                uncounted=book.uncounted,
            )

        if anew or not before:
            return check()
        return self._checked.get(ring, book, (revision.permit, expect), check)


def _as_approved(approved: Mapping[str, Any]) -> PermitVerdict:
    """Return what follows from an approved serving configuration, if it is one that may run."""
    try:
        serving.check(approved)
    except Refused as refusal:
        return PermitVerdict(False, f"the approved serving configuration: {refusal.sentence}")
    try:
        unit = unit_source(approved)
    except ValueError as error:
        return PermitVerdict(False, f"the approved unit {error}")
    try:
        capture = capture_of(approved)
    except ValueError as error:
        return PermitVerdict(False, f"the approved capture: {error}")
    reach = serving.egress_of(approved)
    return PermitVerdict(
        True,
        unit=unit,
        capture=capture.told(approved.get("unit")) if capture else "",
        egress=None if reach is None else tuple(map(str, reach)),
        slim=serving.is_slim(approved),
        limits=limits_of(approved),
        secrets=secrets_of(approved),
        scaling=scaling_of(approved),
    )


def _differs(checked_permit: permit.Permit, revision: DesiredRevision) -> str:
    """Say what of the serving configuration is not what was approved; replicas may be scaled up to
    ``max_replicas``. What a configuration does not say is meant as platforms always meant it."""
    approved = checked_permit.request.serving
    if dict(revision.variables) != approved.get("variables", {}):
        return "the variables are not those that were approved"
    if revision.memory_mb != approved.get("memory_mb", DEFAULT_MEMORY_MB):
        return "the memory limit is not the one that was approved"
    most = approved.get("max_replicas", approved.get("replicas", 1))
    if not isinstance(most, int) or revision.replicas > most:
        return f"{revision.replicas} replicas are more than were approved"
    return ""

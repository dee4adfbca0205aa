"""What gates look at, and what they answer: plain values, gathered before any gate runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict

from apps.governance.approvals import Parties
from apps.registry.rules.evidence import MEASURED_KINDS

GateState = Literal["passed", "failed", "waiting", "error", "skipped"]


class GateResult(TypedDict):
    """The answer of one gate. ``waiting`` may become ``passed`` by itself or by people; ``skipped``
    has not passed, and a broken glass steps over it."""

    gate: str
    title: str
    passed: bool
    state: GateState
    reason: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EvidenceFact:
    """One piece of evidence, as pinned when the release was requested."""

    kind: str
    source: str
    data: Mapping[str, Any]
    digest: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BuildFact:
    """The build that made the Bento."""

    state: str
    isolation: str
    bento_digest: str


@dataclass(frozen=True, slots=True)
class LiveFact:
    """What serves at the endpoint's path now; with ``ended``, what served there last."""

    release: str
    version: Mapping[str, Any]
    signature: Mapping[str, Any] | None
    evidence: Sequence[EvidenceFact]
    ended: bool = False


@dataclass(frozen=True, slots=True)
class DecisionFact:
    """A decision that has not been voided."""

    person: str
    role: str
    verdict: str
    passkey: bool = False  # the person signed it with one
    standing: Mapping[str, Any] | None = None  # where the person stood, if the policy asked


@dataclass(frozen=True, slots=True)
class FreezeFact:
    """A freeze that has not been lifted."""

    id: str
    starts_at: datetime
    ends_at: datetime | None

    def lasts(self, at: datetime) -> bool:
        """Tell whether it is on at that time."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


@dataclass(frozen=True, slots=True)
class SoakFact:
    """A stretch during which this very Bento was live in an earlier environment."""

    release: str
    live_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class SignerFact:
    """A model signing key of the project, as it stands now."""

    fingerprint: str
    label: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a gate may look at. A fact that is not here does not count."""

    now: datetime
    bento_digest: str
    environment: str
    requester: str
    author: str
    version: Mapping[str, Any]
    signature: Mapping[str, Any] | None = None
    serving: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    build: BuildFact | None = None
    evidence: Sequence[EvidenceFact] = ()
    live: LiveFact | None = None
    decisions: Sequence[DecisionFact] = ()
    freezes: Sequence[FreezeFact] = ()
    signers: Sequence[SignerFact] = ()
    soaks: Mapping[str, Sequence[SoakFact]] = field(default_factory=dict)
    broken_glass: bool = False  # one that people confirmed for this very request, and that lasts
    network: str | None = None  # what the target's node gives a replica: own, host, '': unsaid
    recalled: str = ""  # why the Bento must not run, in a sentence

    @property
    def parties(self) -> Parties:
        """Who asked for the release and who made its version."""
        return Parties(self.requester, self.author)

    def find(self, kind: str, source: str = "any") -> EvidenceFact | None:
        """Return the newest pinned evidence of ``kind`` from ``source``."""
        return newest(self.evidence, kind, source)


def newest(evidence: Sequence[EvidenceFact], kind: str, source: str = "any") -> EvidenceFact | None:
    """Return the newest of ``evidence`` of one kind; what Placet measures cannot be reported."""
    if kind in MEASURED_KINDS:
        source = "measured"
    found = [e for e in evidence if e.kind == kind and source in ("any", e.source)]
    return max(found, key=lambda e: e.created_at, default=None)


def answer(
    gate: Mapping[str, Any], title: str, state: GateState, reason: str, **facts: Any
) -> GateResult:
    """Return a result; only the state ``passed`` passes."""
    return GateResult(
        gate=str(gate.get("gate", "")),
        title=title,
        passed=state == "passed",
        state=state,
        reason=reason,
        facts=facts,
    )

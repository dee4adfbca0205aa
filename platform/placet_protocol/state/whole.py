"""The desired state of a target as a whole: the payload of an envelope that ``state`` signs."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict

from placet_protocol.fields import ProtocolError, choice, digest, member, parse_time
from placet_protocol.report.rows import NodeError
from placet_protocol.state.endpoints import (
    DesiredEndpoint,
    EndpointEntry,
    UnreadableEndpoint,
    read_endpoints,
)
from placet_protocol.state.head import StateHead, StateNews, read_head, read_heard
from placet_protocol.state.revisions import RefusedRevision
from placet_verify import canonical

OnExpired = Literal["serve", "stop"]


class PrefetchEntry(TypedDict):
    """A Bento and runtime to lie ready, as a state says it."""

    bento_digest: str
    runtime_digest: str


class StateContent(TypedDict):
    """All that the node of a target should serve: what is wished, without number and times."""

    v: int
    target: str
    on_expired: OnExpired
    recalled: list[str]  # digests of Bentos that must not run now
    recalls: NotRequired[list[Any]]  # envelopes of signed recalls and lifts
    endpoints: list[EndpointEntry]
    prefetch: list[PrefetchEntry]


class StateDocument(StateContent):
    """The payload of a state envelope."""

    epoch: int
    number: int
    issued_at: str
    valid_until: str
    checkpoint: str | None


@dataclass(frozen=True)
class Prefetch:
    """A Bento and runtime to lie ready, never to be started."""

    bento_digest: str
    runtime_digest: str


@dataclass(frozen=True)
class DesiredState:
    """All that one node should serve."""

    target: str
    epoch: int
    number: int
    issued_at: datetime
    valid_until: datetime
    checkpoint: str | None
    on_expired: OnExpired
    recalled: frozenset[str]
    endpoints: tuple[DesiredEndpoint, ...]
    prefetch: tuple[Prefetch, ...] = field(default=())
    recalls: tuple[str, ...] = ()  # signed recalls and lifts
    left_out: tuple[UnreadableEndpoint, ...] = ()
    kept: tuple[DesiredEndpoint, ...] = ()  # of the endpoints: those that go on as they were
    faults: tuple[str, ...] = ()  # of what is to lie ready

    @property
    def generation(self) -> tuple[int, int]:
        """``(epoch, number)``, ordered."""
        return self.epoch, self.number

    @property
    def refused(self) -> tuple[RefusedRevision, ...]:
        """The revisions that cannot be read: nothing runs for them."""
        return tuple(one for endpoint in self.endpoints for one in endpoint.refused)

    @property
    def errors(self) -> tuple[NodeError, ...]:
        """What of this state the node leaves out, as it reports it while it follows the state."""
        pairs = [
            ("endpoint_refused", f"endpoint {one.id or 'without a name'}: {one.reason}")
            for one in self.left_out
        ]
        pairs += [
            ("revision_refused", f"a revision of endpoint {one.endpoint}: {one.reason}")
            for one in self.refused
            if not one.id
        ]
        pairs += [("prefetch_refused", sentence) for sentence in self.faults]
        return tuple(NodeError(code=code, detail=detail[:1900]) for code, detail in pairs)

    def going_on(self, before: "tuple[DesiredEndpoint, ...]") -> "DesiredState":
        """Return this state with what serves at the endpoints that it leaves out.

        A malformed document tears nothing down: an endpoint that cannot be read here goes on by
        its entry in ``before``, the last one that could be read, as long as this state is good and
        nothing there is recalled. An entry that does not even say which endpoint it is may be any:
        then each endpoint of ``before`` that this state does not name goes on. A path or a revision
        that this state gives to somebody else does not.
        """
        names = {one.id for one in self.left_out}
        if not names:
            return self
        present = {endpoint.id for endpoint in self.endpoints}
        paths = {endpoint.path for endpoint in self.endpoints}
        revisions = {r.id for e in self.endpoints for r in e.revisions}
        revisions |= {one.id for one in self.refused}
        kept = tuple(
            replace(e, revisions=tuple(r for r in e.revisions if r.id not in revisions))
            for e in before
            if (e.id in names or "" in names) and e.id not in present and e.path not in paths
        )
        return replace(self, endpoints=(*self.endpoints, *kept), kept=kept)


def write_state(document: StateDocument) -> bytes:
    """Return the bytes of a state that are signed; raise ``Refused`` for what JSON cannot hold."""
    return canonical.dumps(document)


def read_state(data: Any, heard: StateNews | None = None) -> DesiredState:
    """Read the payload of a state envelope.

    A fault inside a revision refuses that revision, one of an endpoint leaves that endpoint out,
    and both are named in what is returned. What is left is the frame: a ``ProtocolError`` there
    refuses the state.
    """
    if member(data, "v", int) != 1:
        raise ProtocolError("this state has a version that this agent does not know")
    head: StateHead = read_head(data)
    heard = heard or read_heard(data)
    endpoints, left_out = read_endpoints(member(data, "endpoints", list))
    prefetch, faults = _prefetch(member(data, "prefetch", list))
    return DesiredState(
        target=head.target,
        epoch=head.epoch,
        number=head.number,
        issued_at=parse_time(member(data, "issued_at", str)),
        valid_until=parse_time(member(data, "valid_until", str)),
        checkpoint=heard.checkpoint,
        on_expired=choice(data, "on_expired", "serve", "stop"),
        recalled=heard.recalled,
        endpoints=endpoints,
        prefetch=prefetch,
        recalls=heard.recalls,
        left_out=left_out,
        faults=faults,
    )


def read_prefetch(data: object) -> Prefetch:
    """Read what should lie ready; raise ``ProtocolError``."""
    return Prefetch(digest(data, "bento_digest"), digest(data, "runtime_digest"))


def _prefetch(items: list[Any]) -> tuple[tuple[Prefetch, ...], tuple[str, ...]]:
    prefetches, faults = list[Prefetch](), list[str]()
    for item in items:
        try:
            prefetches.append(read_prefetch(item))
        except ProtocolError as error:
            faults.append(f"what is to lie ready: {str(error)[:200]}")
    return tuple(prefetches), tuple(faults)

"""What may follow what, and what fits. Pure decisions, without Django."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from placet_protocol.report import BROKEN_PHASES, READY_PHASES, read_isolation
from placet_protocol.state import DEFAULT_MEMORY_MB, LEAST_MEMORY_MB, Wanted
from placet_verify.capture import Capture, capture_of
from placet_verify.errors import Refused
from placet_verify.numbers import is_whole
from placet_verify.permit.limits import Limits, limits_of
from placet_verify.permit.named_secrets import secrets_of
from placet_verify.permit.scaling import Scaling, scaling_of
from placet_verify.permit.serving import (
    MAX_MEMORY_MB,
    MAX_REPLICAS,
    MEMBERS,
    Destination,
    check,
    egress_of,
    is_slim,
)
from placet_verify.units import UnitSource, unit_source

ALIVE_SECONDS = 15  # a node that said nothing for longer is not alive
START_SECONDS = 60  # so long after a node was told to start an endpoint, it may be starting
STATE_HOURS = 24  # how long a signed state is good
RENEW_HOURS = 12  # it is signed again when less than this is left
FORMER = 200  # deleted endpoints that a state names with who has their address now
NAMED = 4  # of those that have memory of a target, when somebody asks for more


class RevisionState(StrEnum):
    """``starting → ready → live → warm → draining → stopped``, or ``failed`` from anywhere.

    A rollback goes back: ``warm → ready`` when it still runs, ``stopped → starting`` when not.
    After a drill it is ``ready → warm`` again.
    The whole table is ``REVISION_MOVES``.
    """

    STARTING = "starting"
    READY = "ready"
    LIVE = "live"
    WARM = "warm"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


class EndpointState(StrEnum):
    """``active ⇄ stopped``, and ``deleted`` for good."""

    ACTIVE = "active"
    STOPPED = "stopped"
    DELETED = "deleted"


ENDED = frozenset({RevisionState.STOPPED, RevisionState.FAILED})
REVISION_MOVES: dict[str, frozenset[RevisionState]] = {
    RevisionState.STARTING: ENDED | {RevisionState.READY},
    RevisionState.READY: ENDED | {RevisionState.LIVE, RevisionState.WARM, RevisionState.DRAINING},
    RevisionState.LIVE: ENDED | {RevisionState.WARM, RevisionState.DRAINING},
    RevisionState.WARM: ENDED | {RevisionState.READY, RevisionState.DRAINING},
    RevisionState.DRAINING: ENDED,
    RevisionState.STOPPED: frozenset({RevisionState.STARTING}),
    RevisionState.FAILED: frozenset(),
}
TRIED = frozenset({RevisionState.STARTING, RevisionState.READY})  # not live yet
RUNNING = frozenset(
    {RevisionState.STARTING, RevisionState.READY, RevisionState.LIVE, RevisionState.WARM}
)
PRESENT = RUNNING | {RevisionState.DRAINING}
# of an endpoint
HEALTH = ("healthy", "degraded", "starting", "down", "unknown", "stopped", "deleted", "empty")
# What answers the requests of a revision, in words.
SERVERS = {"bentoml": "BentoML", "slim": "slim"}
# How a replica is kept from the network and its neighbours, as nodes report it, in words.
ISOLATION = {
    "older": "older isolation: the host's network",
    "shared": "the host's network: the host can give none of its own",
    "link": "a network of its own, reached through a link",
    "socket": "a network of its own",
}


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """The serving configuration that a release asks for and its permit binds."""

    replicas: int = 1
    max_replicas: int = 1
    memory_mb: int = DEFAULT_MEMORY_MB
    variables: tuple[tuple[str, str], ...] = ()
    unit: UnitSource | None = None  # None: the split is per request
    capture: Capture | None = None  # None: no prediction is written down
    egress: tuple[Destination, ...] | None = None  # None: approved under earlier rules
    slim: bool = False  # served without BentoML
    limits: Limits | None = None  # of its requests
    secrets: tuple[tuple[str, str], ...] = ()  # names of secrets, by the files of replicas
    scaling: Scaling | None = None  # None: an operator scales, up to max_replicas


def serving_config(document: Mapping[str, Any]) -> ServingConfig:
    """Read a serving configuration; raise ``ValueError`` with a sentence when it is not one.

    Without ``max_replicas`` an operator may not scale beyond what was approved. The bounds are
    those within which a node reads a state.
    """
    unknown = set(document) - MEMBERS
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]} is not part of a serving configuration")
    try:
        check(document)
    except Refused as refusal:
        raise ValueError(refusal.sentence) from None
    replicas = _number(document, "replicas", 1, 1, MAX_REPLICAS)
    variables = document.get("variables", {})
    if not isinstance(variables, Mapping) or not all(
        isinstance(k, str) and isinstance(v, str) for k, v in variables.items()
    ):
        raise ValueError("variables must map names to text")
    try:
        unit = unit_source(document)
    except ValueError as error:
        raise ValueError(f"unit {error}") from None
    try:
        capture = capture_of(document)
    except ValueError as error:
        raise ValueError(f"capture {error}") from None
    return ServingConfig(
        replicas=replicas,
        max_replicas=_number(document, "max_replicas", replicas, replicas, MAX_REPLICAS),
        memory_mb=_number(document, "memory_mb", DEFAULT_MEMORY_MB, LEAST_MEMORY_MB, MAX_MEMORY_MB),
        variables=tuple(sorted(variables.items())),
        unit=unit,
        capture=capture,
        egress=egress_of(document),
        slim=is_slim(document),
        limits=limits_of(document),
        secrets=tuple(secrets_of(document).items()),
        scaling=scaling_of(document),
    )


def shared_network(said: str | None, target: str) -> str:
    """Return why replicas on ``target`` are not kept from the network, '' where they are.

    ``said`` is what its node says it gives them: ``own``, ``host``, '' by an agent from before
    there was such a thing, ``None`` while no node has reported.
    """
    if said is None:
        return f"no node of the target {target} has said yet that it gives replicas a network"
    if said == "own":
        return ""
    upgrade = "" if said else ": upgrade its agent"
    sentence = f"the target {target} gives replicas the host's network{upgrade}"
    return f"{sentence}: it can reach whatever the host can" if said else sentence


def isolation_of(reported: str, serving: Mapping[str, Any]) -> str:
    """Return the isolation of a revision by what its node reported; '' while that is nothing.

    Agents from before there were these words say how they start a process: that is ``older``.
    """
    return read_isolation(reported) or ("" if "egress" in serving else "older")


def _number(document: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = document.get(name, default)
    if not is_whole(value, low, high):
        raise ValueError(f"{name} must be a whole number from {low} to {high}")
    return value


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong with an endpoint: what it is, and how in a sentence.

    What is only not known of it, as with too few requests to judge, does not degrade it.
    """

    title: str
    summary: str = ""
    degrades: bool = True

    def __str__(self) -> str:
        return f"{self.title}: {self.summary}" if self.summary else self.title


def replicas_health(
    phase: str, ready: int, wanted: int, *, others: int, just_told: bool = False
) -> tuple[str, Trouble | None]:
    """Return how an endpoint is by what its node says of the live revision, and what is wrong.
    What is asleep is healthy: the first request wakes it.

    ``others`` are the replicas that answer of other revisions with a share of the requests;
    ``just_told`` whether its node was told to start it moments ago, and may still do so.
    """
    if phase == "asleep":
        return "healthy", None
    if not ready and not others:
        if just_told and phase not in BROKEN_PHASES:
            return "starting", None
        return "down", Trouble("No replica answers")
    if ready >= wanted and phase in READY_PHASES:
        return "healthy", None
    says = f"; the node says {phase}" if phase and phase not in READY_PHASES else ""
    return "degraded", Trouble(f"{ready} of {wanted} replicas answer{says}")


def may_move(before: str, after: str) -> bool:
    """Tell whether a revision may go from ``before`` to ``after``."""
    return before == after or after in REVISION_MOVES[before]


def wanted(state: str, *, endpoint_active: bool) -> Wanted:
    """Return what a node is told about a revision in ``state``."""
    if not endpoint_active or state in ENDED:
        return "stop"
    return "drain" if state == RevisionState.DRAINING else "run"


@dataclass(frozen=True, slots=True)
class Occupant:
    """A revision that takes memory on a target."""

    id: str
    state: str
    memory_mb: int  # of all its replicas
    project: str = ""
    endpoint: str = ""  # with its environment, as people of its project know it


def to_evict(
    occupants: Iterable[Occupant], *, capacity_mb: int, needed_mb: int
) -> list[str] | None:
    """Return the warm revisions to stop, in the given order, so that ``needed_mb`` fit.

    ``None`` means that it does not fit even then. Only warm ones give way: what serves stays.
    """
    rows = list(occupants)
    free = capacity_mb - sum(row.memory_mb for row in rows) - needed_mb
    chosen: list[str] = []
    for row in rows:
        if free >= 0:
            break
        if row.state == RevisionState.WARM:
            chosen.append(row.id)
            free += row.memory_mb
    return chosen if free >= 0 else None


def describe_occupants(occupants: Iterable[Occupant], project: str) -> str:
    """Return who has how much, the largest first, as people of ``project`` may know it: what is
    warm gives way and is left out, and other projects are one."""
    sums: dict[str, int] = {}
    for row in occupants:
        if row.state != RevisionState.WARM:
            who = row.endpoint if row.project == project else ""
            sums[who] = sums.get(who, 0) + row.memory_mb
    rows = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    shares = [f"{memory:,} MB by {who or 'other projects'}" for who, memory in rows[:NAMED]]
    if rest := rows[NAMED:]:
        shares.append(f"{sum(memory for _, memory in rest):,} MB by {len(rest)} more")
    return ", ".join(shares) or "0"

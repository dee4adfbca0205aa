"""What a node says of each revision, of what it refused, and of what it did by itself."""

from collections.abc import Iterable
from typing import Any, Final, Literal, NotRequired, TypedDict, get_args

from placet_protocol import bounded
from placet_protocol.guard import GUARD_RULES, GuardRule
from placet_verify.permit.named_secrets import MAX_SECRETS
from placet_verify.permit.serving import MAX_EGRESS
from placet_verify.units import WHOLE

Phase = Literal[
    "preparing",
    "starting",
    "ready",
    "serving",
    "asleep",
    "drained",
    "stopped",
    "failed",
    "refused",
]
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
READY_PHASES: Final = frozenset[Phase]({"ready", "serving"})
BROKEN_PHASES: Final = frozenset[Phase]({"failed", "refused"})
ENDED_PHASES: Final = BROKEN_PHASES | {"drained", "stopped"}
# How a replica is kept apart, the strongest first; '' when none runs. ``socket``: a network
# namespace of its own, served on a socket that was handed over; ``link``: one that a link process
# reaches; ``shared``: the host could give none; ``older``: approved before there were any.
Isolation = Literal["socket", "link", "shared", "older", ""]
MAX_GIVEN: Final = 2 * MAX_SECRETS  # values of one revision: while one is rotated, two of each
ISOLATIONS: Final[tuple[Isolation, ...]] = get_args(Isolation)
# What a node refused or could not do. A code that is not here is shown, and logged as ``other``.
ERROR_CODES: Final = frozenset(
    {
        "state_refused",
        "stored_state_refused",
        "endpoint_refused",
        "revision_refused",
        "endpoint_left_out",
        "prefetch_refused",
        "recall_refused",
        "recall_unstored",
        "checkpoint_unstored",
        "abort_unstored",
        "receipt_unstored",
        "state_unstored",
        "keys_refused",
        "checkpoint_refused",
        "checkpoint_went_back",
        "checkpoint_differs",
        "metrics_gap",
        "haproxy",
        "haproxy_behind",
        "haproxy_ends",
        "holder",
        "pass_failed",
        "poll_failed",
        "report_cut",
        "certificate_refused",
        "capture_unreadable",
        "capture_dropped",
        "capture_refused",
    }
)


class Generation(TypedDict):
    """The number of a state. A restored database raises the epoch."""

    epoch: int
    number: int


class EgressCount(TypedDict):
    """What went to one approved destination, since the relays that run now were started."""

    to: str  # "host:port", as it was approved
    connections: int
    refused: int
    bytes_in: int
    bytes_out: int


class RevisionReport(TypedDict):
    """What the node sees of one revision."""

    id: str
    phase: Phase
    ready_replicas: int
    weight: int  # what HAProxy applies now, out of WHOLE
    detail: str  # one sentence, or the tail of the log of a failed replica
    bento_digest: str
    since: str  # when it entered the phase
    restarts: int
    isolation: Isolation
    egress: list[EgressCount]
    secrets: NotRequired[list[str]]  # ids of the values that its replicas were given


class NodeError(TypedDict):
    """Something the node refused or could not do, in a sentence."""

    code: str  # of ERROR_CODES
    detail: str


class LocalAbort(TypedDict):
    """The node took the requests from a revision by itself, and gave them to ``stable``."""

    endpoint: str
    revision: str
    stable: str
    rule: GuardRule
    detail: str  # how it is broken
    at: str
    state: Generation  # the one it followed


def read_generation(data: Any, at: str) -> Generation:
    """Read the number of a state: any that ``read_head`` takes, for a node says what it follows."""
    return Generation(
        epoch=bounded.whole(data, "epoch", at),
        number=bounded.whole(data, "number", at),
    )


def read_isolation(word: str) -> Isolation:
    """Return how a replica is kept apart. ``bwrap`` is what agents said that knew nothing else;
    a word that is not known here reads as the weakest."""
    if not word:
        return ""
    return next((one for one in ISOLATIONS if one == word), "older")


def weakest(isolations: Iterable[str]) -> Isolation:
    """Return the weakest of several; '' of none that is known."""
    present = set(isolations)
    return next((one for one in reversed(ISOLATIONS) if one and one in present), "")


def read_revision_report(data: Any, at: str, *, seen: str) -> RevisionReport:
    """Read what a node sees of one revision; ``seen`` is when, by its report."""
    phase_name = bounded.text(data, "phase", at)
    phase = next((one for one in PHASES if one == phase_name), None)
    if phase is None:
        raise bounded.fault(f"{at}/phase", f"one of {', '.join(sorted(PHASES))}")
    egress = data.get("egress", [])
    if not isinstance(egress, list) or len(egress) > MAX_EGRESS:
        raise bounded.fault(f"{at}/egress", f"a list of at most {MAX_EGRESS}")
    row = RevisionReport(
        id=bounded.text(data, "id", at, 40),
        phase=phase,
        ready_replicas=bounded.whole(data, "ready_replicas", at),
        weight=bounded.whole(data, "weight", at, WHOLE),
        detail=bounded.told(data, "detail", at),
        bento_digest=bounded.text(data, "bento_digest", at, 71),
        since=bounded.moment(data, "since", at, absent=seen),
        restarts=bounded.whole(data, "restarts", at),
        isolation=read_isolation(bounded.text(data, "isolation", at, 20)),
        egress=[read_egress(one, f"{at}/egress/{index}") for index, one in enumerate(egress)],
    )
    if values := _values(data, at):
        row["secrets"] = values
    return row


def _values(data: Any, at: str) -> list[str]:
    """Read which values of secrets replicas were given. Who takes the report looks each up."""
    values = data.get("secrets", [])
    if not isinstance(values, list) or len(values) > MAX_GIVEN:
        raise bounded.fault(f"{at}/secrets", f"a list of at most {MAX_GIVEN}")
    if not all(bounded.is_text(value) and len(value) <= 40 for value in values):
        raise bounded.fault(f"{at}/secrets", "a list of ids")
    return [str(value) for value in values]


def read_egress(data: Any, at: str) -> EgressCount:
    """Read what went to one destination."""
    return EgressCount(
        to=bounded.text(data, "to", at, 270),
        connections=bounded.whole(data, "connections", at),
        refused=bounded.whole(data, "refused", at),
        bytes_in=bounded.whole(data, "bytes_in", at),
        bytes_out=bounded.whole(data, "bytes_out", at),
    )


def read_error(data: Any, at: str) -> NodeError:
    """Read one error."""
    return NodeError(code=bounded.code(data, "code", at), detail=bounded.told(data, "detail", at))


def read_abort(data: Any, at: str) -> LocalAbort:
    """Read what a node took back by itself."""
    rule_name = bounded.text(data, "rule", at, 40)
    rule = next((one for one in GUARD_RULES if one == rule_name), None)
    if rule is None:
        raise bounded.fault(f"{at}/rule", f"one of {', '.join(GUARD_RULES)}")
    return LocalAbort(
        endpoint=bounded.text(data, "endpoint", at, 40),
        revision=bounded.text(data, "revision", at, 40),
        stable=bounded.text(data, "stable", at, 40),
        rule=rule,
        detail=bounded.told(data, "detail", at, 500),
        at=bounded.text(data, "at", at, 40),
        state=read_generation(data.get("state"), f"{at}/state"),
    )

"""Pure rules of governance: the roles that decide, what is missing, and where a release may go."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.serving.rules import EndpointState

APPROVER = "approver"
ROLE_OF = {  # who decides, by the permission that lets them: the role that asks least of all first
    "release.review": "reviewer",
    "release.review_product": "product-reviewer",
    "release.review_security": "security-reviewer",
    "release.approve": APPROVER,
}
CHANGES = "changes"  # answers beside the gates while a request for changes stands
DECIDED_AGAIN, TAKEN_BACK = "decided_again", "withdrawn"  # why such a request is void


class ReleaseState(StrEnum):
    """``requested → approved → rolling_out → live → superseded``, or one of the other ends."""

    REQUESTED = "requested"
    APPROVED = "approved"
    ROLLING_OUT = "rolling_out"
    LIVE = "live"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    FAILED = "failed"
    ABORTED = "aborted"  # people ended its rollout before it was live
    ROLLED_BACK = "rolled_back"
    REVOKED = "revoked"
    RETIRED = "retired"  # it was live until its endpoint was deleted


class PolicyState(StrEnum):
    """``draft → published``, or ``withdrawn``."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class BreakGlassState(StrEnum):
    """``opened → confirmed → ended → reviewed``, or ``opened → lapsed``."""

    OPENED = "opened"
    CONFIRMED = "confirmed"
    ENDED = "ended"
    LAPSED = "lapsed"
    REVIEWED = "reviewed"


class BreakGlassStanding(StrEnum):
    """How a break-glass stands, as people are told: its state, and what became of its release."""

    AWAITING = "awaiting_co_signature"
    NOT_NEEDED = "not_needed"  # its release was approved without it
    ACTIVE = "active"
    USED = "used"  # it has started what it is for
    ENDED = "ended"
    ENDED_BY_RECALL = "ended_by_recall"
    LAPSED = "lapsed"  # its time ran out before enough people had signed it


class ReviewState(StrEnum):
    """How the review of a break-glass stands: one that is overdue is open still."""

    NONE = "none"
    OPEN = "open"
    OVERDUE = "overdue"
    CLOSED = "closed"


class ReviewRequestState(StrEnum):
    """How it stands that somebody was asked by name: ``closed`` is what the release did not wait
    for, ``cannot_decide`` what nobody waits for, as the person lost the role or access."""

    ASKED = "asked"
    OVERDUE = "overdue"
    DECIDED = "decided"
    CLOSED = "closed"
    CANNOT_DECIDE = "cannot_decide"


GLASS_OPEN = (BreakGlassState.OPENED, BreakGlassState.CONFIRMED)
# what ends one that is open, by the state that its release went to, in words behind "its release"
GLASS_ENDS: dict[str, str] = {
    ReleaseState.REJECTED: "was_rejected",
    ReleaseState.WITHDRAWN: "was_withdrawn",
    ReleaseState.EXPIRED: "expired",
    ReleaseState.ROLLED_BACK: "was_rolled_back",
    ReleaseState.REVOKED: "was_revoked",
    ReleaseState.RETIRED: "was_retired",
}
# and what ends one that it was not started by: nobody can co-sign it or start by it any more
STARTED = (ReleaseState.ROLLING_OUT, ReleaseState.LIVE, ReleaseState.SUPERSEDED)
STARTED_WITHOUT = "started_without_it"
# and what ends one whatever its release does, beside people, its time, and another policy
SIGNATURE_RECALLED, STARTER_LEFT = "a_signature_was_recalled", "who_started_it_was_deactivated"
_NOT_STARTED = frozenset({ReleaseState.WITHDRAWN, ReleaseState.EXPIRED, ReleaseState.REVOKED})
_TAKEN_BACK = frozenset({ReleaseState.ROLLED_BACK, ReleaseState.REVOKED})
# from → where a release may go; every move is a compare-and-set
RELEASE_MOVES: dict[str, frozenset[ReleaseState]] = {
    ReleaseState.REQUESTED: _NOT_STARTED
    | {ReleaseState.APPROVED, ReleaseState.REJECTED, ReleaseState.REQUESTED},
    ReleaseState.APPROVED: _NOT_STARTED | {ReleaseState.ROLLING_OUT, ReleaseState.REQUESTED},
    ReleaseState.ROLLING_OUT: _TAKEN_BACK
    | {ReleaseState.LIVE, ReleaseState.FAILED, ReleaseState.ABORTED},
    ReleaseState.LIVE: _TAKEN_BACK | {ReleaseState.SUPERSEDED, ReleaseState.RETIRED},
    ReleaseState.SUPERSEDED: frozenset({ReleaseState.LIVE, ReleaseState.REVOKED}),
    ReleaseState.REJECTED: frozenset(),
    ReleaseState.WITHDRAWN: frozenset(),
    ReleaseState.EXPIRED: frozenset(),
    ReleaseState.FAILED: frozenset({ReleaseState.APPROVED, ReleaseState.REVOKED}),
    ReleaseState.ABORTED: frozenset({ReleaseState.APPROVED, ReleaseState.REVOKED}),
    ReleaseState.ROLLED_BACK: frozenset(),
    ReleaseState.REVOKED: frozenset(),
    ReleaseState.RETIRED: frozenset(),
}
# a rollout that did not reach its end: it may be tried again on the approval that it has
RETRIABLE = (ReleaseState.FAILED, ReleaseState.ABORTED)
REVOCABLE = tuple(state for state, moves in RELEASE_MOVES.items() if ReleaseState.REVOKED in moves)


def shown_state(state: str, endpoint: str) -> str:
    """Return how a release is said to stand: its state, or that it is stopped where it is live
    behind an endpoint (in the state ``endpoint``) that is: it answers nobody."""
    stopped = state == ReleaseState.LIVE and endpoint == EndpointState.STOPPED
    return EndpointState.STOPPED if stopped else state


def served_until(
    began: datetime, ended: datetime | None, endpoint: str, stopped: datetime | None
) -> datetime | None:
    """Return when a release that became live at ``began`` served last, ``None`` while it does.

    That is until it ended, or its endpoint (in the state ``endpoint``) was ``stopped`` before that.

    Where that was stopped nobody knows when, or before the release became live, it is not known to
    have served at all.
    """
    if stopped and stopped > began:
        return min(ended or stopped, stopped)
    return began if ended is None and endpoint == EndpointState.STOPPED else ended


def review_request_state(
    *, is_answered: bool, waits: bool, decides: bool, due_at: datetime | None, now: datetime
) -> ReviewRequestState:
    """Return how a review request stands: whether the person answered it, else whether the release
    ``waits`` for that still, whether they still hold a role that ``decides``, and whether it was
    due."""
    if is_answered:
        return ReviewRequestState.DECIDED
    if not waits:
        return ReviewRequestState.CLOSED
    if not decides:
        return ReviewRequestState.CANNOT_DECIDE
    is_late = due_at is not None and due_at <= now
    return ReviewRequestState.OVERDUE if is_late else ReviewRequestState.ASKED


def missing_roles(results: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the roles that still lack an approval, by the results of the gates."""
    return set(missing_people(results))


def missing_people(results: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many approvals roles still lack, by the results of the gates; of several gates for
    a role the most, for an approval counts for each of them."""
    found: dict[str, int] = {}
    for result in results:
        facts = result["facts"]
        if result["gate"] == "approvals" and (missing := facts.get("missing", 0)) > 0:
            role = str(facts.get("role"))
            found[role] = max(missing, found.get(role, 0))
    return found


def quorum_met(results: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether every ``approvals`` gate has passed, and nobody's request for changes stands."""
    return all(r["passed"] for r in results if r["gate"] in ("approvals", CHANGES))


def is_held(results: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether somebody's request for changes stands, by the results of the gates."""
    return any(r["gate"] == CHANGES for r in results)

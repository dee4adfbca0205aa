"""Pure rules of governance: the roles that decide, what is missing, and where a release may go."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

REVIEWER, APPROVER = "reviewer", "approver"
ROLE_OF = {"release.review": REVIEWER, "release.approve": APPROVER}

# from → where a release may go; every move is a compare-and-set
RELEASE_MOVES: dict[str, frozenset[str]] = {
    "requested": frozenset(
        {"approved", "rejected", "withdrawn", "expired", "requested", "revoked"}
    ),
    "approved": frozenset({"rolling_out", "withdrawn", "expired", "requested", "revoked"}),
    "rolling_out": frozenset({"live", "failed", "rolled_back", "revoked"}),
    "live": frozenset({"superseded", "rolled_back", "revoked", "retired"}),
    "superseded": frozenset({"live", "revoked"}),
    "rejected": frozenset(),
    "withdrawn": frozenset(),
    "expired": frozenset(),
    "failed": frozenset({"approved", "revoked"}),
    "rolled_back": frozenset(),
    "revoked": frozenset(),
    "retired": frozenset(),
}
REVOCABLE = tuple(state for state, moves in RELEASE_MOVES.items() if "revoked" in moves)


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
    return began if ended is None and endpoint == "stopped" else ended


def missing_roles(results: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the roles that still lack an approval, by the results of the gates."""
    return {
        str(r["facts"].get("role"))
        for r in results
        if r["gate"] == "approvals" and r["facts"].get("missing", 0) > 0
    }


def quorum_met(results: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether every ``approvals`` gate has passed."""
    return all(r["passed"] for r in results if r["gate"] == "approvals")

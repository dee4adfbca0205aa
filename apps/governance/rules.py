"""Pure decisions of governance: who decides as what, and what is missing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.governance.independence import obstacles, places
from placet_verify.permit.standing import Standing

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


def approval_gates(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the ``approvals`` gates of a policy document."""
    return [g for g in document.get("gates", []) if g.get("gate") == "approvals"]


def missing_roles(results: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the roles that still lack an approval, by the results of the gates."""
    return {
        str(r["facts"].get("role"))
        for r in results
        if r["gate"] == "approvals" and r["facts"].get("missing", 0) > 0
    }


def still_needed(
    document: Mapping[str, Any],
    results: Iterable[Mapping[str, Any]],
    *,
    person: str,
    requester: str,
    author: str,
    standing: Standing | None,
) -> set[str]:
    """Return the roles that lack an approval which ``person`` could give, if they held them.

    Where all that is missing must be of the second line, only somebody of it is needed.
    """
    found = set()
    for result in results:
        role, facts = str(result["facts"].get("role")), result["facts"]
        if result["gate"] != "approvals" or not facts.get("missing", 0):
            continue
        asked = places(document, role)
        if facts["missing"] == facts.get("second_line_missing"):
            asked = asked[:1]  # the stricter comes first
        if not obstacles(asked, standing, person=person, requester=requester, author=author):
            found.add(role)
    return found


def quorum_met(results: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether every ``approvals`` gate has passed."""
    return all(r["passed"] for r in results if r["gate"] == "approvals")


def counting_roles(
    document: Mapping[str, Any],
    held: Collection[str],
    *,
    person: str,
    requester: str,
    author: str,
    standing: Standing | None = None,
) -> list[str]:
    """Return the roles out of ``held`` as which ``person`` may decide.

    Requester and author may not, unless the policy's gate for that role says otherwise; nor whoever
    does not stand where the gate demands it. Without ``standing`` that is not known.
    """
    parties = {"person": person, "requester": requester, "author": author}
    return [
        role
        for role in others_roles(document, held, **parties)
        if not obstacles(places(document, role), standing, **parties)
    ]


def others_roles(
    document: Mapping[str, Any],
    held: Collection[str],
    *,
    person: str,
    requester: str,
    author: str,
) -> list[str]:
    """Return the roles out of ``held`` for which ``person`` is not excluded as requester or author,
    wherever they stand."""
    gates = {g["role"]: g for g in approval_gates(document)}
    allowed = []
    for role in (APPROVER, REVIEWER):
        gate = gates.get(role, {})
        if role not in held:
            continue
        if person == requester and gate.get("exclude_requester", True):
            continue
        if person == author and gate.get("exclude_author", True):
            continue
        allowed.append(role)
    return allowed


def passkeys_demanded(document: Mapping[str, Any], role: str = "") -> bool:
    """Tell whether a policy counts only passkeys for ``role``; for any at all when it is ''."""
    return any(
        g.get("passkey", False) for g in approval_gates(document) if role in ("", g.get("role"))
    )


def deciding_role(allowed: Sequence[str], missing: Collection[str]) -> str:
    """Return the role a decision counts as: approver while one is missing, else reviewer."""
    if APPROVER in allowed and APPROVER in missing:
        return APPROVER
    return REVIEWER if REVIEWER in allowed else allowed[0]

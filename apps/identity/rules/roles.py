"""What each role may do, as fixed sets of permissions, and what a token cuts from it."""

from collections.abc import Iterable
from functools import lru_cache

from placet.kernel.actor import Grant, Scope

VIEW = frozenset(
    {
        "project.view",
        "model.view",
        "version.view",
        "build.view",
        "release.view",
        "endpoint.view",
        "target.view",
        "policy.view",
        "rollout.view",
        "alert.view",
        "recall.view",
    }
)
REVIEWS = VIEW | {"release.comment", "endpoint.predict"}

ROLES: dict[str, frozenset[str]] = {
    "viewer": VIEW,
    "contributor": VIEW
    | {
        "model.create",
        "model.edit",
        "version.create",
        "version.edit",
        "evidence.add",
        "build.start",
        "build.cancel",
        "release.request",
        "release.withdraw",
        "secret.use",
        "release.comment",
        "alias.set",
        "endpoint.predict",
    },
    "reviewer": REVIEWS | {"release.review", "prediction.view"},
    "product-reviewer": REVIEWS | {"release.review_product"},
    "security-reviewer": REVIEWS | {"release.review_security"},
    "responder": VIEW | {"release.break_glass", "release.comment"},
    "approver": VIEW
    | {
        "release.approve",
        "release.comment",
        "policy.draft",
        "policy.publish",
        "freeze.set",
        "signing_key.manage",
        "endpoint.predict",
        "prediction.view",
        "recall.create",
        "recall.lift",
        "break_glass.review",
    },
    "operator": VIEW
    | {
        "target.manage",
        "endpoint.manage",
        "endpoint.operate",
        "endpoint.predict",
        "secret.set",
        "rollout.start",
        "rollout.operate",
        "drill.run",
        "drill.schedule",
        "environment.manage",
        "freeze.set",
        "policy.draft",
        "release.comment",
        "job.view",
        "job.cancel",
        "alert.handle",
        "prediction.view",
        "prediction.erase",
        "outcome.report",
        "recall.create",
    },
    "auditor": VIEW
    | {
        "audit.view",
        "audit.export",
        "audit.hold",
        "access.view",
        "job.view",
        "stream.view",
        "break_glass.review",
    },
    "admin": frozenset(
        {
            "access.view",
            "access.manage",
            "project.create",
            "project.edit",
            "project.view",
            "stream.view",
            "stream.manage",
            "audit.witness",
            "audit.retain",
            "audit.hold",
        }
    ),
}

WRITES = "release.comment"  # whoever decides has it, and a token that does more than read
PERMISSIONS: frozenset[str] = frozenset().union(*ROLES.values())

# What a token can never carry, whoever holds it: a decision is made by a person in a session.
NEVER_BY_TOKEN = frozenset(
    {
        "release.review",
        "release.review_product",
        "release.review_security",
        "release.approve",
        "release.break_glass",
        "break_glass.review",
        "policy.publish",
        "access.manage",
        "recall.lift",
    }
)
SCOPES: frozenset[str] = PERMISSIONS - NEVER_BY_TOKEN
MOST_BYTES = 2**53 - 1  # what every JSON reader takes as it is


def grants_of(bindings: Iterable[tuple[str, str | None, str]]) -> frozenset[Grant]:
    """Return the grants of ``(role, project id, environment name)`` bindings.

    A role bound to one environment shows its project too: its view permissions hold in the whole
    project, but carry no role's name there, so that nobody counts as reviewer elsewhere. The same
    bindings are asked about with every request, so the answer is remembered.
    """
    return _grants_of(frozenset(bindings))


@lru_cache(maxsize=4096)
def _grants_of(bindings: frozenset[tuple[str, str | None, str]]) -> frozenset[Grant]:
    grants: set[Grant] = set()
    for role, project, environment in bindings:
        scope = Scope(project, environment or None)
        for permission in ROLES.get(role, frozenset()):
            grants.add(Grant(permission, scope, role))
            if environment and permission in VIEW:
                grants.add(Grant(permission, Scope(project)))
    return frozenset(grants)


def cut(grants: Iterable[Grant], *, scopes: Iterable[str], project: str | None) -> frozenset[Grant]:
    """Return what is left of ``grants`` for a token with ``scopes``, limited to ``project``.

    Permissions that no token carries go, and so do the roles' names: a token holds no role.
    """
    return _cut(frozenset(grants), frozenset(scopes) - NEVER_BY_TOKEN, project)


@lru_cache(maxsize=4096)
def _cut(
    grants: frozenset[Grant], allowed: frozenset[str], project: str | None
) -> frozenset[Grant]:
    left: set[Grant] = set()
    for grant in grants:
        if grant.permission not in allowed:
            continue
        if project is None:
            left.add(Grant(grant.permission, grant.scope))
        elif grant.scope.project is None:
            left.add(Grant(grant.permission, Scope(project)))
        elif grant.scope.project == project:
            left.add(Grant(grant.permission, grant.scope))
    return frozenset(left)

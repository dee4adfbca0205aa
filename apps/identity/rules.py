"""What each role may do, as fixed sets of permissions. Standard library only."""

VIEW = frozenset(
    {
        "project.view", "model.view", "version.view", "build.view", "release.view",
        "endpoint.view", "target.view", "policy.view", "rollout.view",
    }
)  # fmt: skip

ROLES: dict[str, frozenset[str]] = {
    "viewer": VIEW,
    "contributor": VIEW
    | {
        "model.create", "model.edit", "version.create", "version.edit", "evidence.add",
        "build.start", "build.cancel", "release.request", "release.withdraw", "release.comment",
        "alias.set", "endpoint.predict",
    },
    "reviewer": VIEW | {"release.review", "release.comment", "endpoint.predict"},
    "approver": VIEW
    | {"release.approve", "release.comment", "policy.draft", "policy.publish", "freeze.set",
       "endpoint.predict"},
    "operator": VIEW
    | {
        "target.manage", "endpoint.manage", "endpoint.operate", "endpoint.predict",
        "rollout.start", "rollout.operate", "environment.manage", "freeze.set", "policy.draft",
        "release.comment", "job.view", "job.cancel",
    },
    "auditor": VIEW | {"audit.view", "audit.export", "access.view", "job.view"},
    "admin": frozenset(
        {"access.view", "access.manage", "project.create", "project.edit", "project.view"}
    ),
}  # fmt: skip

PERMISSIONS: frozenset[str] = frozenset().union(*ROLES.values())

# What a token can never carry, whoever holds it: a decision is made by a person in a session.
NEVER_BY_TOKEN = frozenset({"release.review", "release.approve", "policy.publish", "access.manage"})

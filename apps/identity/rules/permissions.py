"""What each permission is called among people: the one place where its words stand."""

from collections.abc import Iterable

from apps.identity.rules.roles import ROLES

GROUPS: dict[str, dict[str, str]] = {
    "Models and builds": {
        "model.view": "View models",
        "model.create": "Register models",
        "model.edit": "Edit models",
        "version.view": "View versions",
        "version.create": "Register versions",
        "version.edit": "Edit versions",
        "evidence.add": "Add evidence",
        "alias.set": "Set aliases",
        "build.view": "View builds",
        "build.start": "Start builds",
        "build.cancel": "Cancel builds",
        "signing_key.manage": "Manage trusted model signers",
    },
    "Releases and policies": {
        "release.view": "View releases",
        "release.request": "Request releases",
        "release.withdraw": "Withdraw releases",
        "release.comment": "Comment on releases",
        "release.review": "Decide on releases as reviewer",
        "release.review_product": "Decide on releases as product reviewer",
        "release.review_security": "Decide on releases as security reviewer",
        "release.approve": "Decide on releases as approver",
        "release.break_glass": "Start emergency releases",
        "break_glass.review": "Review emergency releases",
        "policy.view": "View environments and policies",
        "policy.draft": "Draft policies",
        "policy.publish": "Publish policies",
        "freeze.set": "Freeze environments",
        "environment.manage": "Manage environments",
    },
    "Serving": {
        "endpoint.view": "View endpoints",
        "endpoint.predict": "Call endpoints",
        "endpoint.manage": "Manage endpoints",
        "endpoint.operate": "Stop, start and scale endpoints",
        "rollout.view": "View rollouts",
        "rollout.start": "Start rollouts",
        "rollout.operate": "Operate rollouts and roll back",
        "drill.run": "Run rollback tests",
        "drill.schedule": "Schedule rollback tests",
        "secret.set": "Set secrets",
        "secret.use": "Use secrets in releases",
        "target.view": "View targets",
        "target.manage": "Manage targets",
    },
    "Monitoring and recalls": {
        "alert.view": "View alerts",
        "alert.handle": "Handle alerts",
        "prediction.view": "View prediction log",
        "prediction.erase": "Erase logged predictions",
        "outcome.report": "Report outcomes",
        "recall.view": "View recalls",
        "recall.create": "Create recalls",
        "recall.lift": "Withdraw recalls",
    },
    "Projects, access and the log": {
        "project.view": "View projects",
        "project.create": "Create projects",
        "project.edit": "Edit projects",
        "access.view": "View who has access",
        "access.manage": "Manage access",
        "job.view": "View background jobs",
        "job.cancel": "Cancel background jobs",
        "audit.view": "View audit log",
        "audit.export": "Export audit log",
        "audit.hold": "Place legal holds",
        "audit.retain": "Set log retention",
        "audit.witness": "Manage witnesses",
        "stream.view": "View log forwarding",
        "stream.manage": "Manage log forwarding",
    },
}
WORDS: dict[str, str] = {name: text for group in GROUPS.values() for name, text in group.items()}


def in_words(permission: str) -> str:
    """Return what ``permission`` is called; one that nobody knows any more is its name."""
    return WORDS.get(permission, permission)


def in_groups(permissions: Iterable[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return those of ``permissions`` that there are as ``(group, [(name, words)])``."""
    asked = frozenset(permissions)
    groups = (
        (title, [(name, text) for name, text in group.items() if name in asked])
        for title, group in GROUPS.items()
    )
    return [(title, held) for title, held in groups if held]


def roles_with(permission: str) -> list[str]:
    """Return the names of the roles that have ``permission``."""
    return [role for role, held in ROLES.items() if permission in held]

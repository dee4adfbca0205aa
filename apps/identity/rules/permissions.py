"""What each permission is called among people: the one place where its words stand."""

from collections.abc import Iterable

from apps.identity.rules.roles import ROLES

GROUPS: dict[str, dict[str, str]] = {
    "Models and builds": {
        "model.view": "See models",
        "model.create": "Register models",
        "model.edit": "Edit models",
        "version.view": "See versions",
        "version.create": "Register versions",
        "version.edit": "Edit versions",
        "evidence.add": "Add evidence",
        "alias.set": "Set aliases",
        "build.view": "See builds",
        "build.start": "Start builds",
        "build.cancel": "Cancel builds",
        "signing_key.manage": "Manage trusted model signers",
    },
    "Releases and policies": {
        "release.view": "See releases",
        "release.request": "Request releases",
        "release.withdraw": "Withdraw releases",
        "release.comment": "Comment on releases",
        "release.review": "Decide on releases as reviewer",
        "release.approve": "Decide on releases as approver",
        "release.break_glass": "Break the glass",
        "break_glass.review": "Review a broken glass",
        "policy.view": "See environments and policies",
        "policy.draft": "Draft policies",
        "policy.publish": "Publish policies",
        "freeze.set": "Freeze environments",
        "environment.manage": "Manage environments",
    },
    "Serving": {
        "endpoint.view": "See endpoints",
        "endpoint.predict": "Call endpoints",
        "endpoint.manage": "Manage endpoints",
        "endpoint.operate": "Stop, start and scale endpoints",
        "rollout.view": "See rollouts",
        "rollout.start": "Start rollouts",
        "rollout.operate": "Operate rollouts and roll back",
        "drill.run": "Run rollback drills",
        "drill.schedule": "Schedule rollback drills",
        "target.view": "See targets",
        "target.manage": "Manage targets",
    },
    "Monitoring and recalls": {
        "alert.view": "See alerts",
        "alert.handle": "Handle alerts",
        "prediction.view": "See captured predictions",
        "prediction.erase": "Erase captured predictions",
        "outcome.report": "Report outcomes",
        "recall.view": "See recalls",
        "recall.create": "Recall",
        "recall.lift": "Lift recalls",
    },
    "Projects, access and the log": {
        "project.view": "See projects",
        "project.create": "Create projects",
        "project.edit": "Edit projects",
        "access.view": "See who has access",
        "access.manage": "Manage access",
        "job.view": "See background jobs",
        "job.cancel": "Cancel background jobs",
        "audit.view": "Read the audit log",
        "audit.export": "Export the audit log",
        "audit.hold": "Place legal holds",
        "audit.retain": "Set how long the log is kept",
        "audit.witness": "Manage witnesses of the log",
        "stream.view": "See streams of the log",
        "stream.manage": "Manage streams of the log",
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

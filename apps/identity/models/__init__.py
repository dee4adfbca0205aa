"""Projects, people, teams, service accounts, role bindings, API tokens, idempotency records."""

from apps.identity.models.access import (
    Project,
    RoleBinding,
    SecondFactorDemand,
    ServiceAccount,
    Team,
    TeamMember,
)
from apps.identity.models.credentials import (
    NOT_WITHDRAWN,
    ApiToken,
    ApproverPasskey,
    DeviceLogin,
    DeviceLoginState,
    PasskeyState,
)
from apps.identity.models.people import (
    CredentialChanges,
    LineOfDefence,
    Position,
    User,
    UserManager,
)
from apps.identity.models.requests import IdempotencyRecord, SharedValue

__all__ = [
    "NOT_WITHDRAWN",
    "ApiToken",
    "ApproverPasskey",
    "CredentialChanges",
    "DeviceLogin",
    "DeviceLoginState",
    "IdempotencyRecord",
    "LineOfDefence",
    "PasskeyState",
    "Position",
    "Project",
    "RoleBinding",
    "SecondFactorDemand",
    "ServiceAccount",
    "SharedValue",
    "Team",
    "TeamMember",
    "User",
    "UserManager",
]

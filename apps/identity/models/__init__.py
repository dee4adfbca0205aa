"""Projects, people and what they save, teams, service accounts, roles, API tokens, requests."""

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
    NAMELESS,
    CredentialChanges,
    LineOfDefence,
    Position,
    User,
    UserManager,
)
from apps.identity.models.requests import IdempotencyRecord, SharedValue
from apps.identity.models.saved_views import SavedView

__all__ = [
    "NAMELESS",
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
    "SavedView",
    "SecondFactorDemand",
    "ServiceAccount",
    "SharedValue",
    "Team",
    "TeamMember",
    "User",
    "UserManager",
]

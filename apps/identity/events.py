"""The audit event kinds of identity."""

from apps.audit.events import event_kind
from apps.identity.rules.roles import ROLES

PROJECT_CREATED = event_kind("project.created", "Created the project")
PROJECT_UPDATED = event_kind("project.updated", "Changed the project")
PROJECT_QUOTA_SET = event_kind("project.quota_set", "Set the storage quota to {quota:bytes}")
PERSON_CREATED = event_kind("person.created", "Added a person", sealed=True)
PERSON_UPDATED = event_kind("person.updated", "Changed a person", sealed=True)
PERSON_DEACTIVATED = event_kind(
    "person.deactivated", "Deactivated a person and revoked {tokens:token}", sealed=True
)
PERSON_REACTIVATED = event_kind("person.reactivated", "Reactivated a person", sealed=True)
SESSIONS_ENDED = event_kind("person.sessions_ended", "Signed a person out everywhere", sealed=True)
PERSON_PLACED = event_kind(
    "person.placed", "Set a person's line of defence and reporting line", sealed=True
)
SETUP_LINK_MADE = event_kind(
    "person.setup_link_made", "Created a one-time set-up link for a person", sealed=True
)
TEAM_CREATED = event_kind("team.created", "Created a team", sealed=True)
TEAM_DELETED = event_kind("team.deleted", "Deleted a team", sealed=True)
TEAM_MEMBER_ADDED = event_kind(
    "team.member_added",
    "Added a person to a team",
    sealed=True,
    fuller=("Added {person:id} to the team {team:id}",),
)
TEAM_MEMBER_REMOVED = event_kind(
    "team.member_removed",
    "Removed a person from a team",
    sealed=True,
    fuller=("Removed {person:id} from the team {team:id}",),
)
SERVICE_ACCOUNT_CREATED = event_kind(
    "service_account.created", "Created a service account", sealed=True
)
SERVICE_ACCOUNT_UPDATED = event_kind(
    "service_account.updated", "Changed the owner of a service account", sealed=True
)
SERVICE_ACCOUNT_DEACTIVATED = event_kind(
    "service_account.deactivated",
    "Deactivated a service account and revoked {tokens:token}",
    sealed=True,
)
ROLE_GRANTED = event_kind(
    "role.granted",
    "Granted the role {role}",
    sealed=True,
    fuller=(
        "Gave {holder:id} the role {role} in {project:id} / {environment}",
        "Gave {holder:id} the role {role} in {project:id}",
        "Gave {holder:id} the role {role} everywhere",
    ),
    words={"role": ROLES},
)
ROLE_REVOKED = event_kind(
    "role.revoked",
    "Revoked the role {role}",
    sealed=True,
    fuller=(
        "Took the role {role} in {project:id} / {environment} from {holder:id}",
        "Took the role {role} in {project:id} from {holder:id}",
        "Took the role {role} everywhere from {holder:id}",
    ),
    words={"role": ROLES},
)
SECOND_FACTOR_DEMANDED = event_kind(
    "role.second_factor_demanded",
    "Demanded a second factor for the role {role}",
    sealed=True,
    words={"role": ROLES},
)
SECOND_FACTOR_WAIVED = event_kind(
    "role.second_factor_waived",
    "No longer demanded a second factor for the role {role}",
    sealed=True,
    words={"role": ROLES},
)
TOKEN_ISSUED = event_kind("token.issued", "Issued an API token")
TOKEN_REVOKED = event_kind("token.revoked", "Revoked an API token")
DEVICE_LOGIN_CONFIRMED = event_kind("device_login.confirmed", "Approved a device login")
DEVICE_LOGIN_DENIED = event_kind("device_login.denied", "Denied a device login")
PASSKEY_OFFERED = event_kind("passkey.offered", "Registered a signing passkey")
PASSKEY_ENROLLED = event_kind("passkey.enrolled", "Confirmed an approver's passkey")
PASSKEY_WITHDRAWN = event_kind("passkey.withdrawn", "Revoked an approver's passkey")
SIGNED_IN = event_kind("session.opened", "Signed in by {method:word}")
CONFIRMED = event_kind("session.confirmed", "Authenticated again by {method:word}")
SIGNED_OUT = event_kind("session.closed", "Signed out")
SIGN_IN_FAILED = event_kind("session.refused", "A sign-in failed: {method:word}")
PASSWORD_CHANGED = event_kind("password.changed", "Set a new password", sealed=True)
MFA_ADDED = event_kind("mfa.added", "Added a second factor: {type:word}", sealed=True)
MFA_REMOVED = event_kind("mfa.removed", "Removed a second factor: {type:word}", sealed=True)
MFA_RESET = event_kind("mfa.reset", "Generated new recovery codes", sealed=True)
IDENTITY_LINKED = event_kind(
    "person.identity_linked", "Linked a single sign-on identity", sealed=True
)
CREDENTIALS_CHANGED = event_kind(
    "credentials.changed", "Changed the ways in which a person signs in", sealed=True
)
CREDENTIALS_REHASHED = event_kind(
    "credentials.rehashed", "Stored the same password under a newer hash", sealed=True
)

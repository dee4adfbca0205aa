"""What this app writes into the log."""

from apps.audit.events import event_kind
from apps.serving.rules import RevisionState

TARGET_CREATED = event_kind("target.created", "Added a target")
TARGET_CHANGED = event_kind("target.changed", "Changed a target")
TARGET_OWNER_CHANGED = event_kind("target.owner_changed", "Set the owner of a target")
TARGET_USE_ADDED = event_kind("target.use_added", "Allowed {whom} to use a target")
TARGET_USE_REMOVED = event_kind("target.use_removed", "Removed access of {whom} to a target")
JOIN_TOKEN_ISSUED = event_kind("target.join_token_issued", "Issued a join token")
NODE_JOINED = event_kind("node.joined", "Joined the target as its node")
NODE_CHANGED = event_kind("node.changed", "Reports another {what}")
NODE_REPORTED_ERROR = event_kind("node.reported_error", "Reported by itself: {code:word}")
NODE_CHECKPOINT_AHEAD = event_kind(
    "node.checkpoint_ahead", "Holds a checkpoint of size {size} that this log does not contain"
)
NODE_STATE_AHEAD = event_kind(
    "node.state_ahead", "Runs a newer state than this database knows; the epoch is now {epoch}"
)
ENDPOINT_CREATED = event_kind("endpoint.created", "Created an endpoint")
ENDPOINT_STOPPED = event_kind("endpoint.stopped", "Stopped an endpoint")
ENDPOINT_STARTED = event_kind("endpoint.started", "Started an endpoint")
ENDPOINT_DELETED = event_kind("endpoint.deleted", "Deleted an endpoint")
ENDPOINT_RESTARTED = event_kind("endpoint.restarted", "Restarted the replicas of an endpoint")
ENDPOINT_SCALED = event_kind("endpoint.scaled", "Scaled an endpoint to {replicas:replica}")
ENDPOINT_KEYS_CHANGED = event_kind(
    "endpoint.key_rule_changed", "Changed whether clients need an API key: {required:rule}"
)
SECRET_CREATED = event_kind("secret.created", "Named a secret")
SECRET_SET = event_kind("secret.set", "Set version {number} of a secret")
SECRET_REVOKED = event_kind("secret.revoked", "Revoked version {number} of a secret")
SECRET_GIVEN = event_kind(
    "secret.given", "Version {number} of a secret was given to a node for a replica"
)
KEY_ISSUED = event_kind("endpoint.key_issued", "Issued an API key of an endpoint")
KEY_REVOKED = event_kind("endpoint.key_revoked", "Revoked an API key of an endpoint")
REVISION_ADDED = event_kind("revision.added", "Added revision {number} to an endpoint")
REVISION_CHANGED = event_kind(
    "revision.changed",
    "Revision {number} {state:idle}",
    fuller=(
        "Revision {number} {outcome:word}",
        "Revision {number} {state:became} with {weight:weight}",
    ),
    words={"state": RevisionState, "outcome": ("failed",)},
)
REVISION_REFUSED = event_kind("revision.refused", "Refused to run a revision")
REQUESTS_TAKEN_BACK = event_kind(
    "revision.requests_taken_back",
    "Rolled back automatically: {rule:word}",
)
PREFETCH_ADDED = event_kind("prefetch.added", "Pre-loaded a build on the node")
PREFETCH_REMOVED = event_kind("prefetch.removed", "Stopped pre-loading a build")

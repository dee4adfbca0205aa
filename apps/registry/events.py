"""Kinds of audit events of the registry."""

from apps.audit.events import event_kind

MODEL_CREATED = event_kind("model.created", "Registered a model")
MODEL_EDITED = event_kind("model.edited", "Edited a model")
VERSION_CREATED = event_kind("version.created", "Created version {number}")
VERSION_EDITED = event_kind("version.edited", "Edited a draft version")
VERSION_FINALISED = event_kind("version.finalised", "Finalised version {number}")
VERSION_DISCARDED = event_kind("version.discarded", "Discarded draft version {number}")
VERSION_TAGGED = event_kind("version.tagged", "Changed the tags of a version")
VERSION_CARD_CHANGED = event_kind("version.card_changed", "Changed the card of a version")
UPLOAD_STARTED = event_kind("upload.started", "Started an upload of {size:bytes}")
UPLOAD_DROPPED = event_kind("upload.dropped", "Dropped an upload: {reason:word}")
FILES_ADDED = event_kind("version.files_added", "Added {count:file} to a version")
FILE_REMOVED = event_kind("version.file_removed", "Removed a file from a draft version")
ALIAS_SET = event_kind("alias.set", "Pointed an alias at version {number}")
ALIAS_DELETED = event_kind("alias.deleted", "Deleted an alias")
EVIDENCE_ADDED = event_kind("evidence.added", "Added {source} evidence: {kind:word}")
SIGNING_KEY_ADDED = event_kind("signing_key.added", "Trusted a model signing key")
SIGNING_KEY_REVOKED = event_kind("signing_key.revoked", "Revoked a model signing key")
DECLARED = event_kind(
    "declaration.made", "Declared a contributor of a version: {fact:word}", sealed=True
)
HOLD_PLACED = event_kind("hold.placed", "Held a version: {reason:word}")
HOLD_RELEASED = event_kind("hold.released", "Released a hold: {reason:word}")
BLOBS_COLLECTED = event_kind(
    "store.collected", "Removed {blobs} blobs that nothing needed, {bytes:bytes}"
)

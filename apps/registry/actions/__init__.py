"""Every write of the registry."""

from apps.registry.actions.aliases import delete_alias, set_alias
from apps.registry.actions.collecting import collect_blobs, unneeded
from apps.registry.actions.declarations import declare
from apps.registry.actions.discarding import discard_draft, held_beside
from apps.registry.actions.evidence import add_evidence, place_hold, release_hold
from apps.registry.actions.finalising import finalise
from apps.registry.actions.models import create_model, edit_model
from apps.registry.actions.signing_keys import revoke_signing_key, trust_signing_key
from apps.registry.actions.uploads import (
    UploadProgress,
    cancel_upload,
    expire_uploads,
    finish_upload,
    receive_chunk,
    remove_file,
    start_upload,
)
from apps.registry.actions.versions import (
    DraftFields,
    VersionFields,
    copy_facts,
    create_version,
    edit_draft,
    set_card,
    set_tags,
)
from apps.registry.claims import claim

__all__ = [
    "DraftFields",
    "UploadProgress",
    "VersionFields",
    "add_evidence",
    "cancel_upload",
    "claim",
    "collect_blobs",
    "copy_facts",
    "create_model",
    "create_version",
    "declare",
    "delete_alias",
    "discard_draft",
    "edit_draft",
    "edit_model",
    "expire_uploads",
    "finalise",
    "finish_upload",
    "held_beside",
    "place_hold",
    "receive_chunk",
    "release_hold",
    "remove_file",
    "revoke_signing_key",
    "set_alias",
    "set_card",
    "set_tags",
    "start_upload",
    "trust_signing_key",
    "unneeded",
]

"""Every write of this app."""

from apps.serving.actions.deletion import delete_endpoint, refuse_deleted
from apps.serving.actions.endpoints import (
    create_endpoint,
    name_faults,
    require_api_key,
    restart_endpoint,
    scale_endpoint,
    start_endpoint,
    stop_endpoint,
)
from apps.serving.actions.keys import issue_endpoint_key, revoke_endpoint_key
from apps.serving.actions.nodes import join_node
from apps.serving.actions.prefetching import prefetch, release_prefetch
from apps.serving.actions.reports import receive_report
from apps.serving.actions.restoring import raise_epochs
from apps.serving.actions.revisions import add_revision, check_permit, make_room, set_revision
from apps.serving.actions.secrets import note_given, reseal_secrets, revoke_secret, set_secret
from apps.serving.actions.targets import create_target, issue_join_token, update_target
from apps.serving.actions.uses import allow_use, end_use

__all__ = [
    "add_revision",
    "allow_use",
    "check_permit",
    "create_endpoint",
    "create_target",
    "delete_endpoint",
    "end_use",
    "issue_endpoint_key",
    "issue_join_token",
    "join_node",
    "make_room",
    "name_faults",
    "note_given",
    "prefetch",
    "raise_epochs",
    "receive_report",
    "refuse_deleted",
    "release_prefetch",
    "require_api_key",
    "reseal_secrets",
    "restart_endpoint",
    "revoke_endpoint_key",
    "revoke_secret",
    "scale_endpoint",
    "set_revision",
    "set_secret",
    "start_endpoint",
    "stop_endpoint",
    "update_target",
]

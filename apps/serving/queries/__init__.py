"""What runs where, since when, and how it is."""

from apps.serving.queries.endpoints import (
    endpoint_keys,
    get_endpoint,
    visible_endpoints,
    with_troubles,
)
from apps.serving.queries.needed import allowed_runtimes, bentos_needed, may_fetch
from apps.serving.queries.nodes import (
    NodeStatus,
    node_of,
    node_status,
    redact_errors,
    reported_revisions,
)
from apps.serving.queries.secrets import (
    get_secret,
    sealed_for,
    secret_faults,
    uses_of_secret,
    uses_of_secrets,
    versions_behind_key,
    visible_secrets,
)
from apps.serving.queries.statuses import (
    EndpointStatus,
    RevisionStatus,
    isolated,
    revision_status,
    status,
    status_with,
    statuses,
    statuses_of,
)
from apps.serving.queries.targets import get_target, uses_of, visible_targets
from apps.serving.queries.urls import base_urls, endpoint_url, no_address

__all__ = [
    "EndpointStatus",
    "NodeStatus",
    "RevisionStatus",
    "allowed_runtimes",
    "base_urls",
    "bentos_needed",
    "endpoint_keys",
    "endpoint_url",
    "get_endpoint",
    "get_secret",
    "get_target",
    "isolated",
    "may_fetch",
    "no_address",
    "node_of",
    "node_status",
    "redact_errors",
    "reported_revisions",
    "revision_status",
    "sealed_for",
    "secret_faults",
    "status",
    "status_with",
    "statuses",
    "statuses_of",
    "uses_of",
    "uses_of_secret",
    "uses_of_secrets",
    "versions_behind_key",
    "visible_endpoints",
    "visible_secrets",
    "visible_targets",
    "with_troubles",
]

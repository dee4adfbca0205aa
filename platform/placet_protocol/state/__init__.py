"""The desired state of a target: what its nodes should serve.

A state is read in three steps, so that a fault in one part stops no other: what it tells of recalls
and of the log (``head``), its frame (``whole``), then each endpoint and each revision by itself.
"""

from placet_protocol.state.endpoints import (
    DesiredEndpoint,
    EndpointEntry,
    UnreadableEndpoint,
    endpoint_path,
    read_endpoint,
    read_endpoints,
)
from placet_protocol.state.head import StateHead, StateNews, read_head, read_heard
from placet_protocol.state.revisions import (
    DEFAULT_MEMORY_MB,
    LEAST_MEMORY_MB,
    DesiredRevision,
    RefusedRevision,
    RevisionEntry,
    RuntimeEntry,
    Wanted,
    read_revision,
)
from placet_protocol.state.whole import (
    DesiredState,
    Prefetch,
    PrefetchEntry,
    StateContent,
    StateDocument,
    read_prefetch,
    read_state,
    write_state,
)
from placet_protocol.testers import HeaderRoute, HeaderRouteEntry

__all__ = [
    "DEFAULT_MEMORY_MB",
    "LEAST_MEMORY_MB",
    "DesiredEndpoint",
    "DesiredRevision",
    "DesiredState",
    "EndpointEntry",
    "HeaderRoute",
    "HeaderRouteEntry",
    "Prefetch",
    "PrefetchEntry",
    "RefusedRevision",
    "RevisionEntry",
    "RuntimeEntry",
    "StateContent",
    "StateDocument",
    "StateHead",
    "StateNews",
    "UnreadableEndpoint",
    "Wanted",
    "endpoint_path",
    "read_endpoint",
    "read_endpoints",
    "read_head",
    "read_heard",
    "read_prefetch",
    "read_revision",
    "read_state",
    "write_state",
]

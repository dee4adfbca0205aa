"""Reading the log: events, texts, proofs, and the rows it describes."""

from apps.audit.queries.events import (
    EventDetail,
    RowChange,
    TimelineEntry,
    event_detail,
    may_prove,
    newest,
    newest_of_project,
    timeline,
)
from apps.audit.queries.events_about import events_about, showing
from apps.audit.queries.filtering import EventFilter, events_exportable, events_visible
from apps.audit.queries.proofs import (
    InclusionProof,
    LogStanding,
    consistency,
    inclusion,
    latest_checkpoint,
    log_size,
    log_standing,
    tree,
)
from apps.audit.queries.replay import replay
from apps.audit.queries.texts import (
    ERASED,
    erased_in,
    is_erased,
    key_of,
    open_bytes,
    unseal,
    unseal_many,
)
from apps.audit.queries.verify import Verification, verify_database

__all__ = [
    "ERASED",
    "EventDetail",
    "EventFilter",
    "InclusionProof",
    "LogStanding",
    "RowChange",
    "TimelineEntry",
    "Verification",
    "consistency",
    "erased_in",
    "event_detail",
    "events_about",
    "events_exportable",
    "events_visible",
    "inclusion",
    "is_erased",
    "key_of",
    "latest_checkpoint",
    "log_size",
    "log_standing",
    "may_prove",
    "newest",
    "newest_of_project",
    "open_bytes",
    "replay",
    "showing",
    "timeline",
    "tree",
    "unseal",
    "unseal_many",
    "verify_database",
]

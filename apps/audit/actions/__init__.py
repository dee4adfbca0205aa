"""Writing the log: the unit of work of every action, sealed texts, checkpoints, refusals."""

from apps.audit.actions.checkpoint import write_checkpoint
from apps.audit.actions.denied import log_denied
from apps.audit.actions.erasure import erase_texts
from apps.audit.actions.export import export_folder, log_export, log_export_of
from apps.audit.actions.record import Recorder, append, encode, record
from apps.audit.actions.seal import commitment_of, fresh_salt, seal, seal_bytes
from apps.audit.actions.state import row_state
from apps.audit.actions.verified import verify_growth
from apps.audit.entries import NewEvent
from apps.audit.rows import plain, plain_state, row_key

__all__ = [
    "NewEvent",
    "Recorder",
    "append",
    "commitment_of",
    "encode",
    "erase_texts",
    "export_folder",
    "fresh_salt",
    "log_denied",
    "log_export",
    "log_export_of",
    "plain",
    "plain_state",
    "record",
    "row_key",
    "row_state",
    "seal",
    "seal_bytes",
    "verify_growth",
    "write_checkpoint",
]

"""Kinds of audit events: versioned names that each app declares in its own ``events.py``."""

from dataclasses import dataclass

from placet_verify.log.seals import SEALED_KINDS

_KINDS: dict[str, "EventKind"] = {}


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event. ``name`` ends in its version, e.g. ``release.requested.v1``.

    ``sentence`` is what a page shows; ``{…}`` fields are taken from the event's ``data``.
    Only kinds declared today may be written; a kind once written stays readable for ever.
    Events of a ``sealed`` kind carry a signature by the access key: they vouch for somebody's
    access, which no other process may do.
    """

    name: str
    sentence: str
    sealed: bool = False


def event_kind(name: str, sentence: str, *, version: int = 1, sealed: bool = False) -> EventKind:
    """Declare and return a kind. Raises ``ValueError`` when the name is taken, or when it is not
    among those that the offline verifier knows as sealed, or is and is not declared so."""
    kind = EventKind(f"{name}.v{version}", sentence, sealed)
    if sealed is not (kind.name in SEALED_KINDS):
        raise ValueError(f"event kind {kind.name}: sealed here or in placet_verify, but not both")
    if kind.name in _KINDS:
        raise ValueError(f"event kind {kind.name} is declared twice")
    _KINDS[kind.name] = kind
    return kind


def kinds() -> dict[str, EventKind]:
    """Return every declared kind by name."""
    return dict(_KINDS)


PERSON_ERASED = event_kind("person.erased", "Erased a person's texts", sealed=True)
AUDIT_EXPORTED = event_kind("audit.exported", "Exported {count} audit events")
ACCESS_DENIED = event_kind("access.denied", "Was refused: {action}")
BACKUP_BEGUN = event_kind("backup.begun", "Began a backup, whose log ends here")
RESTORED = event_kind(
    "backup.restored",
    "Restored a backup of {size} events, losing {lost}; {again} open jobs go on, {ended} ended",
)

ARCHIVED = event_kind("audit.archived", "Moved {count} old events into an archive file")

WITNESS_ADDED = event_kind("witness.added", "Added a witness of the log")
WITNESS_REMOVED = event_kind("witness.removed", "Removed a witness of the log")
WITNESS_AHEAD = event_kind(
    "witness.ahead", "Witness holds {seen} events of this log, which has only {size}"
)
WITNESS_FORKED = event_kind(
    "witness.forked", "Witness saw another history of {seen} events than this log has"
)
WITNESS_AGREES = event_kind("witness.agrees", "Witness agrees again, up to {size} events")
WITNESSED_LOG_ADDED = event_kind("witnessed_log.added", "Began to witness a log of others")
WITNESSED_LOG_REMOVED = event_kind("witnessed_log.removed", "Stopped witnessing a log of others")
WITNESSED_LOG_FORKED = event_kind(
    "witnessed_log.forked", "Was shown two histories of {size} events by a log of others"
)

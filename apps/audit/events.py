"""Kinds of audit events: versioned names that each app declares in its own ``events.py``."""

from dataclasses import dataclass

_KINDS: dict[str, "EventKind"] = {}


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event. ``name`` ends in its version, e.g. ``release.requested.v1``.

    ``sentence`` is what a page shows; ``{…}`` fields are taken from the event's ``data``.
    Only kinds declared today may be written; a kind once written stays readable for ever.
    """

    name: str
    sentence: str


def event_kind(name: str, sentence: str, *, version: int = 1) -> EventKind:
    """Declare and return a kind. Raises ``ValueError`` when the name is taken."""
    kind = EventKind(f"{name}.v{version}", sentence)
    if kind.name in _KINDS:
        raise ValueError(f"event kind {kind.name} is declared twice")
    _KINDS[kind.name] = kind
    return kind


def kinds() -> dict[str, EventKind]:
    """Return every declared kind by name."""
    return dict(_KINDS)


PERSON_ERASED = event_kind("person.erased", "Erased a person's texts")
AUDIT_EXPORTED = event_kind("audit.exported", "Exported {count} audit events")
ACCESS_DENIED = event_kind("access.denied", "Was refused: {action}")

"""Kinds of audit events: versioned names that each app declares in its own ``events.py``."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from placet.kernel.durations import spell
from placet.kernel.ids import is_id
from placet_verify.log.seals import SEALED_KINDS

NO_WORDS: Mapping[str, Iterable[str]] = {}
NO_NAMES: Mapping[str, str] = {}
_KINDS: dict[str, "EventKind"] = {}
WORDS = {
    "sbom": "SBOM",
    "approve": "approved",
    "reject": "rejected",
    "request_changes": "changes requested",
    "set_up_link": "set-up link",
    "single_sign_on": "single sign-on",
}
RULES = {True: "required", False: "not required"}
# What becomes of a revision that gets no request: the one that is live hands them to another.
IDLE = {
    "live": "handed all traffic over",
    "failed": "ended",
    "stopped": "is stopped",
}
# How a value is written as it was logged, by what stands behind the colon of its field: one of
# these, or the noun of what is counted.
UNITS = {
    "": "{}",
    "id": "{}",
    "word": "{}",
    "time": "{} s",
    "bytes": "{} bytes",
    "weight": "weight {}",
    "rule": "{}",
    "became": "is {}",
    "idle": "is {} with weight 0",
}


def _logged(value: Any, unit: str) -> str:
    if unit == "rule":
        return RULES.get(value, str(value))
    return UNITS.get(unit, f"{{}} {unit}s").format(value)


def readable(value: Any, unit: str) -> str:
    """Return a value as people read it: an id is cut to its ends, what is large has its unit."""
    match unit, value:
        case "id", str() if is_id(value):
            return f"{value[:8]}…{value[-4:]}"
        case "word", str() if value.replace("_", "").replace("+", "").isalpha():
            words = (WORDS.get(one) or one.replace("_", " ") for one in value.split("+"))
            return " and ".join(words)
        case noun, 1 if noun not in UNITS:
            return f"1 {noun}"
        case "time", int():
            return spell(value)
        case "bytes", int() if value >= 1000:
            return f"{value / 1000:,.0f} kB"
        case "became", "failed":
            return "ended"  # by people, by a recall, or in an old event by itself
        case "idle", _:
            return IDLE.get(value, f"is {value}, without traffic")
        case "weight", _:
            share = f"{value / 100:g}" if isinstance(value, int) else value
            return f"{share}% of the traffic"
    return _logged(value, unit)


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event. ``name`` ends in its version, e.g. ``release.requested.v1``.

    Fields of ``template`` are taken from the event's ``data``: ``{size:bytes}``, ``{count:file}``.
    Only kinds declared today may be written; a kind once written stays readable for ever.
    Events of a ``sealed`` kind carry a signature by the access key: they vouch for somebody's
    access, which no other process may do.
    ``seals`` names the ``…_sealed`` columns whose texts the action that writes the event seals.
    ``fuller`` are templates for events that say more than those of earlier releases do, or than
    there always is to say: the first all of whose fields an event has is its sentence.
    ``words`` are the values of fields that only ever are one of a few, by which it is searched.
    """

    name: str
    template: str
    sealed: bool = False
    seals: tuple[str, ...] = ()
    fuller: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    def sentence(self, data: Mapping[str, Any], write: Callable[[Any, str], str] = _logged) -> str:
        """Return what happened, with values as they were logged, and … for one that is missing."""
        return "".join(self.parts(data, write))

    def line(self, data: Mapping[str, Any], names: Mapping[str, str] = NO_NAMES) -> str:
        """Return it as people read it: ids by their ``names`` where those have them, else cut to
        their ends, one of a thing in the singular, and weights, sizes and times in units of
        theirs."""

        def write(value: Any, unit: str) -> str:
            named = names.get(str(value)) if unit == "id" else None
            return named or readable(value, unit)

        return self.sentence(data, write)

    def parts(self, data: Mapping[str, Any], write: Callable[[Any, str], str]) -> Iterator[str]:
        """Yield the sentence piece by piece: words of ours, and values as ``write`` has them."""
        for text, name, unit, _ in Formatter().parse(self._said_of(data)):
            yield text
            if name:
                yield write(data.get(name, "…"), unit or "")

    @property
    def templates(self) -> tuple[str, ...]:
        """Return its templates, the plain one last."""
        return (*self.fuller, self.template)

    def ids_in(self, data: Mapping[str, Any]) -> frozenset[str]:
        """Return the ids that its sentence names."""
        fields = Formatter().parse(self._said_of(data))
        return frozenset(
            str(data.get(name)) for _, name, unit, _ in fields if name and unit == "id"
        )

    def _said_of(self, data: Mapping[str, Any]) -> str:
        for template in self.fuller:
            if all(data.get(name) for name in fields_of(template)):
                return template
        return self.template


def fields_of(template: str) -> list[str]:
    """Return the fields of an event's data that a template names."""
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def event_kind(
    name: str,
    template: str,
    *,
    version: int = 1,
    sealed: bool = False,
    seals: tuple[str, ...] = (),
    fuller: tuple[str, ...] = (),
    words: Mapping[str, Iterable[str]] = NO_WORDS,
) -> EventKind:
    """Declare and return a kind. Raises ``ValueError`` when the name is taken, or when it is not
    among those that the offline verifier knows as sealed, or is and is not declared so."""
    closed = {one: tuple(map(str, values)) for one, values in words.items()}
    kind = EventKind(f"{name}.v{version}", template, sealed, seals, fuller, closed)
    if sealed is not (kind.name in SEALED_KINDS):
        raise ValueError(f"event kind {kind.name}: sealed here or in placet_verify, but not both")
    if kind.name in _KINDS:
        raise ValueError(f"event kind {kind.name} is declared twice")
    _KINDS[kind.name] = kind
    return kind


def kinds() -> dict[str, EventKind]:
    """Return every declared kind by name."""
    return dict(_KINDS)


def declared(name: str) -> EventKind:
    """Return the kind called ``name``. One that nobody declares any more reads as its name."""
    return _KINDS.get(name) or EventKind(name, name.replace("{", "{{").replace("}", "}}"))


PERSON_ERASED = event_kind("person.erased", "Erased a person's texts", sealed=True)
AUDIT_EXPORTED = event_kind("audit.exported", "Exported audit events: {count}")
ACCESS_DENIED = event_kind("access.denied", "Blocked: {action:word}")
BACKUP_BEGUN = event_kind("backup.begun", "Started a backup, whose log ends here")
RESTORED = event_kind(
    "backup.restored",
    "Restored a backup of {size:event}, losing {lost}; {again} open jobs go on, {ended} ended",
)

ARCHIVED = event_kind("audit.archived", "Moved {count} old events into an archive file")

WITNESS_ADDED = event_kind("witness.added", "Added a witness of the log")
WITNESS_REMOVED = event_kind("witness.removed", "Removed a witness of the log")
WITNESS_AHEAD = event_kind(
    "witness.ahead", "Witness holds {seen:event} of this log, which has only {size}"
)
WITNESS_FORKED = event_kind(
    "witness.forked", "Witness saw another history of {seen:event} than this log has"
)
WITNESS_AGREES = event_kind("witness.agrees", "Witness agrees again, up to {size:event}")
WITNESSED_LOG_ADDED = event_kind("witnessed_log.added", "Started witnessing another log")
WITNESSED_LOG_REMOVED = event_kind("witnessed_log.removed", "Stopped witnessing another log")
WITNESSED_LOG_FORKED = event_kind(
    "witnessed_log.forked", "Another log presented two histories of {size:event}"
)

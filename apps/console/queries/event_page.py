"""One event, opened: a sentence, what was signed, what changed, and the proof."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.apps import apps as django_apps
from django.utils.text import capfirst

from apps.audit.kind_groups import FOLLOWED
from apps.audit.models import Archive, ArchivedLeaf
from apps.audit.queries import EventDetail, InclusionProof, RowChange, event_detail, inclusion
from apps.audit.queries.archived import archive_of
from apps.audit.queries.bodies import CHANGED
from apps.audit.queries.events import BELONGS, about_of
from apps.console.queries.actor_names import is_triggered
from apps.console.queries.event_sentences import in_names
from apps.console.queries.events import UNSAID
from apps.console.queries.links import outcome_url
from apps.console.queries.object_names import CHILDREN, Named, object_names
from apps.console.templatetags.placet import number, words
from placet.kernel.actor import Actor
from placet.kernel.ids import is_id
from placet.kernel.problems import NotFound, Problem
from placet_verify.errors import Refused
from placet_verify.signing.dsse import Envelope

SIGNED = "signed, decoded above"
MEMBER = ("person_id", "team_id")  # who is a member of what
WHY = (  # columns that say why, as texts
    *("reason", "ended_reason", "reason_sealed", "lift_reason_sealed"),
    *("comment_sealed", "text_sealed", "findings_sealed"),
)


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """One column before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """One row that an event changed."""

    key: str
    columns: list[ColumnChange]
    made: bool
    gone: bool
    name: str = ""

    @property
    def change(self) -> str:
        """What became of it."""
        return "made" if self.made else "removed" if self.gone else "changed"

    @property
    def kind(self) -> str:
        """What it is a row of, in words."""
        label = self.key.partition(":")[0]
        try:
            return str(django_apps.get_model(label)._meta.verbose_name)
        except (LookupError, ValueError):  # a table that there is no more
            return label.rpartition(".")[2]

    @property
    def id(self) -> str:
        """Its key."""
        return self.key.partition(":")[2]

    @property
    def title(self) -> str:
        """What it is, and what it is called."""
        said = self.name or self.id
        return capfirst(said if said.startswith(f"{self.kind} ") else f"{self.kind} {said}")


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """What somebody signed with the event, decoded."""

    column: str
    text: str

    @property
    def title(self) -> str:
        """What it is, in words."""
        return f"{words(self.column.replace('_envelope', ''))} statement"


@dataclass(frozen=True)
class EventPage:
    """An event, opened. ``named`` is what of the ids in it the reader may know."""

    detail: EventDetail
    rows: list[ChangedRow]
    statements: list[SignedStatement]
    named: Mapping[str, Named]
    proof: InclusionProof | None
    why_not: str

    @property
    def sentence(self) -> str:
        """What happened."""
        body = self.detail.body
        if not body["kind"]:
            return "An event that was changed"
        return in_names(body["kind"], body["data"], self.named)

    @property
    def fault(self) -> str:
        """What is wrong with it, '' if nothing is."""
        return "" if self.detail.intact and self.detail.body["kind"] else CHANGED

    @property
    def at(self) -> datetime | None:
        """When; ``None`` where that cannot be read any more."""
        text = self.detail.body["at"]
        return datetime.fromisoformat(text) if text else None

    @property
    def who(self) -> str:
        """Who did it, by name."""
        return self._called(self.detail.body["actor_id"])

    @property
    def is_triggered(self) -> bool:
        """Whether Placet did it by itself, once they did something else."""
        return is_triggered(self.detail.body["kind"], self.detail.body["actor_id"])

    @property
    def asked_by(self) -> str:
        """Who asked the platform for it, '' where nobody did."""
        return self._called(str(self.detail.body["data"].get("asked_by", "")))

    @property
    def answers_for_it(self) -> str:
        """Who answers for the program that did it, '' where a person did."""
        actor = self.detail.body["actor"]
        if actor["kind"] != "service" or actor["accountable"] == actor["id"]:
            return ""
        return self._called(actor["accountable"])

    @property
    def subject(self) -> str:
        """What it is about, by id."""
        return str(self.detail.body["subject"])

    @cached_property
    def _about(self) -> tuple[str, Named | None]:
        """The id by which the reader knows what it is about, and what that is called."""
        for one in about_of(self.detail.body):
            if one in self.named:
                return one, self.named[one]
        return self.subject, None

    @property
    def subject_name(self) -> str:
        """What it is about, as people call it: by what it belongs to, where it has no name of its
        own; the id of what has neither."""
        known, named = self._about
        child = CHILDREN.get(self.subject.partition("_")[0], "")
        own = next((row.name for row in self.rows if row.id == self.subject), "")
        if own and child and known != self.subject:
            return f"{child} {own}"
        if named is None:
            return self.subject
        of = "" if known == self.subject else child
        return f"{of} of {named.name}" if of else named.name

    @property
    def subject_url(self) -> str:
        """The page of what it is about, for who may see that."""
        named = self._about[1]
        return named.url if named else ""

    @property
    def outcome_url(self) -> str:
        """Where all that came of it is read, '' for what is no such event."""
        return outcome_url(self.subject) if self.detail.body["kind"] in FOLLOWED else ""

    @property
    def where(self) -> str:
        """Its project and environment."""
        body = self.detail.body
        project = self._called(body["project"]) if body["project"] else ""
        return ", ".join(text for text in (project, body["environment"]) if text)

    def _called(self, one: str) -> str:
        return self.named[one].name if one in self.named else one

    @property
    def why(self) -> list[str]:
        """Why, in the words of who did it."""
        return list(dict.fromkeys(_why(self.detail)))

    @property
    def causes(self) -> list[tuple[str, str]]:
        """What it came of, beside who did it: a label and an id each."""
        body = self.detail.body
        causes = (
            ("With token", body["actor"]["token"]),
            ("Request", body["cause"].get("request")),
            ("Job", body["cause"].get("job")),
        )
        return [(label, value) for label, value in causes if value]


def event_page(index: int, actor: Actor) -> EventPage:
    """Return one event, opened, or raise ``NotFound``."""
    detail = event_detail(index, actor)
    proof, why_not = None, ""
    try:
        proof = inclusion(index)
    except Problem as problem:
        why_not = problem.detail
    ids = set(_ids(detail))
    named = object_names(ids, actor, actors=ids)
    names = {one: known.name for one, known in named.items()}
    return EventPage(
        detail=detail,
        rows=[_row(change, detail.texts, names) for change in detail.changes],
        statements=list(_statements(detail)),
        named=named,
        proof=proof,
        why_not=why_not,
    )


def _ids(detail: EventDetail) -> Iterator[str]:
    """Yield every id that the page shows."""
    body = detail.body
    yield from (body["actor_id"], body["actor"]["accountable"], body["subject"])
    yield body["project"] or ""
    yield from about_of(body)
    for change in detail.changes:
        yield change.key.partition(":")[2]
        for state in (change.before or {}, change.after or {}):
            yield from (v for v in state.values() if isinstance(v, str) and is_id(v))


def _why(detail: EventDetail) -> Iterator[str]:
    for change in detail.changes:
        if (change.after and change.before is None) or change.key.endswith(detail.body["subject"]):
            for name in WHY:
                text = detail.texts.get(str((change.after or {}).get(name)), "")
                if name in change.changed and text not in (*UNSAID, "[erased]"):
                    yield text


def _statements(detail: EventDetail) -> Iterator[SignedStatement]:
    """Yield what was signed with the event: payloads of envelopes that it brought."""
    for change in detail.changes:
        for name in change.changed:
            payload = _payload((change.after or {}).get(name))
            if payload is not None:
                yield SignedStatement(name, json.dumps(payload, indent=2, ensure_ascii=False))


def _payload(value: Any) -> Any:
    """Return what an envelope holds; ``None`` for what is no envelope."""
    if not isinstance(value, str) or not value.startswith('{"payload"'):
        return None
    try:
        return json.loads(Envelope.from_json(value).payload)
    except (Refused, ValueError, RecursionError):
        return None


def _row(change: RowChange, texts: Mapping[str, str], names: Mapping[str, str]) -> ChangedRow:
    return ChangedRow(
        key=change.key,
        columns=[_column(change, name, texts, names) for name in change.changed],
        made=change.before is None,
        gone=change.after is None,
        name=_called(change, texts, names),
    )


def _called(change: RowChange, texts: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Return what a row is called: as pages call it, else by the name in it and what it belongs to;
    '' for what has neither."""
    if known := names.get(change.key.partition(":")[2]):
        return known
    state = change.after or change.before or {}
    if change.key.startswith("identity.teammember:"):
        return " of ".join(names.get(str(state.get(n)), "") or str(state.get(n)) for n in MEMBER)
    own = state.get("role" if change.key.startswith("identity.rolebinding:") else "name")
    if "name" in change.sealed:
        own = texts.get(str(own), "").replace("[erased]", "")
    of = next((names[one] for column in BELONGS if (one := str(state.get(column))) in names), "")
    return f"{own if isinstance(own, str) else ''}{f' of {of}' if of else ''}".strip()


def _column(
    change: RowChange, name: str, texts: Mapping[str, str], names: Mapping[str, str]
) -> ColumnChange:
    opened = texts if name in change.sealed else {}
    before, after = change.before or {}, change.after or {}
    shown = [_shown(state.get(name), opened, names) for state in (before, after)]
    if _payload(after.get(name)) is not None:
        shown[1] = SIGNED
    return ColumnChange(name, *shown)


def _shown(value: Any, texts: Mapping[str, str], names: Mapping[str, str]) -> str:
    if isinstance(value, str):
        sealed = texts.get(value)
        if sealed and sealed != "[erased]":
            return sealed
        return f"{names[value]} ({value})" if value in names else value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class ArchivedEventPage:
    """What is left here of an archived event: its leaf, the proof, and the name of the file."""

    leaf: ArchivedLeaf
    archive: Archive
    proof: InclusionProof

    @property
    def events(self) -> str:
        """Which events the file holds."""
        file = self.archive
        return f"{number(file.first)} to {number(file.last)}, {number(file.count)} of them"

    @property
    def command(self) -> str:
        """What checks the event in the file."""
        event = self.leaf.index
        return f"python -m placet_verify archive FILE --root root.pub --event {event}"


def archived_event_page(index: int, actor: Actor) -> ArchivedEventPage:
    """Return an archived event, or raise ``NotFound``."""
    archived = archive_of(index, actor)
    if archived is None:
        raise NotFound
    return ArchivedEventPage(*archived, proof=inclusion(index))

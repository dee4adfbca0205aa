"""What somebody looks for in the log: the fields of the form, and what they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.urls import reverse
from django.utils.dateparse import parse_date, parse_datetime

from apps.assurance.queries import visible_recalls
from apps.audit.queries import EventFilter
from apps.audit.queries.filtering import by_name
from apps.identity.models import Project
from placet.kernel.actor import Actor, Scope
from placet.kernel.ids import is_id

LEFT_OUT = (
    "This is not all of it: its other events are in places where you may not read the log, and are "
    "not visible to you."
)


@dataclass(frozen=True, slots=True)
class ShownCause:
    """A recall whose outcome is asked for: its page, and what of the outcome is not there."""

    url: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class LogSearch:
    """The filter form as it was sent. What happened at ``until`` is not asked for any more."""

    kind: str = ""
    group: str = ""
    text: str = ""
    person: str = ""  # a part of a name
    actor: str = ""  # an id
    subject: str = ""  # an id, or the name of an endpoint, model, version or target
    cause: str = ""  # the id of a recall
    project: str = ""
    environment: str = ""
    since: datetime | None = None
    until: datetime | None = None
    people: bool = False

    @property
    def is_narrowed(self) -> bool:
        """Whether anything was asked for."""
        return self != LogSearch()

    @property
    def thing(self) -> str:
        """The name that is asked for, '' where it is an id."""
        return "" if is_id(self.subject) else self.subject

    def shown_cause(self, actor: Actor) -> "ShownCause":
        """Return the recall whose outcome is asked for. One that is not there is answered as one
        that ``actor`` may not see."""
        seen = None
        if is_id(self.cause) and self.cause.startswith("rcl_"):
            seen = visible_recalls(actor).filter(pk=self.cause).values_list("project").first()
        if seen is None:
            return ShownCause(missing="No recall with this ID is visible to you.")
        whole = actor.can("audit.view", Scope(*seen))
        return ShownCause(reverse("recall", args=[self.cause]), "" if whole else LEFT_OUT)

    def filters(self, actor: Actor) -> EventFilter:
        """Return it as the log is asked."""
        wanted = EventFilter(
            kind=self.kind,
            group=self.group,
            text=self.text,
            actor=self.actor,
            subject="" if self.thing else self.subject,
            cause=self.cause,
            project=self.project,
            environment=self.environment,
            since=self.since,
            until=self.until,
            by_people=self.people,
        )
        return by_name(wanted, actor, person=self.person, thing=self.thing)

    @property
    def parameters(self) -> dict[str, str]:
        """Return it as API and export are asked."""
        given = {
            "kind": self.kind,
            "group": self.group,
            "text": self.text,
            "actor": self.actor,
            "person": self.person,
            "by_people": "true" if self.people else "",
            "subject": "" if self.thing else self.subject,
            "object": self.thing,
            "cause": self.cause,
            "project": self.project,
            "environment": self.environment,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class LogForm:
    """What the form of filters offers; what was asked for and is not among it is chosen too, so
    that the form is as it was sent."""

    asked: LogSearch
    seen: Sequence[Project]
    known_groups: Sequence[tuple[str, str]]

    @property
    def project(self) -> str:
        """The project that is asked for, by its ID where it is one."""
        named: dict[str, str] = {row.slug: row.pk for row in self.seen}
        return named.get(self.asked.project, self.asked.project)

    @property
    def projects(self) -> list[tuple[str, str]]:
        """The projects to choose from."""
        return _with([(row.pk, row.name) for row in self.seen], self.project)

    @property
    def groups(self) -> list[tuple[str, str]]:
        """The groups of events to choose from."""
        return _with(self.known_groups, self.asked.group)


def _with(options: Sequence[tuple[str, str]], chosen: str) -> list[tuple[str, str]]:
    other = [(chosen, chosen)] if chosen and chosen not in dict(options) else []
    return [*options, *other]


def reads_a_part(actor: Actor) -> bool:
    """Tell whether ``actor`` reads the log of some places alone, while all of it is counted."""
    return not actor.can("audit.view")


def search_of(asked: Mapping[str, str]) -> LogSearch:
    """Read the filter form; what is no time counts as not given."""

    def text(name: str) -> str:
        return asked.get(name, "").strip()

    return LogSearch(
        kind=text("kind"),
        group=text("group"),
        text=text("text"),
        person=text("person"),
        actor=text("actor"),
        subject=text("subject"),
        cause=text("cause"),
        project=text("project"),
        environment=text("environment"),
        since=moment_of(text("since")),
        until=moment_of(text("until"), days=1),
        people=text("people") == "1",
    )


def moment_of(text: str, *, days: int = 0) -> datetime | None:
    """Return the time that ``text`` names, UTC where it says no zone; of a day its midnight, or so
    many ``days`` later, so that a day that something lasts until is a part of it. ``None`` where
    there is no such time."""
    try:
        if len(text) == 10 and (day := parse_date(text)):
            midnight = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
            return midnight + timedelta(days=days)
        at = parse_datetime(text)
        if at is None:
            return None
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # 2026-02-30, or beyond the calendar
        return None

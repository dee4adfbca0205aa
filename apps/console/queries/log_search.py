"""What somebody looks for in the log: the fields of the form, and what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.urls import reverse
from django.utils.dateparse import parse_date

from apps.assurance.queries import visible_recalls
from apps.audit.kind_groups import GROUPS
from apps.audit.queries import EventFilter
from apps.audit.queries.filtering import by_name
from placet.kernel.actor import Actor
from placet.kernel.ids import is_id

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LogSearch:
    """The filter form as it was sent. ``until`` is a day that is looked through too."""

    kind: str = ""
    group: str = ""
    text: str = ""
    person: str = ""  # a part of a name
    actor: str = ""  # an id
    subject: str = ""  # an id, or the name of an endpoint, model, version or target
    cause: str = ""  # the id of a recall
    project: str = ""
    since: date | None = None
    until: date | None = None
    people: bool = False

    @property
    def is_narrowed(self) -> bool:
        """Whether anything was asked for."""
        return self != LogSearch()

    @property
    def thing(self) -> str:
        """The name that is asked for, '' where it is an id."""
        return "" if is_id(self.subject) else self.subject

    @property
    def begin(self) -> datetime | None:
        """When the first of the days begins."""
        return _midnight(self.since) if self.since else None

    @property
    def end(self) -> datetime | None:
        """When the last of the days is over; ``None`` at the end of the calendar."""
        if self.until is None or self.until == date.max:
            return None
        return _midnight(self.until + DAY)

    def cause_url(self, actor: Actor) -> str:
        """The page of the recall whose outcome is asked for, '' for who may not see it."""
        if not (is_id(self.cause) and self.cause.startswith("rcl_")):
            return ""
        seen = visible_recalls(actor).filter(pk=self.cause).exists()
        return reverse("recall", args=[self.cause]) if seen else ""

    def filters(self, actor: Actor) -> EventFilter:
        """Return it as the log is asked."""
        wanted = EventFilter(
            kind=self.kind,
            group=self.group if self.group in GROUPS else "",
            text=self.text,
            actor=self.actor,
            subject="" if self.thing else self.subject,
            cause=self.cause,
            project=self.project,
            since=self.begin,
            until=self.end,
            by_people=self.people,
        )
        return by_name(wanted, actor, person=self.person, thing=self.thing)

    @property
    def parameters(self) -> dict[str, str]:
        """Return it as API and export are asked."""
        given = {
            "kind": self.kind,
            "group": self.group if self.group in GROUPS else "",
            "text": self.text,
            "actor": self.actor,
            "person": self.person,
            "by_people": "true" if self.people else "",
            "subject": "" if self.thing else self.subject,
            "object": self.thing,
            "cause": self.cause,
            "project": self.project,
            "since": self.begin.isoformat() if self.begin else "",
            "until": self.end.isoformat() if self.end else "",
        }
        return {name: value for name, value in given.items() if value}


def search_of(asked: Mapping[str, str]) -> LogSearch:
    """Read the filter form; what is not a day counts as not given."""

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
        since=day_of(text("since")),
        until=day_of(text("until")),
        people=text("people") == "1",
    )


def day_of(text: str) -> date | None:
    """Return the day that ``text`` names as YYYY-MM-DD; ``None`` where there is no such day."""
    try:
        return parse_date(text) if len(text) == 10 else None
    except ValueError:  # 2026-02-30
        return None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), tzinfo=UTC)

"""What the log says of endpoints and revisions: who was to get which share, from when on."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    BigIntegerField,
    Case,
    F,
    Func,
    JSONField,
    OuterRef,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Concat, JSONObject

from apps.assurance.models import Receipt, ReceiptKind
from apps.assurance.periods import Moment, ShareSet, Switch, share_of
from apps.audit.models import Event
from apps.audit.queries.bodies import INTACT
from apps.serving.events import (
    ENDPOINT_CREATED,
    ENDPOINT_DELETED,
    ENDPOINT_STARTED,
    ENDPOINT_STOPPED,
    REVISION_ADDED,
    REVISION_CHANGED,
)
from apps.serving.models import Revision
from placet.kernel.clock import rfc3339
from placet_verify import times
from placet_verify.errors import Malformed

OF_REVISIONS = (REVISION_ADDED.name, REVISION_CHANGED.name)
OF_ENDPOINTS = tuple(
    kind.name for kind in (ENDPOINT_CREATED, ENDPOINT_STARTED, ENDPOINT_STOPPED, ENDPOINT_DELETED)
)
RECEIPTS = 5  # of one revision: a node signs one for each run


def _logged(table: str, *column: str) -> Func:
    """Return the row that an event is about, of this table, as it was logged; or a column of it."""
    row = Concat(Value(f"{table}:"), F("subject"), output_field=TextField())
    return Func(
        Cast(F("body"), JSONField()),
        Value("after"),
        row,
        *map(Value, column),
        template="(%(expressions)s)",
        arg_joiner=" -> ",
        output_field=JSONField(),
    )


def _intact(said: Func) -> Case:
    """Return what a body says, nothing where it is not what was logged: it is not even read."""
    return Case(When(INTACT, then=said), default=None, output_field=JSONField())


# Of a revision without its permit, which is long. OFFSET has the body read as JSON once.
SAID = _intact(
    Func(
        _logged("serving.revision"),
        template="""(
            SELECT jsonb_build_object('number', it -> 'number', 'bento', it -> 'bento_id',
                'weight', it -> 'weight', 'header', it -> 'header_route', 'copies', it -> 'mirror')
            FROM (SELECT %(expressions)s AS it OFFSET 0) AS logged
        )""",
        output_field=JSONField(),
    )
)
PERMIT = _intact(_logged("serving.revision", "permit"))
STATE = _intact(_logged("serving.endpoint", "state"))


def changed(event: int | None, subject: str) -> str:
    """Return what is said of an event whose body is not what was logged."""
    return f"Event {event} of {subject} was changed after it was logged"


@dataclass(frozen=True, slots=True)
class RunReceipt:
    """What a node signed: the revision ran there from then to then, by its clock."""

    id: str
    node: str
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How a revision stood at an instant: by its last event until then, ``None`` without any.

    ``said`` is ``None`` too where that event was changed after it was logged.
    """

    id: str
    endpoint: str
    number: int
    said: Any
    event: int | None
    moved: bool  # in the time that is asked about too
    oldest: str | None  # the kind of the oldest event that there is of it

    @property
    def fault(self) -> str:
        """Why what is said of it may not be all, '' otherwise."""
        if self.event is not None and self.said is None:
            return changed(self.event, f"revision {self.number}")
        if self.event is not None and share_of(self.said) is None:
            return f"Event {self.event} of revision {self.number} cannot be read: it was changed"
        if self.event is None and self.oldest not in (None, REVISION_ADDED.name):
            return f"The first events of revision {self.number} lie in an archive file"
        return ""

    @property
    def counts(self) -> bool:
        """Whether all of it must be read."""
        return self.moved or (self.event is not None and share_of(self.said) != share_of(IDLE))


IDLE = {"weight": 0, "header": None, "copies": 0}


@dataclass(frozen=True, slots=True)
class Told:
    """All that the log says of a revision, and what nodes signed of it."""

    number: int
    bento: str
    shares: list[ShareSet]
    permit: str
    receipts: tuple[RunReceipt, ...]
    faults: tuple[str, ...]  # events of it that were changed after they were logged


def switches_of(endpoints: Collection[str]) -> dict[str, list[Switch]]:
    """Return when each endpoint was made, stopped, started and deleted; '' is the state that an
    event says which was changed after it was logged."""
    rows = Event.objects.filter(subject__in=endpoints, kind__in=OF_ENDPOINTS).order_by("index")
    found = defaultdict[str, list[Switch]](list)
    said = rows.values_list("index", "at", "subject", "actor_id", STATE)
    for index, at, subject, by, state in said:
        if moment := _moment(index, at):
            found[subject].append(Switch(moment, state if isinstance(state, str) else "", by))
    return found


def standing_at(
    endpoints: Collection[str], at: datetime, since: datetime | None
) -> dict[str, list[Standing]]:
    """Return every revision of these endpoints as it stood at an instant, by endpoint."""
    events = Event.objects.filter(subject=OuterRef("pk"), kind__in=OF_REVISIONS)
    until = events.filter(at__lte=rfc3339(at)).order_by("-index")
    before = until.filter(at__lte=rfc3339(since or at)).values("index")[:1]
    rows = Revision.objects.filter(endpoint__in=endpoints).annotate(
        last=Subquery(until.values(last=JSONObject(index="index", said=SAID))[:1]),
        before=Subquery(before) if since else Value(None, BigIntegerField()),
        oldest=Subquery(events.order_by("index").values("kind")[:1]),
    )
    found = defaultdict[str, list[Standing]](list)
    columns = ("pk", "endpoint", "number", "last", "before", "oldest")
    told = rows.order_by("-number").values_list(*columns)
    for pk, endpoint, number, last, known, oldest in told:
        event, said = (last["index"], last["said"]) if last else (None, None)
        moved = since is not None and event != known
        found[endpoint].append(Standing(pk, endpoint, number, said, event, moved, oldest))
    return found


def told_of(revisions: Collection[str], at: datetime) -> dict[str, Told]:
    """Return all that there is to say of these revisions, with the receipts that cover ``at``."""
    events = Event.objects.filter(subject=OuterRef("pk"), kind__in=OF_REVISIONS).order_by("index")
    ran = Receipt.objects.filter(
        kind=ReceiptKind.RAN,
        endpoint=OuterRef("endpoint"),
        revision=OuterRef("pk"),
        started_at__lte=at,
        at__gte=at,
    )
    signed = JSONObject(id="pk", target="target__name", begin="started_at", end="at")
    rows = Revision.objects.filter(pk__in=revisions).annotate(
        events=ArraySubquery(events.values(told=JSONObject(index="index", at="at", said=SAID))),
        permit_said=Subquery(events.values(permit_said=PERMIT)[:1]),
        receipts=ArraySubquery(ran.order_by("pk").values(signed=signed)[:RECEIPTS]),
    )
    columns = rows.values_list("pk", "number", "events", "permit_said", "receipts")
    return {pk: _read(*told) for pk, *told in columns}


def _read(number: int, events: list[Any], permit: object, receipts: list[Any]) -> Told:
    said = [event["said"] for event in events if event["said"] is not None]
    wrong = [event["index"] for event in events if event["said"] is None]
    numbers = [row["number"] for row in said if isinstance(row["number"], int)]
    bentos = [row["bento"] for row in said if isinstance(row["bento"], str)]
    moments = [(_moment(event["index"], event["at"]), event["said"]) for event in events]
    return Told(
        number=numbers[0] if numbers else number,
        bento=bentos[0] if bentos else "",
        shares=[ShareSet(moment, share_of(row)) for moment, row in moments if moment],
        permit=permit if isinstance(permit, str) else "",
        receipts=tuple(_receipt(row) for row in receipts),
        faults=tuple(changed(index, f"revision {number}") for index in wrong),
    )


def _receipt(row: Mapping[str, str]) -> RunReceipt:
    begin, end = datetime.fromisoformat(row["begin"]), datetime.fromisoformat(row["end"])
    return RunReceipt(row["id"], f"node {row['target']}", begin, end)


def _moment(index: int, at: object) -> Moment | None:
    """Return where an event stands; ``None`` for a time that is none: nobody logs one."""
    try:
        return Moment(index, times.parse(at))
    except Malformed:
        return None

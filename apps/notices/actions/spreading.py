"""Reading the log: writing down who is to be told what. They and the cursor are there together, or
neither, so nobody is left out or told twice."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db.models import F, Q

from apps.audit.actions import record
from apps.audit.models import Event, PersonKey
from apps.audit.queries import log_size
from apps.identity.models import ApiToken
from apps.jobs.handlers import LeasedJob
from apps.notices import queries
from apps.notices.models import OPEN_NOTICES, Notice, Preference, Reading, Watch
from apps.notices.rules import EXPIRES_SOON, EXPIRING, NONE, due
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.faults import crash_point

KEPT_FOR = timedelta(days=30)  # of what is settled


def spread(*, job: LeasedJob) -> tuple[int, bool]:
    """Write down who is to be told of the next events; return how many notices that makes, and
    whether there may be more events to read.

    Without a mail server nobody is: once there is one, nobody wants mail of months ago. The first
    time the log is read from its end on.
    """
    with record(SYSTEM):
        job.fence()
        Reading.objects.get_or_create(pk=1, defaults={"cursor": log_size()})
        reading = Reading.objects.select_for_update(no_key=True).get(pk=1)
        events, following = queries.unread(reading.cursor)
        rows = [row for event in events for row in _notices(event)] if config().email_url else []
        Notice.objects.bulk_create(rows, ignore_conflicts=True)
        if following != reading.cursor:
            Reading.objects.filter(pk=1).update(cursor=following)
        crash_point("notices.before_spread_commit")
    crash_point("notices.after_spread_commit")
    return len(rows), len(events) == queries.LOOK


def _notices(event: Event) -> Iterator[Notice]:
    """Yield what people are to be told of an event: each in the first way in which it concerns
    them and of which they want mail; of one comment nobody twice."""
    told: set[str] = set()
    at, project = now(), event.project or ""
    for found in queries.audience(event):
        people = found.people - told
        if found.part:
            before = Notice.objects.filter(part=found.part, person__in=people)
            people -= {*before.values_list("person", flat=True)}
        ways = queries.ways(people, [found.kind], project)
        for person in sorted(people):
            way = ways[person][found.kind]
            if way != NONE:
                told.add(person)
                yield Notice(
                    person_id=person,
                    kind=found.kind,
                    index=event.index,
                    subject=found.subject,
                    part=found.part,
                    project=project,
                    way=way,
                    created_at=at,
                    due_at=due(way, at),
                    next_at=due(way, at),
                )


def add_expiring(*, job: LeasedJob) -> int:
    """Write down whose tokens expire soon, once for each, those of their service accounts too;
    return how many are new. A token that lives no longer than that was never expected to stay."""
    if not config().email_url:
        return 0
    at = now()
    with record(SYSTEM):
        job.fence()
        ending = ApiToken.objects.filter(
            expires_at__gt=at, expires_at__lte=at + EXPIRES_SOON, revoked_at=None
        )
        ending = ending.filter(expires_at__gt=F("created_at") + EXPIRES_SOON)
        rows = list(_expiring(ending.values_list("pk", "person", "service_account__owner")))
        known = Notice.objects.filter(index=None, kind=EXPIRING)
        before = known.count()
        Notice.objects.bulk_create(rows, ignore_conflicts=True)
        return known.count() - before


def _expiring(tokens: Iterable[tuple[str, str | None, str | None]]) -> Iterator[Notice]:
    at = now()
    holders = [(token, person or owner) for token, person, owner in tokens]
    ways = queries.ways({pk for _, pk in holders if pk}, [EXPIRING], "")
    for token, person in holders:
        if person and (way := ways[person][EXPIRING]) != NONE:
            yield Notice(
                person_id=person,
                kind=EXPIRING,
                subject=token,
                way=way,
                created_at=at,
                due_at=due(way, at),
                next_at=due(way, at),
            )


def forget_old(*, job: LeasedJob) -> int:
    """Delete what was settled a month ago, and all that people chose who were erased; return how
    many notices."""
    with record(SYSTEM):
        job.fence()
        erased = PersonKey.objects.filter(key=b"").values("pk")
        for chosen in (Watch, Preference):
            chosen.objects.filter(person__in=erased).delete()
        old = Notice.objects.filter(~Q(state__in=OPEN_NOTICES), created_at__lt=now() - KEPT_FOR)
        return old.delete()[0]

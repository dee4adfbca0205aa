"""A project whose people are told by mail."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from apps.audit.actions import record
from apps.audit.events import EventKind
from apps.audit.models import Audited
from apps.identity.models import User
from apps.jobs.actions import enqueue
from apps.notices.models import Notice, NoticeState, Reading
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.config import config
from tests.support import factories
from tests.support.world import World


class Post:
    """The log is read and mails are sent by the platform's own jobs, when a test says so."""

    def __init__(self, world: World, run_jobs: Callable[..., int]) -> None:
        self.world, self.run_jobs = world, run_jobs
        self.people: dict[str, User] = {**world.people}

    def newcomer(self, name: str, **roles: Any) -> Actor:
        """Add somebody to the project."""
        self.people[name] = factories.person(f"{name} {self.world.slug}", roles=roles)
        return factories.actor_of(self.people[name])

    def log(
        self, kind: EventKind, *rows: Audited, actor: Actor = SYSTEM, subject: str = "", **data: Any
    ) -> None:
        """Have an event in the log."""
        with record(actor) as log:
            log.add(kind, *rows, subject=subject or None, data=data)

    def skip(self) -> None:
        """Have everybody know what happened until now."""
        self.read()
        Notice.objects.all().delete()
        mail.outbox.clear()

    def read(self) -> None:
        """Have the log read, and what is due sent."""
        enqueue("notices.spread")
        self.run_jobs("control")

    def later(self, **time: float) -> None:
        """Have so much time gone by for every notice that is not settled, and go on."""
        ago = timedelta(**time)
        for row in Notice.objects.filter(state__in=[NoticeState.WAITING, NoticeState.SENDING]):
            row.due_at -= ago
            row.next_at -= ago
            row.lease_until = row.lease_until and row.lease_until - ago
            row.save()
        self.read()

    def told(self) -> list[str]:
        """Have the log read and a day go by; return who was mailed what, by kinds of notices."""
        before = now()
        self.read()
        self.later(days=1)
        names = {person.pk: name for name, person in self.people.items()}
        rows = Notice.objects.filter(created_at__gte=before, state=NoticeState.SENT)
        return sorted(
            f"{names[person]} {kind}"
            for person, kind in rows.values_list("person", "kind")
            if person in names
        )

    def mails(self) -> list[tuple[str, str]]:
        """Return whom mails went to, by first name, and their subjects, in the order of these: of
        what is due at one moment none comes first."""
        names = {person.email: name for name, person in self.people.items()}
        return sorted((names[one.to[0]], str(one.subject)) for one in mail.outbox)


@pytest.fixture
def post(world: World, run_jobs: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> Post:
    """People who are told of what happens from now on."""
    monkeypatch.setattr(config(), "email_url", "smtp://mail.example:25")
    Reading.objects.all().delete()
    made = Post(world, run_jobs)
    made.read()
    return made

"""Writing down who sends a mail now, and what came of it."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from django.db.models import Q

from apps.audit.actions import record
from apps.integrations.rules import webhook_outcome
from apps.jobs.handlers import LeasedJob
from apps.notices import queries
from apps.notices.models import Notice, NoticeState
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.faults import crash_point

LEASE = timedelta(seconds=120)  # longer than any mail takes
MOST = 500  # notices of one mail; the next takes the others

Came = Literal["sent", "dropped", "refused"]


def claim(*, job: LeasedJob) -> list[Notice]:
    """Take what the next mail tells, for as long as its lease lasts; nothing when nothing is due.

    A mail tells a person all that is due in one way, so that much at once is one mail. What was in
    a mail that was not written down as sent is in that mail again, and nothing else.
    """
    with record(SYSTEM):
        job.fence()
        due = queries.due_notices().select_for_update(skip_locked=True, no_key=True)
        first = due.first()
        if first is None:
            return []
        same = Q(person=first.person_id, way=first.way, letter="")
        rows = list(due.filter(Q(letter=first.letter) if first.letter else same)[:MOST])
        until = now() + LEASE
        for row in rows:
            row.letter = first.letter or first.pk
            row.state, row.lease_until = NoticeState.SENDING, until
            row.generation += 1
            row.tries += 1
        changed = ["letter", "state", "lease_until", "generation", "tries"]
        Notice.objects.bulk_update(rows, changed)
    return rows


def settle(rows: Sequence[Notice], came: Came, *, error: str = "", job: LeasedJob) -> int:
    """Write down what came of a mail for each notice in it; return of how many.

    What somebody else has by now stays as it is. What a mail server refused is tried again for a
    day, as what webhooks refuse is.
    """
    state, wait = _next(rows[0], came)
    settled = 0
    with record(SYSTEM):
        job.fence()
        next_at = now() + timedelta(seconds=wait)
        for row in rows:
            mine = Notice.objects.filter(
                pk=row.pk, state=NoticeState.SENDING, generation=row.generation
            )
            settled += mine.update(state=state, next_at=next_at, lease_until=None, error=error)
        crash_point("notices.before_settle_commit")
    crash_point("notices.after_settle_commit")
    return settled


def _next(first: Notice, came: Came) -> tuple[NoticeState, float]:
    """Return what becomes of a mail, and in how many seconds it is tried again."""
    if came != "refused":
        return (NoticeState.SENT if came == "sent" else NoticeState.DROPPED), 0.0
    age = (now() - first.due_at).total_seconds()
    luck = random.random()  # noqa: S311 (so that not all come at once)
    outcome, wait = webhook_outcome(0, first.tries, age, None, luck)
    return (NoticeState.WAITING if outcome == "waiting" else NoticeState.FAILED), wait

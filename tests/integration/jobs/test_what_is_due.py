"""What comes round misses no work, for all that it is asked first whether there is any.

Each schedule that asks is asked once nothing is left to do, and then again and again after one
thing that is work for it has come about, each kind of that on its own.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F, QuerySet

import workers.tasks  # noqa: F401  (registers the handlers)
from apps.audit.actions import witnesses, write_checkpoint
from apps.audit.models import Checkpoint, LogHead, VerifiedHead, Witness, WitnessState
from apps.audit.queries import checkpoint_files
from apps.governance.models import BreakGlass, Environment, Release, ReviewRequest
from apps.integrations.models import Stream, Webhook, WebhookDelivery
from apps.jobs.actions import enqueue
from apps.jobs.handlers import timetables
from apps.monitoring.models import Alert, CaptureFile, CaptureRange
from apps.notices.models import Notice, Reading
from apps.rollouts.models import Drill, DrillSchedule, Rollout
from apps.serving.models import Endpoint, Node, Revision
from placet.kernel.clock import now
from placet.kernel.subqueries import finding
from tests.support import factories
from tests.support.story import Story

pytestmark = pytest.mark.django_db
PAST, SOON = timedelta(minutes=-5), timedelta(minutes=5)
SOMEWHERE = {"project_id": "prj_x", "endpoint_id": "end_x"}
HIDDEN = Checkpoint(size=10**9, root=b"", note="")
Case = tuple[str, Callable[[], object]]


def at(offset: timedelta) -> Any:
    return now() + offset


def changed(model: Any, **fields: Any) -> Callable[[], object]:
    """Change all rows of a model, of which there must be any."""

    def change() -> None:
        values = {name: one() if callable(one) else one for name, one in fields.items()}
        assert model.objects.update(**values)

    return change


def made(model: Any, **fields: Any) -> Callable[[], object]:
    """Make a row, which may refer to nothing that there is."""

    def make() -> None:
        values = {name: one() if callable(one) else one for name, one in fields.items()}
        model.objects.bulk_create([model(**values)])

    return make


def past() -> Any:
    return at(PAST)


def soon() -> Any:
    return at(SOON)


def both(*steps: Callable[[], object]) -> Callable[[], object]:
    return lambda: [step() for step in steps]


def with_witness(**state: Any) -> Callable[[], object]:
    """A witness that has the newest checkpoint and was asked lately, but for ``state``."""

    def make() -> None:
        Witness.objects.bulk_create([Witness(id="wit_x", name="x", kind="cosigns")])
        newest = Checkpoint.objects.order_by("-size").values("size")[:1]
        known = {"next_at": past(), "asked_at": now(), "size": newest, **state}
        witnesses._asked.add("wit_x")
        WitnessState.objects.bulk_create([WitnessState(witness_id="wit_x", next_at=past())])
        WitnessState.objects.update(**known)

    return make


def release(**fields: Any) -> Callable[[], object]:
    return changed(Release, **fields)


def promoting() -> None:
    further = Environment.objects.get(name="production")
    Environment.objects.filter(name="development").update(promote_to=further)


def glass(**fields: Any) -> Callable[[], object]:
    row = {"people": 2, "review_days": 1, "opened_at": past, "until": soon}
    return made(BreakGlass, release_id="rel_x", project_id="prj_x", **row, **fields)


def stream(**fields: Any) -> Callable[[], object]:
    return made(Stream, name="x", alert_after_seconds=60, **fields)


def size() -> int:
    return LogHead.objects.get().size


def webhook(**fields: Any) -> Callable[[], object]:
    return made(Webhook, id="whk_x", name="x", **{"cursor": size, **fields})


def delivery(**fields: Any) -> Callable[[], object]:
    times = {"created_at": past, "asked_at": past, "next_at": past}
    row = made(WebhookDelivery, webhook_id="whk_x", kind="x", **{**times, **fields})
    return both(webhook(state="enabled"), row)


def notice(**fields: Any) -> Callable[[], object]:
    times = {"created_at": past, "due_at": past, "next_at": past}
    return made(Notice, person_id="usr_x", kind="x", subject="x", **{**times, **fields})


def alert(kind: str) -> Callable[[], object]:
    return made(Alert, kind=kind, subject="x", about="x", summary="x", opened_at=past)


def forgotten(model: Any) -> Callable[[], object]:
    return lambda: QuerySet(model)._raw_delete("default")


CASES: list[Case] = [
    ("audit.checkpoint", lambda: factories.person("Somebody New")),
    ("audit.checkpoint", changed(LogHead, size=F("size") - 1)),
    ("audit.checkpoint", forgotten(LogHead)),
    ("audit.checkpoint", lambda: (checkpoint_files.folder() / "latest.txt").unlink()),
    ("audit.checkpoint", lambda: (checkpoint_files.folder() / "latest.txt").write_text("else")),
    ("audit.checkpoint", lambda: Checkpoint.objects.bulk_create([HIDDEN])),
    ("audit.verify_new", lambda: Checkpoint.objects.bulk_create([HIDDEN])),
    ("audit.verify_new", changed(VerifiedHead, size=F("size") - 1)),
    ("audit.verify_new", forgotten(VerifiedHead)),
    ("audit.witnesses", with_witness(size=1)),
    ("audit.witnesses", with_witness(asked_at=None)),
    ("audit.witnesses", with_witness(asked_at=now() - timedelta(days=1))),
    ("audit.witnesses", both(with_witness(), witnesses._asked.clear)),
    ("audit.witnesses", with_witness(fault="ahead")),
    ("audit.witnesses", with_witness(fault="ahead", next_at=now() + timedelta(days=1))),
    ("governance.advance", release(state="requested", quorum_met=True, not_after=soon)),
    ("governance.advance", release(state="approved", not_after=soon)),
    ("governance.expire", release(state="requested", not_after=past)),
    ("governance.expire", release(state="approved", not_after=past)),
    ("governance.expire", glass(state="opened")),
    ("governance.expire", glass(state="confirmed")),
    (
        "governance.remind",
        both(
            release(state="requested"),
            lambda: made(
                ReviewRequest,
                release=Release.objects.get(),
                project_id="prj_x",
                requested_at=past,
                due_at=past,
            )(),
        ),
    ),
    ("governance.promote", both(changed(Endpoint, state="active"), promoting)),
    ("integrations.sweep", stream(state="running", cursor=0)),
    ("integrations.sweep", stream(state="failing", cursor=0, retry_at=past)),
    ("integrations.sweep", stream(state="running", cursor=size, checkpoint=1)),
    ("integrations.spread", webhook(state="enabled", cursor=0)),
    ("integrations.spread", delivery(index=1)),
    ("integrations.spread", delivery(index=1, state="sending", lease_until=past)),
    ("integrations.spread", both(delivery(), changed(Webhook, state="disabled"))),  # a test
    ("integrations.watch", stream(state="paused", started_by="usr_x")),
    ("integrations.watch", alert("stream_lag")),
    ("integrations.watch_webhooks", webhook(state="disabled", reason="gone")),
    ("integrations.watch_webhooks", alert("webhook_disabled")),
    ("monitoring.watch", changed(Endpoint, state="active")),
    ("monitoring.watch", changed(Node, last_report_at=past)),
    ("monitoring.watch", changed(Node, errors_since={"x": 1})),
    ("monitoring.watch", changed(Node, left_out=["x"])),
    ("monitoring.watch", changed(Node, fault="checkpoint_ahead")),
    ("monitoring.watch", alert("node_silent")),
    ("monitoring.watch", alert("recall_stopped")),
    (
        "monitoring.store_captures",
        both(
            made(CaptureFile, id=1, changed_at=past),
            made(CaptureRange, file_id=1, start=0, end=1, received_at=past),
        ),
    ),
    ("notices.spread", lambda: factories.person("Somebody New")),
    ("notices.spread", changed(Reading, cursor=F("cursor") + 9)),  # of a log that is now shorter
    ("notices.spread", forgotten(Reading)),
    ("notices.spread", notice()),
    ("notices.spread", notice(state="sending", next_at=soon, lease_until=past)),
    ("rollouts.drills", made(Drill, **SOMEWHERE)),
    ("rollouts.drills", made(DrillSchedule, **SOMEWHERE, every_days=1, hour=1, next_at=past)),
    ("rollouts.sweep", changed(Rollout, state="shifting")),
    ("rollouts.sweep", changed(Rollout, commanded=F("generation") - 1)),
    ("rollouts.sweep", changed(Revision, state="draining")),
    ("rollouts.sweep", changed(Revision, state="warm", warm_until=past)),
]
ASKING = {name: plan.when for name, plan in timetables().items() if plan.when}


def found(name: str) -> list[bool]:
    """Tell of each query of a schedule whether it finds a row."""
    return finding([rows] for rows in ASKING[name]())


@pytest.fixture
def idle(story: Story) -> None:
    """An installation where something is live, with nothing left to do."""
    story.live()
    Endpoint.objects.update(state="stopped")
    Node.objects.update(last_report_at=soon())
    for _ in range(3):
        for name in ASKING:
            enqueue(name, queue=timetables()[name].queue, key=name)
        story.run_jobs()
    write_checkpoint()
    witnesses._asked.clear()


def test_whatever_is_to_be_done_is_found(idle: None) -> None:
    nothing = {name: found(name) for name in ASKING}
    assert {name for name, those in nothing.items() if any(those)} == set()
    missed, seen = [], {name: [False] * len(those) for name, those in nothing.items()}
    kept = checkpoint_files.newest_text()
    for number, (name, happen) in enumerate(CASES):
        with transaction.atomic():
            connection.cursor().execute("SET CONSTRAINTS ALL DEFERRED")  # rows refer to nothing
            happen()
            now_found = found(name)
            transaction.set_rollback(True)
        (checkpoint_files.folder() / "latest.txt").write_text(kept)
        if not any(now_found):
            missed.append((number, name))
        seen[name] = [a or b for a, b in zip(seen[name], now_found, strict=True)]
    assert missed == []
    assert {name for name, those in seen.items() if not all(those)} == set(), "no case for it"

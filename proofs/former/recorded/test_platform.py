"""Makes a platform that has one or more of everything that the log knows, and records it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from apps.assurance.actions import place_hold
from apps.audit.actions import write_checkpoint
from apps.integrations.models import Stream
from apps.jobs.actions import enqueue
from apps.serving.models import Target
from placet.kernel.actor import SYSTEM
from tests import governed
from tests.permissions import asking
from tests.permissions import world as made_by
from tests.permissions.table import COLUMNS, Row, rows
from tests.rebuild import assert_log_rebuilds_every_row
from tests.recorded import making, recording
from tests.recorded.lives import Lives

pytestmark = pytest.mark.django_db
LET = ("ok", "200", "201", "202", "204")
HOLD = {"name": "case-2", "scope": "everything", "reason": "x"}
BODIES: dict[str, Any] = {
    "/api/v1/audit/legal-holds": HOLD,
    "/audit/holds/place": HOLD,
    "/api/v1/audit/legal-holds/{hold}/lift": {"reason": "x"},
    "/audit/holds/{hold_id}/lift": {"reason": "x"},
    "/api/v1/audit/retention": {"days": 365},
    "/audit/retention/set": {"days": 365},
}


@pytest.fixture(autouse=True)
def by_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every world's versions and Bentos made by actions, and leave out what is not."""
    import workers.tasks  # noqa: F401  (registers the handlers)

    monkeypatch.setattr(governed.World, "version", making.version)
    monkeypatch.setattr(governed.World, "bento", making.bento)
    left_out = (made_by.retention, made_by.jobs_and_audit)  # the latter: 256 events of one kind
    parts = [part for part in made_by.PARTS if part not in left_out]
    monkeypatch.setattr(made_by, "PARTS", [signed, *parts])


def signed(world: made_by.World) -> None:
    """A job of the project, and a checkpoint."""
    job = enqueue("permissions.nothing", project=world.project.pk)
    write_checkpoint()
    world.values |= {"job": job.pk, "index": "0", "level": "0"}


def everything_asked() -> None:
    """Send each request that the permission table lets somebody make; what removes comes last."""
    world = made_by.build()
    hold = place_hold(name="case-1", scope="everything", reason="x", actor=SYSTEM)
    world.values |= {"hold": hold.pk, "hold_id": hold.pk, "archive": "none"}
    world.bodies |= {f"POST {route}": body for route, body in BODIES.items()}
    Stream.objects.update(state="running")  # what that world did past the log is undone
    Target.objects.update(url="")
    for row in sorted(rows(), key=removes):
        if not row.is_group and row.method != "GET":
            let = (r for r, e in zip(COLUMNS, row.expected, strict=True) if e in LET)
            ask(world, row, next((role for role in let if role != "anonymous"), ""))


def removes(row: Row) -> bool:
    """Tell whether what is asked for may be gone afterwards."""
    return row.method == "DELETE" or row.route.endswith("/remove")


def ask(world: made_by.World, row: Row, role: str) -> None:
    """Send a request; nothing comes of one that what was asked before has made impossible."""
    if role:
        with transaction.atomic():
            asking.read(asking.request(world, row, role))


def test_it_is_made_and_recorded(
    run_jobs: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = recording.every_report(monkeypatch)
    making.target()
    everything_asked()
    lives = Lives("pay", run_jobs)
    lives.all()
    write_checkpoint()
    assert assert_log_rebuilds_every_row() > 400
    recording.write(Path(os.environ["PLACET_RECORDED"]), lives.signed, reports)

"""A log that witnesses are shown: grown, put back to an older copy of itself, shown again."""

from datetime import timedelta
from pathlib import Path

from django.db import connection

from apps.audit.actions import record, write_checkpoint
from apps.audit.actions import witnesses as actions
from apps.audit.actions.witnesses import show_witnesses
from apps.audit.events import event_kind
from apps.audit.models import (
    Checkpoint,
    WitnessState,
)
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now

GROWN = event_kind("test.grown", "Grew")


def grow(count: int) -> Checkpoint:
    """Append events and sign them."""
    with record(SYSTEM) as log:
        for n in range(count):
            log.add(GROWN, subject=f"s{n % 7}")
    made = write_checkpoint()
    assert made is not None
    return made


def restore(size: int, *, kept_too: Path | None = None) -> None:
    """Put the log back to an older copy of itself; with the files beside it, where named."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM audit_event WHERE index >= %s", [size])
        cursor.execute("DELETE FROM audit_checkpoint WHERE size > %s", [size])
        cursor.execute("DELETE FROM audit_cosignature WHERE size > %s", [size])
        cursor.execute("DELETE FROM audit_tile WHERE (index + 1) * 256 > %s", [size])
        cursor.execute("UPDATE audit_loghead SET size = %s", [size])
        cursor.execute("UPDATE audit_witnessstate SET size = %s", [size])
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("SET ROLE placet_app")
    if kept_too is not None:
        for path in kept_too.iterdir():
            path.unlink()
    actions._asked.clear()  # the process starts again


def due() -> None:
    """Let every witness's time have come."""
    WitnessState.objects.update(next_at=now() - timedelta(seconds=1))


def show() -> dict[str, str]:
    due()
    return show_witnesses()

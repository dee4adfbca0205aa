"""Events that no test of this release brings about on its own database, written as the code that
writes them does: a backup, its restore, and a witness that agrees again."""

import pytest

from apps.audit.actions import record
from apps.audit.actions.witnesses import add_witness
from apps.audit.events import BACKUP_BEGUN, RESTORED, WITNESS_AGREES
from placet.kernel.actor import SYSTEM

pytestmark = pytest.mark.django_db
FACTS = {"size": 120, "lost": 0, "again": 2, "ended": 1, "targets": 1, "root": "0" * 64}


def test_a_backup_is_made_and_restored() -> None:
    with record(SYSTEM) as log:
        log.add(BACKUP_BEGUN, subject="backup")
    with record(SYSTEM) as log:
        log.add(RESTORED, subject="backup", data=FACTS)


def test_a_witness_agrees_again() -> None:
    witness = add_witness(name="vault", kind="file", address="vault", actor=SYSTEM)
    with record(SYSTEM) as log:
        log.add(WITNESS_AGREES, subject=witness.pk, data={"size": 120})

"""A sweeper is killed around the removal of a blob: the next one finishes it, and says it once."""

import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from apps.audit.models import Event
from apps.registry.actions import collect_blobs
from apps.registry.models import CondemnedBlob
from apps.registry.store import store
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.integration.registry.helpers import sha256
from tests.support.processes import database_url, until

ROOT = Path(__file__).resolve().parents[3]
ORPHAN = b"bytes that nothing names"
CODE = """
import django; django.setup()
from apps.registry.actions import collect_blobs
from placet.kernel.actor import SYSTEM
collect_blobs(actor=SYSTEM)
"""
POINTS = (
    "registry.before_blob_swept",
    "registry.after_blob_swept",
    "before_commit.store.collected.v1",
    "after_commit.store.collected.v1",
)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_what_a_killed_sweeper_removed_is_in_the_log_once(
    artifacts: Path, tmp_path: Path, point: str
) -> None:
    store().put_stream(io.BytesIO(ORPHAN))
    name, before = sha256(ORPHAN), now() - timedelta(hours=25)
    CondemnedBlob.objects.create(sha256=name, size=len(ORPHAN), condemned_at=before)
    armed = tmp_path / "armed"
    armed.mkdir()
    (armed / point).touch()
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "placet.settings",
        "PLACET_DATABASE_URL": database_url(),
        "PLACET_ARTIFACT_URL": artifacts.as_uri(),
        "PLACET_CRASH_FOLDER": str(armed),
    }
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True)
    assert done.returncode == -9, done.stderr

    def swept() -> bool:
        collect_blobs(actor=SYSTEM)  # does nothing while the dead one's session holds the lock
        return not CondemnedBlob.objects.exists()

    until(swept, what="the next sweep")
    assert not store().exists(name)
    event = Event.objects.get(kind="store.collected.v1")
    assert json.loads(event.body)["data"] == {"blobs": 1, "bytes": len(ORPHAN)}

"""A process is killed right before and right behind the commit of an action."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.audit.models import Event
from apps.identity.models import Project
from tests.support.processes import database_url

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import django; django.setup()
from apps.identity.actions import create_project
from placet.kernel.actor import SYSTEM
create_project(slug="risk", name="Risk", actor=SYSTEM)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("side", "there"), [("before", False), ("after", True)])
def test_change_and_event_are_both_there_or_neither(side: str, there: bool, tmp_path: Path) -> None:
    armed = tmp_path / f"{side}_commit.project.created.v1"
    armed.touch()
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "placet.settings",
        "PLACET_DATABASE_URL": database_url(),
        "PLACET_CRASH_FOLDER": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True)
    assert done.returncode == -9, done.stderr
    assert not armed.exists()
    logged = Event.objects.filter(kind="project.created.v1")
    assert (Project.objects.exists(), logged.exists()) == (there, there)

"""A worker is killed around the delivery of a batch: it comes again, and none is missed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.audit.queries import log_size
from apps.integrations.models import Stream
from apps.jobs.models import Job
from placet.kernel.clock import now
from placet.kernel.config import config
from tests.integration.integrations.conftest import Feed
from tests.support.processes import database_url, until
from tests.support.receivers import Receiver

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import django; django.setup()
import workers.tasks
from apps.jobs.actions import run_due
run_due("control", 10)
"""
# Where it dies, and whether the batch was counted as delivered before.
POINTS = {
    "integrations.after_send": False,
    "integrations.before_cursor_commit": False,
    "integrations.after_cursor_commit": True,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_the_batch_comes_again_and_none_is_left_out(
    feed: Feed,
    receiver: Receiver,
    run_jobs: Callable[..., int],
    secrets: Path,
    tmp_path: Path,
    keys: Path,
    point: str,
) -> None:
    feed.log(20)
    stream = feed.stream(receiver.url)
    armed = tmp_path / "armed"
    armed.mkdir()
    (armed / point).touch()
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "placet.settings",
        "PLACET_DATABASE_URL": database_url(),
        "PLACET_STREAMS_DIR": str(secrets),
        "PLACET_KEYS_DIR": str(config().keys),
        "PLACET_CRASH_FOLDER": str(armed),
    }
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True)
    assert done.returncode == -9, done.stderr
    stream.refresh_from_db()
    assert (stream.cursor > 0) is POINTS[point]
    assert len(receiver.bodies) == 1

    def caught_up() -> bool:
        Job.objects.filter(state="running").update(lease_until=now())
        return feed.go(stream).cursor == log_size()

    until(caught_up, what="the next worker")
    got = [json.loads(line)["index"] for line in receiver.lines()]
    assert list(dict.fromkeys(got)) == list(range(log_size()))
    doubled = len(got) - log_size()
    assert doubled == (0 if POINTS[point] else log_size())
    assert Stream.objects.get().error == ""

"""A worker is killed while it tells a webhook: the event comes again under the same id, or not, and
none is left out or told of twice under two ids."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.audit.queries import log_size
from apps.integrations.models import WebhookAttempt, WebhookDelivery
from apps.jobs.actions import enqueue
from apps.jobs.models import Job
from placet.kernel.clock import now
from placet.kernel.config import config
from tests.integration.integrations.conftest import Hooks
from tests.integration.integrations.test_killed_workers import CODE, ROOT
from tests.support.processes import database_url, until
from tests.support.receivers import Receiver

# Where it dies, and how many of the ten are told of twice then: those that were on their way.
POINTS = {
    "integrations.before_spread_commit": 0,
    "integrations.after_spread_commit": 0,
    "integrations.after_call": 8,
    "integrations.before_call_commit": 8,
    "integrations.after_call_commit": 7,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_each_event_is_told_of_under_one_id(
    hooks: Hooks, receiver: Receiver, secrets: Path, tmp_path: Path, keys: Path, point: str
) -> None:
    hooks.hook(receiver.url)
    hooks.feed.log(8)
    first = log_size() - 10
    armed = tmp_path / "armed"
    armed.mkdir()
    (armed / point).touch()
    enqueue("integrations.spread")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "placet.settings",
        "PLACET_DATABASE_URL": database_url(),
        "PLACET_KEYS_DIR": str(config().keys),
        "PLACET_CA_FILE": str(config().ca_file),
        "PLACET_WEBHOOK_HOSTS": "localhost",
        "PLACET_CRASH_FOLDER": str(armed),
    }
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True)
    assert done.returncode == -9, done.stderr

    def told() -> bool:
        Job.objects.filter(state="running").update(lease_until=now())
        hooks.later(minutes=1)
        rows = WebhookDelivery.objects.all()
        return len(rows) == 10 and {row.state for row in rows} == {"delivered"}

    until(told, what="the next worker")
    ids: dict[int, set[str]] = {}
    for headers, body in zip(receiver.headers, receiver.bodies, strict=True):
        ids.setdefault(int(json.loads(body)["id"]), set()).add(headers["webhook-id"])
    assert sorted(ids) == list(range(first, first + 10))
    assert all(len(of_event) == 1 for of_event in ids.values())
    assert len(receiver.bodies) - 10 == POINTS[point]
    assert WebhookAttempt.objects.count() == 10, "of each, the one that was written down"

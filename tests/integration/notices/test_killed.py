"""A worker is killed while it tells people: nobody is left out, and a mail that comes again is the
same one."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from apps.jobs.actions import enqueue
from apps.jobs.models import Job
from apps.notices.actions import choose
from apps.notices.models import Notice
from placet.kernel.clock import now
from placet.kernel.config import config
from tests.integration.integrations.test_killed_workers import CODE, ROOT
from tests.integration.notices.conftest import Post
from tests.support.mailboxes import mail_server
from tests.support.processes import database_url, until

# Where it dies, and how many mails come again then: the one that was on its way.
POINTS = {
    "notices.before_spread_commit": 0,
    "notices.after_spread_commit": 0,
    "notices.after_send": 1,
    "notices.before_settle_commit": 1,
    "notices.after_settle_commit": 0,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_everybody_is_told_under_one_id(post: Post, tmp_path: Path, keys: Path, point: str) -> None:
    for name in ("one", "two"):
        post.world.request("staging", endpoint=name)
    choose("review", way="now", actor=post.world.rex)
    armed = tmp_path / "armed"
    armed.mkdir()
    (armed / point).touch()
    enqueue("notices.spread")
    with mail_server() as server:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "placet.settings",
            "PLACET_DATABASE_URL": database_url(),
            "PLACET_KEYS_DIR": str(config().keys),
            "PLACET_EMAIL_URL": server.url,
            "PLACET_CRASH_FOLDER": str(armed),
        }
        command = [sys.executable, "-c", CODE]
        done = subprocess.run(command, env=environment, capture_output=True)
        assert done.returncode == -9, done.stderr

        def told() -> bool:
            Job.objects.filter(state="running").update(lease_until=now())
            Notice.objects.filter(state="sending").update(lease_until=now())
            enqueue("notices.spread")
            subprocess.run(command, env=environment, check=True, capture_output=True)
            rows = Notice.objects.all()
            return len(rows) == 4 and {row.state for row in rows} == {"sent"}

        until(told, seconds=60, what="the next worker")
    ids = Counter(str(message["Message-ID"]) for message in server.messages)
    assert len(ids) == 2, "one mail for each reviewer"
    assert sum(ids.values()) - len(ids) == POINTS[point]
    assert {str(message["To"]) for message in server.messages} == {
        "rex.risk@example.com",
        "rita.risk@example.com",
    }

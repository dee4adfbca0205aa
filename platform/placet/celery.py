"""The workers' Celery application: what they do with a ring is in ``workers.tasks``.

The pool is made of threads: a job runs programs or waits for other hosts, and the poller (a
bootstep in ``workers.poller``) hands work to the pool from a thread of its own, which only this
pool allows.
"""

import os

from celery import signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")

from placet.kernel.broker import app
from placet.kernel.config import config
from placet.logs import configure_logging

app.conf.update(
    worker_pool="threads",
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,
    imports=["workers.tasks"],
)
app.steps["worker"].add("workers.poller:Poller")


@signals.setup_logging.connect(weak=False)
def own_logging(**options: object) -> None:
    """Keep our JSON lines; without a receiver Celery would raise the level to warnings."""
    configure_logging(config().log_level)

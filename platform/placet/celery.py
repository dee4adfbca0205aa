"""The Celery application: a doorbell for job rows, and nothing else.

There is no result backend and no beat: state, retries and schedules live in PostgreSQL. The pool
is made of threads: a job runs programs or waits for other hosts, and the poller (a bootstep in
``workers.poller``) hands work to the pool from a thread of its own, which only this pool allows.
"""

import os

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")

from placet import doorbell
from placet.config import config
from placet.logs import configure_logging

doorbell.install()
app = Celery("placet", broker=config().broker_url or "memory://localhost")
app.conf.update(
    task_ignore_result=True,
    task_default_queue="control",
    task_serializer="json",
    accept_content=["json"],
    worker_pool="threads",
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # for ever: the poller works without a broker too
    broker_transport_options={
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        # a publisher gives up at once: the ring may be lost, the caller must not wait
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.1,
    },
    imports=["workers.tasks"],
)
app.steps["worker"].add("workers.poller:Poller")


@signals.setup_logging.connect(weak=False)
def own_logging(**options: object) -> None:
    """Keep our JSON lines; without a receiver Celery would raise the level to warnings."""
    configure_logging(config().log_level)

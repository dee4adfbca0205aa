"""The Celery application: a doorbell for job rows, and nothing else.

There is no result backend and no beat: state, retries and schedules live in PostgreSQL.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")

from placet.config import config

app = Celery("placet", broker=config().broker_url or "memory://localhost")
app.conf.update(
    task_ignore_result=True,
    task_default_queue="control",
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2},
    imports=["workers.tasks"],
)

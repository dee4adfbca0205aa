"""The Celery application as whoever rings knows it: a doorbell for job rows, and nothing else.

There is no result backend and no beat: state, retries and schedules live in PostgreSQL. What a
worker is besides stands in ``placet.celery``.
"""

from celery import Celery

from placet.kernel import redis_transport
from placet.kernel.config import config

redis_transport.install()
app = Celery("placet", broker=config().broker_url or "memory://localhost")
app.conf.update(
    task_ignore_result=True,
    task_default_queue="control",
    task_serializer="json",
    accept_content=["json"],
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
)

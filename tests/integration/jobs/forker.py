"""Forks workers, each as if it had been started anew; see ``support/forking.py``."""

import os
import sys
from importlib import import_module
from pathlib import Path

import django
from celery.bin.celery import celery

from placet.kernel.config import config
from tests.integration.jobs.worker_app import app
from tests.support.forking import serve

# What a worker imports only as it starts.
LATER = (
    "celery.apps.worker",
    "celery.concurrency.thread",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "placet.urls",
    "workers.tasks",
    "tests.integration.jobs.kinds",
)


def work(words: list[str]) -> None:
    """Be the worker of this command line."""
    settings = config()
    settings.data_dir = Path(os.environ["PLACET_DATA_DIR"])
    settings.broker_url = os.environ["PLACET_BROKER_URL"]
    app.conf.update(broker_url=settings.broker_url)
    sys.argv = ["celery", *words]
    celery(auto_envvar_prefix="CELERY")


if __name__ == "__main__":
    django.setup()
    for name in LATER:
        import_module(name)
    serve(work)

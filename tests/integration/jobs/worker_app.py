"""The real Celery application, with the kinds of work of these tests beside its own."""

from placet.celery import app

app.conf.imports = [*app.conf.imports, "tests.integration.jobs.kinds"]
__all__ = ["app"]

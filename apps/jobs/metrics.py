"""Open jobs at ``/metrics``, read when it is scraped."""

from collections.abc import Iterator

import structlog
from django.db import DatabaseError, connection
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.jobs.models import JobState

OPEN_JOBS = """
SELECT queue, state, count(*),
  greatest(0, extract(epoch FROM clock_timestamp() - min(due_at)))::float
FROM jobs_job WHERE state IN ('queued', 'running') GROUP BY queue, state
"""
log = structlog.get_logger(__name__)


class JobCollector(Collector):
    """Gauges by queue; a database that does not answer leaves them out."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Name the gauges without asking the database."""
        return [_open(), _waiting()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the open jobs in one query over a partial index."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(OPEN_JOBS)
                rows = cursor.fetchall()
        except DatabaseError as error:
            log.warning("metrics_unavailable", error=type(error).__name__)
            return
        count, waiting = _open(), _waiting()
        for queue, state, jobs, age in rows:
            count.add_metric([queue, state], jobs)
            if state == JobState.QUEUED:
                waiting.add_metric([queue], age)
        yield count
        yield waiting


def _open() -> GaugeMetricFamily:
    return GaugeMetricFamily("placet_jobs_open", "Jobs that wait or run", labels=["queue", "state"])


def _waiting() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_jobs_oldest_due_seconds",
        "How long the waiting job that is due longest has been due",
        labels=["queue"],
    )


def register() -> None:
    """Show the gauges; called once, when the app is ready."""
    REGISTRY.register(JobCollector())

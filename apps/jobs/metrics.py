"""Open jobs at ``/metrics``, read when it is scraped."""

from django.db import connection
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily

from apps.jobs.models import JobState
from placet.kernel.gauges import GaugeCollector

OPEN_JOBS = """
SELECT queue, state, count(*),
  greatest(0, extract(epoch FROM clock_timestamp() - min(due_at)))::float
FROM jobs_job WHERE state IN ('queued', 'running') GROUP BY queue, state
"""


def job_gauges() -> list[GaugeMetricFamily]:
    """Read the open jobs in one query over a partial index."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN_JOBS)
        rows = cursor.fetchall()
    count, waiting = _none()
    for queue, state, jobs, age in rows:
        count.add_metric([queue, state], jobs)
        if state == JobState.QUEUED:
            waiting.add_metric([queue], age)
    return [count, waiting]


def _none() -> list[GaugeMetricFamily]:
    return [_open(), _waiting()]


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
    REGISTRY.register(GaugeCollector(_none, job_gauges))

"""Endpoints, nodes and alerts at ``/metrics``, read from PostgreSQL when it is scraped.

Every web process gives the same answer, and no worker needs a port of its own.
"""

from collections.abc import Iterator
from datetime import timedelta

import structlog
from django.db import DatabaseError
from django.db.models import Count
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.monitoring.models import UNRESOLVED, Alert
from apps.monitoring.queries.objectives import watched
from apps.monitoring.queries.windows import counts_of
from apps.serving.models import Node, Revision
from apps.serving.rules import RevisionState
from placet.kernel.clock import now

MINUTES = 5
ENDPOINT = ["project", "environment", "endpoint"]
STANDING = {"met": 1.0, "breached": 0.0, "unknown": -1.0}
log = structlog.get_logger(__name__)


class MonitoringCollector(Collector):
    """Gauges by endpoint, target and alert; a database that does not answer leaves them out."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Name the gauges without asking the database."""
        return [_requests(), _latency(), _objective(), _age(), _alerts()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read everything in a fixed number of queries, however many endpoints there are."""
        try:
            gauges = [*endpoint_gauges(), objective_gauge(), node_gauge(), alert_gauge()]
        except DatabaseError as error:
            log.warning("metrics_unavailable", error=type(error).__name__)
            return
        yield from gauges


def endpoint_gauges() -> list[GaugeMetricFamily]:
    """What each live revision answered in the last minutes."""
    requests, latency = _requests(), _latency()
    live = Revision.objects.filter(state=RevisionState.LIVE).select_related("endpoint__project")
    rows = list(live.order_by("pk"))
    counted = counts_of([row.pk for row in rows], now() - timedelta(minutes=MINUTES))
    for row in rows:
        counts, label_values = counted[row.pk], labels(row)
        for name in ("2xx", "4xx", "5xx"):
            requests.add_metric([*label_values, name], getattr(counts, f"status_{name}"))
        for share in (0.5, 0.95, 0.99):
            if (milliseconds := counts.percentile(share)) is not None:
                latency.add_metric([*label_values, f"{share:g}"], milliseconds / 1000)
    return [requests, latency]


def labels(row: Revision) -> list[str]:
    """Name the endpoint of a revision."""
    return [row.endpoint.project.slug, row.endpoint.environment, row.endpoint.name]


def objective_gauge() -> GaugeMetricFamily:
    """How each endpoint with an objective stands."""
    gauge = _objective()
    for item in watched():
        endpoint = item.objective.endpoint
        name = [endpoint.project.slug, endpoint.environment, endpoint.name]
        gauge.add_metric(name, STANDING[item.verdict.standing])
    return gauge


def node_gauge() -> GaugeMetricFamily:
    """How long ago each node reported."""
    gauge, at = _age(), now()
    for node in Node.objects.exclude(last_seen_at=None).select_related("target").order_by("pk"):
        assert node.heard_at is not None
        gauge.add_metric([node.target.name], (at - node.heard_at).total_seconds())
    return gauge


def alert_gauge() -> GaugeMetricFamily:
    """How many alerts of each kind are unresolved."""
    gauge = _alerts()
    rows = Alert.objects.filter(state__in=UNRESOLVED).values_list("kind", "state")
    for kind, state, count in rows.annotate(count=Count("pk")).order_by("kind", "state"):
        gauge.add_metric([kind, state], count)
    return gauge


def _requests() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_endpoint_requests_5m",
        "Requests that the live revision answered in the last 5 minutes",
        labels=[*ENDPOINT, "status"],
    )


def _latency() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_endpoint_latency_5m_seconds",
        "Latency of the live revision over the last 5 minutes",
        labels=[*ENDPOINT, "quantile"],
    )


def _objective() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_endpoint_objective",
        "1 when the endpoint keeps to its objective, 0 when not, -1 when that is not known",
        labels=ENDPOINT,
    )


def _age() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_node_report_age_seconds", "Since the node of a target reported", labels=["target"]
    )


def _alerts() -> GaugeMetricFamily:
    return GaugeMetricFamily("placet_alerts", "Unresolved alerts", labels=["kind", "state"])


def register() -> None:
    """Show the gauges; called once, when the app is ready."""
    REGISTRY.register(MonitoringCollector())

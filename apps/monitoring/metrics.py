"""Endpoints, nodes and alerts at ``/metrics``, read from PostgreSQL when it is scraped.

Every web process gives the same answer, and no worker needs a port of its own.
"""

from datetime import timedelta

import structlog
from django.db.models import Count
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily

from apps.monitoring.models import UNRESOLVED, Alert
from apps.monitoring.queries.objectives import Watched, watched
from apps.monitoring.queries.windows import MeasuredCounts, by_revision
from apps.serving.models import Node, Revision
from apps.serving.rules import RevisionState
from placet.kernel.clock import now
from placet.kernel.gauges import GaugeCollector

MINUTES = 5
STATUSES, SHARES = ("2xx", "4xx", "5xx"), (0.5, 0.95, 0.99)
ENDPOINT = ["project", "environment", "endpoint"]
STANDING = {"met": 1.0, "breached": 0.0, "unknown": -1.0}
log = structlog.get_logger(__name__)


def endpoint_gauges() -> list[GaugeMetricFamily]:
    """What each live revision answered in the last minutes, in two queries.

    Windows that cannot be counted cost their own endpoint its figures, and are counted themselves.
    """
    requests, latency, uncounted = _requests(), _latency(), _uncounted()
    refused = _refused()
    since, faults = now() - timedelta(minutes=MINUTES), 0
    live = Revision.objects.filter(state=RevisionState.LIVE).select_related("endpoint__project")
    rows = list(live.order_by("pk"))
    windows = by_revision([row.pk for row in rows], since)
    for row in rows:
        try:
            counts = MeasuredCounts.of(windows[row.pk], since).counts
            percentiles = {share: counts.percentile(share) for share in SHARES}
        except Exception as error:  # whatever a node had us store
            faults += 1
            log.warning("endpoint_not_counted", revision=row.pk, error=str(error))
            continue
        for name in STATUSES:
            requests.add_metric([*labels(row), name], getattr(counts, f"status_{name}"))
        refused.add_metric(labels(row), counts.apart.get("limited", 0))
        for share, milliseconds in percentiles.items():
            if milliseconds is not None:
                latency.add_metric([*labels(row), f"{share:g}"], milliseconds / 1000)
    uncounted.add_metric([], faults)
    return [requests, refused, latency, uncounted]


def labels(row: Revision) -> list[str]:
    """Name the endpoint of a revision."""
    return [row.endpoint.project.slug, row.endpoint.environment, row.endpoint.name]


def objective_gauges() -> list[GaugeMetricFamily]:
    """How each endpoint with an objective stands."""
    gauge = _objective()
    for item in watched():
        endpoint = item.objective.endpoint
        name = [endpoint.project.slug, endpoint.environment, endpoint.name]
        gauge.add_metric(name, standing(item))
    return [gauge]


def standing(item: Watched) -> float:
    """Return how one stands; with windows that cannot be counted that is not known."""
    try:
        return STANDING[item.verdict.standing]
    except Exception as error:  # whatever a node had us store
        log.warning("endpoint_not_judged", revision=item.revision.pk, error=str(error))
        return STANDING["unknown"]


def node_gauges() -> list[GaugeMetricFamily]:
    """How long ago each node reported."""
    gauge, at = _age(), now()
    for node in Node.objects.exclude(last_seen_at=None).select_related("target").order_by("pk"):
        assert node.heard_at is not None
        gauge.add_metric([node.target.name], (at - node.heard_at).total_seconds())
    return [gauge]


def alert_gauges() -> list[GaugeMetricFamily]:
    """How many alerts of each kind are unresolved."""
    gauge = _alerts()
    rows = Alert.objects.filter(state__in=UNRESOLVED).values_list("kind", "state")
    for kind, state, count in rows.annotate(count=Count("pk")).order_by("kind", "state"):
        gauge.add_metric([kind, state], count)
    return [gauge]


def _none() -> list[GaugeMetricFamily]:
    counted = _requests(), _refused(), _latency(), _uncounted()
    return [*counted, _objective(), _age(), _alerts()]


def _requests() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_endpoint_requests_5m",
        "Requests that the live revision answered in the last 5 minutes",
        labels=[*ENDPOINT, "status"],
    )


def _refused() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_endpoint_refused_5m",
        "Requests that the limits of the live revision refused in the last 5 minutes",
        labels=ENDPOINT,
    )


def _latency() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_endpoint_latency_5m_seconds",
        "Latency of the live revision over the last 5 minutes",
        labels=[*ENDPOINT, "quantile"],
    )


def _uncounted() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_endpoints_uncounted",
        "Endpoints without figures of the last 5 minutes: their windows cannot be counted",
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
    parts = endpoint_gauges, objective_gauges, node_gauges, alert_gauges
    REGISTRY.register(GaugeCollector(_none, *parts))

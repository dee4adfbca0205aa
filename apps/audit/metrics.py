"""The log's size at ``/metrics``, read when it is scraped."""

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily

from apps.audit.queries.proofs import latest_checkpoint, log_size
from placet.kernel.gauges import GaugeCollector


def log_gauges() -> list[GaugeMetricFamily]:
    """Read both in two indexed look-ups."""
    gauges, head = _none(), latest_checkpoint()
    for gauge, value in zip(gauges, (log_size(), head.size if head else 0), strict=True):
        gauge.add_metric([], value)
    return gauges


def _none() -> list[GaugeMetricFamily]:
    return [_size(), _signed()]


def _size() -> GaugeMetricFamily:
    return GaugeMetricFamily("placet_audit_events", "Events in the audit log")


def _signed() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_audit_signed_events", "Events that the newest signed checkpoint covers"
    )


def register() -> None:
    """Show the gauges; called once, when the app is ready."""
    REGISTRY.register(GaugeCollector(_none, log_gauges))

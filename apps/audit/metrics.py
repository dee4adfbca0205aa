"""The log's size at ``/metrics``, read when it is scraped."""

from collections.abc import Iterator

import structlog
from django.db import DatabaseError
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.audit.queries.proofs import latest_checkpoint, log_size

log = structlog.get_logger(__name__)


class LogCollector(Collector):
    """Two gauges; a database that does not answer leaves them out."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Name the gauges without asking the database."""
        return [_size(), _signed()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read both in two indexed look-ups."""
        try:
            size, head = log_size(), latest_checkpoint()
        except DatabaseError as error:
            log.warning("metrics_unavailable", error=type(error).__name__)
            return
        for gauge, value in ((_size(), size), (_signed(), head.size if head else 0)):
            gauge.add_metric([], value)
            yield gauge


def _size() -> GaugeMetricFamily:
    return GaugeMetricFamily("placet_audit_events", "Events in the audit log")


def _signed() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "placet_audit_signed_events", "Events that the newest signed checkpoint covers"
    )


def register() -> None:
    """Show the gauges; called once, when the app is ready."""
    REGISTRY.register(LogCollector())

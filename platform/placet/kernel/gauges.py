"""Gauges at ``/metrics`` that are read from PostgreSQL when they are scraped."""

from collections.abc import Callable, Iterable, Iterator

import structlog
from django.db import DatabaseError
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Gauges = Iterable[GaugeMetricFamily]
log = structlog.get_logger(__name__)


class GaugeCollector(Collector):
    """Gauges that are read in parts, of which none keeps another from being shown.

    A part that cannot be read is left out, and our own log says so. Behind one for which the
    database did not answer none is asked for: each would wait for it again.
    """

    def __init__(self, empty: Callable[[], Gauges], *parts: Callable[[], Gauges]) -> None:
        self.empty, self.parts = empty, parts

    def describe(self) -> Gauges:
        """Name the gauges without asking the database."""
        return self.empty()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read every part."""
        for part in self.parts:
            try:
                families = list(part())
            except DatabaseError as error:
                log.warning("metrics_unavailable", of=part.__name__, error=type(error).__name__)
                return
            except Exception:
                log.exception("metrics_unavailable", of=part.__name__)
                continue
            yield from families

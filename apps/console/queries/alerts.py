"""Alerts as the pages show them."""

from django.db.models import QuerySet

from apps.identity.queries import name_in
from apps.monitoring.models import Alert
from apps.monitoring.queries import unresolved_alerts, visible_alerts
from placet.kernel.actor import Actor

SHOWN = 100


def alert_rows(actor: Actor) -> list[Alert]:
    """Return what is wrong now: what nobody looks after first."""
    return list(with_keeper(unresolved_alerts(actor))[:SHOWN])


def closed_rows(actor: Actor) -> list[Alert]:
    """Return the alerts that ended last."""
    ended = visible_alerts(actor).filter(state="resolved").order_by("-resolved_at")
    return list(with_keeper(ended)[:SHOWN])


def with_keeper(alerts: QuerySet[Alert]) -> QuerySet[Alert]:
    """Add ``keeper``, the name of who looks after it, without a query of its own."""
    return alerts.annotate(keeper=name_in("acknowledged_by"))

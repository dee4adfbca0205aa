"""Alerts as the pages show them."""

from django.db.models import CharField, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.identity.models import ServiceAccount, User
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
    who = OuterRef("acknowledged_by")
    person = Subquery(User.objects.filter(pk=who).values("name")[:1])
    account = Subquery(ServiceAccount.objects.filter(pk=who).values("name")[:1])
    name = Coalesce(person, account, F("acknowledged_by"), output_field=CharField())
    return alerts.annotate(keeper=name)

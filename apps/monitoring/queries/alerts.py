"""Alerts, as an actor may see them."""

from collections.abc import Mapping, Sequence

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import JSONObject

from apps.monitoring.models import BY_PERSON, UNRESOLVED, Alert, AlertKind
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import RevisionState, Trouble
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound


class AlertWatcher:
    """Says what is wrong with endpoints: their alerts that are not over."""

    def troubles(self, endpoint: str) -> ArraySubquery:
        """Return the alerts as a column of a query: but for those that the next look ends, because
        they are about what served before what is live now."""
        live = Revision.objects.filter(endpoint=OuterRef("endpoint"), state=RevisionState.LIVE)
        newer = Exists(live.exclude(pk=OuterRef("revision")))
        rows = Alert.objects.filter(endpoint=OuterRef(endpoint), state__in=UNRESOLVED)
        rows = rows.filter(Q(kind__in=BY_PERSON) | ~newer).order_by("-opened_at")
        return ArraySubquery(rows.values(json=JSONObject(kind="kind", summary="summary")))

    def read(self, found: Sequence[Mapping[str, str]]) -> tuple[Trouble, ...]:
        """Return them in words, in the order in which their kinds are declared."""
        order = [str(kind) for kind in AlertKind]
        rows = sorted(found, key=lambda row: order.index(row["kind"]))
        return tuple(
            Trouble(kind.label, row["summary"], degrades=kind != AlertKind.NO_DATA)
            for row in rows
            for kind in (AlertKind(row["kind"]),)
        )


def visible_alerts(actor: Actor) -> QuerySet[Alert]:
    """Return the alerts that ``actor`` may see: those of their projects, and those about the
    installation itself for who sees alerts everywhere."""
    rows = Alert.objects.select_related("project", "endpoint")
    projects = actor.projects_with("alert.view")
    return rows if projects is None else rows.filter(Q(project__in=projects))


def get_alert(alert_id: str, actor: Actor) -> Alert:
    """Return one alert, or raise :class:`NotFound`."""
    alert = visible_alerts(actor).filter(pk=alert_id).first()
    if alert is None:
        raise NotFound
    return alert


def unresolved_alerts(actor: Actor) -> QuerySet[Alert]:
    """Return what is wrong now: what nobody looks after first, then the newest."""
    return visible_alerts(actor).filter(state__in=UNRESOLVED).order_by("-state", "-opened_at")


def alerts_of(endpoint: Endpoint) -> QuerySet[Alert]:
    """Return what is wrong with ``endpoint`` now."""
    rows = Alert.objects.filter(endpoint=endpoint, state__in=UNRESOLVED)
    return rows.select_related("project", "endpoint").order_by("-opened_at")

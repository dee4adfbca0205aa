"""Alerts as the pages show them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse

from apps.console.queries.page_parts import Button, counted
from apps.console.queries.sorting import ALERTS, Sorting
from apps.identity.queries import name_in
from apps.monitoring.models import Alert, AlertState
from apps.monitoring.queries import unresolved_alerts, visible_alerts
from placet.kernel.actor import Actor, Scope

SHOWN = 100
SORTS = (("", "Unacknowledged first"), ("-opened", "Newest first"), ("opened", "Oldest first"))


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert, and what the reader can do about it."""

    alert: Alert
    actor: Actor

    @property
    def may_handle(self) -> bool:
        """Whether there is something left to do that the reader may."""
        scope = Scope(self.alert.project_scope(), self.alert.environment_scope())
        return self.alert.state != AlertState.RESOLVED and self.actor.can("alert.handle", scope)

    @property
    def may_acknowledge(self) -> bool:
        """Whether nobody looks after it yet, and the reader may."""
        return self.alert.state == AlertState.OPEN and self.may_handle

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.alert.get_kind_display()}, {self.alert.about}"

    @property
    def buttons(self) -> list[Button]:
        """What the reader can do about it."""
        buttons = []
        if self.alert.state == AlertState.OPEN:
            url = reverse("alert-acknowledge", args=[self.alert.pk])
            buttons.append(Button("Acknowledge", post=url))
        if not self.alert.resolves_itself:
            buttons.append(Button("Resolve", post=reverse("alert-resolve", args=[self.alert.pk])))
        return buttons if self.may_handle else []


@dataclass(frozen=True, slots=True)
class AlertListPage:
    """What is wrong, and what was."""

    rows: list[AlertRow]
    closed: list[AlertRow]
    project: str
    sorting: Sorting

    @property
    def sorts(self) -> Sequence[tuple[str, str]]:
        """How those that are open can be sorted."""
        return SORTS

    @property
    def acknowledgeable(self) -> bool:
        """Whether several can be chosen to be acknowledged."""
        return sum(row.may_acknowledge for row in self.rows) > 1

    @property
    def summary(self) -> str:
        """How much is wrong."""
        if not self.rows:
            return "no open alerts"
        return counted(len(self.rows), "open alert")

    @property
    def over(self) -> str:
        """How many stand in the list of those that ended."""
        return f"the last {len(self.closed)}"


def alert_list_page(actor: Actor, project: str = "", sorting: Sorting = ALERTS) -> AlertListPage:
    """Return what is wrong now, and the alerts that ended last; ``project`` is a slug."""
    ended = visible_alerts(actor).filter(state=AlertState.RESOLVED).order_by("-resolved_at")
    if project:
        ended = ended.filter(project__slug=project)
    closed = shown_alerts(with_keeper(ended)[:SHOWN], actor)
    return AlertListPage(alert_rows(actor, project, sorting), closed, project, sorting)


def alert_rows(actor: Actor, project: str = "", sorting: Sorting = ALERTS) -> list[AlertRow]:
    """Return what is wrong now: what nobody looks after first, unless it is sorted otherwise."""
    rows = unresolved_alerts(actor).order_by(*sorting.fields)
    if project:
        rows = rows.filter(project__slug=project)
    return shown_alerts(with_keeper(rows)[:SHOWN], actor)


def shown_alerts(alerts: Iterable[Alert], actor: Actor) -> list[AlertRow]:
    """Return alerts as ``actor`` sees them."""
    return [AlertRow(alert, actor) for alert in alerts]


def with_keeper(alerts: QuerySet[Alert]) -> QuerySet[Alert]:
    """Add ``keeper``, the name of who looks after it, without a query of its own."""
    return alerts.annotate(keeper=name_in("acknowledged_by"))

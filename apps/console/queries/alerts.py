"""Alerts as the pages show them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.urls import reverse

from apps.assurance.models import EffectAction, RecallEffect, RecallState
from apps.assurance.queries.recalls_beside import recalled_again
from apps.console.queries.actor_names import by_machine
from apps.console.queries.endpoint_forms import figures_now
from apps.console.queries.links import recall_url
from apps.console.queries.page_parts import Button, Link, counted, without_role
from apps.console.queries.sorting import ALERTS, Sorting
from apps.console.templatetags.placet import sees_a_part
from apps.discussions.queries import open_threads
from apps.identity.queries import name_in
from apps.monitoring.models import Alert, AlertKind, AlertState
from apps.monitoring.queries import unresolved_alerts, visible_alerts, watched
from apps.monitoring.rules import RECALL_WITHDRAWN
from placet.kernel.actor import Actor, Scope

SHOWN = 100
ABOUT_SLO = (AlertKind.OBJECTIVE, AlertKind.NO_DATA)
FALLS = "falls under a recall"  # which older alerts say also once it is withdrawn
RECALL_ID = re.compile(r" \(rcl_\w+\)")  # which older alerts name what was recalled by
RECALLED_AGAIN = "It was recalled again since"
SORTS = (("", "Unacknowledged first"), ("-opened", "Newest first"), ("opened", "Oldest first"))


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert, and what the reader can do about it."""

    alert: Any  # as with_keeper reads it
    actor: Actor
    now: str = ""  # the figures now beside what was agreed, where they are measured

    @property
    def resolver(self) -> str:
        """Who ended it; '' where nobody did, and what is measured was over."""
        return "" if by_machine(self.alert.resolved_by) else str(self.alert.resolver)

    @property
    def summary(self) -> str:
        """What is wrong."""
        summary = RECALL_ID.sub("", self.alert.summary).replace(FALLS, "fell under a recall")
        said = RECALL_WITHDRAWN in summary  # not in alerts of recalls withdrawn by older versions
        if not said and self.recall and self._is_lifted:
            summary = f"{summary}. {RECALL_WITHDRAWN} since then"
        return f"{summary}. {RECALLED_AGAIN}" if self._again else summary

    @property
    def recall(self) -> Link | None:
        """The recall that it came of, for who may see that; the one that reaches the same since
        where it was withdrawn."""
        if self.alert.kind != AlertKind.RECALL_STOPPED or not self.alert.recall:
            return None
        if again := self._again:
            return Link("Open later recall", recall_url(again["id"], again["project"], self.actor))
        url = recall_url(self.alert.recall["id"], self.alert.recall["project"], self.actor)
        return Link("Open recall", url) if url else None

    @property
    def _is_lifted(self) -> bool:
        return bool(self.alert.recall.get("state") == RecallState.LIFTED)

    @property
    def _again(self) -> Mapping[str, Any] | None:
        """The recall of the same since the one that was withdrawn, for who may see it."""
        if self.alert.kind != AlertKind.RECALL_STOPPED or not self.alert.recall:
            return None
        again: Mapping[str, Any] | None = self.alert.recall["again"] if self._is_lifted else None
        return again if again and recall_url(again["id"], again["project"], self.actor) else None

    def told(self, figures: Mapping[str, str]) -> str:
        """Return what ``figures``, by endpoint, say of it; '' where it is not about an SLO."""
        return figures.get(self.alert.endpoint_id, "") if self.alert.kind in ABOUT_SLO else ""

    @property
    def may_handle(self) -> bool:
        """Whether there is something left to do that the reader may."""
        scope = Scope(self.alert.project_scope(), self.alert.environment_scope())
        is_over = self.alert.state == AlertState.RESOLVED
        return not is_over and self.actor.can("alert.handle", scope)

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
    partial: bool = False  # whether there may be others that the reader does not see
    why: str = ""  # they see none at any time, since they have no role that counts

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
            return "no open alerts that you may see" if self.partial else "no open alerts"
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
    rows = with_figures(alert_rows(actor, project, sorting))
    partial = sees_a_part(actor, "alert.view")
    return AlertListPage(rows, closed, project, sorting, partial, without_role(actor))


def with_figures(rows: Sequence[AlertRow]) -> list[AlertRow]:
    """Return alerts about SLOs with what is measured now beside what was agreed: in three queries,
    none where there is no such alert."""
    about = {row.alert.endpoint_id for row in rows if row.alert.kind in ABOUT_SLO}
    figures = {
        item.objective.endpoint_id: figures_now(item.objective, item.verdict)
        for item in (watched(about) if about else ())
    }
    return [replace(row, now=row.told(figures)) for row in rows]


def alert_rows(actor: Actor, project: str = "", sorting: Sorting = ALERTS) -> list[AlertRow]:
    """Return what is wrong now: what nobody looks after first, unless it is sorted otherwise."""
    rows = unresolved_alerts(actor).order_by(*sorting.fields)
    if project:
        rows = rows.filter(project__slug=project)
    return shown_alerts(with_keeper(rows)[:SHOWN], actor)


def shown_alerts(alerts: Iterable[Any], actor: Actor) -> list[AlertRow]:
    """Return alerts as ``actor`` sees them."""
    return [AlertRow(alert, actor) for alert in alerts]


def with_keeper(alerts: QuerySet[Alert]) -> QuerySet[Alert, Any]:
    """Add ``keeper`` and ``resolver``, the names of who looks after it and of who ended it,
    ``recall``, the newest that had stopped its endpoint by then with its project, and how many
    discussions of it are open (``open_threads``), without a query of its own."""
    stopped = RecallEffect.objects.filter(
        endpoint=OuterRef("endpoint"),
        action=EffectAction.STOPPED,
        recall__created_at__lte=OuterRef("opened_at"),
    )
    columns = {"project": "recall__project", "state": "recall__state"}
    said = JSONObject(id="recall", again=recalled_again(), **columns)
    recall = Subquery(stopped.order_by("-pk").values(json=said)[:1])
    named = {"keeper": name_in("acknowledged_by"), "resolver": name_in("resolved_by")}
    return alerts.annotate(recall=recall, open_threads=open_threads("alert"), **named)

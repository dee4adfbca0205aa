"""Rollback drills as the page of an endpoint shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.functions import JSONObject

from apps.console.queries.page_parts import counted
from apps.rollouts.models import Drill, DrillSchedule, DrillState
from apps.serving.models import Endpoint

SHOWN = 5
COLUMNS = (
    "id",
    "state",
    "reason",
    "seconds",
    "failed_requests",
    "created_at",
    "started_by",
    "rollout",
)


@dataclass(frozen=True, slots=True)
class DrillRow:
    """One drill in the list."""

    state: str
    reason: str
    seconds: float | None
    failed_requests: int | None
    at: datetime
    started_by: str
    rollout: str | None

    @property
    def outcome(self) -> str:
        """Continues the line about who started it: how many requests failed."""
        if self.state != DrillState.PASSED:
            return ""
        failed = self.failed_requests
        return ", counts with gaps" if failed is None else f", {counted(failed, 'failed request')}"


def last_drills() -> ArraySubquery:
    """Return the newest drills of an endpoint as a column of the query that reads it."""
    rows = Drill.objects.filter(endpoint=OuterRef("pk")).order_by("-pk")
    return ArraySubquery(rows.values(json=JSONObject(**{name: name for name in COLUMNS}))[:SHOWN])


def drill_rows(endpoint: Any) -> list[DrillRow]:
    """Return the drills that were read with ``endpoint`` by :func:`last_drills`."""
    return [_row(drill) for drill in endpoint.last_drills]


def _row(drill: Mapping[str, Any]) -> DrillRow:
    return DrillRow(
        state=drill["state"],
        reason=drill["reason"],
        seconds=drill["seconds"],
        failed_requests=drill["failed_requests"],
        at=datetime.fromisoformat(drill["created_at"]),
        started_by=drill["started_by"],
        rollout=drill["rollout"],
    )


def schedule_with(endpoint: Endpoint) -> DrillSchedule | None:
    """Return the schedule that was fetched with ``endpoint`` (``select_related``)."""
    schedule: DrillSchedule | None = getattr(endpoint, "drill_schedule", None)
    return schedule
